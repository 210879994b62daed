/** What stands for a number that is not known. */
export const unknown = '–';

type Maybe = number | null | undefined;

function known(v: Maybe): v is number {
  return v !== null && v !== undefined && Number.isFinite(v);
}

/** A ratio as a percentage: 0.123 is 12.3 %. */
export function percent(ratio: Maybe): string {
  if (!known(ratio)) return unknown;
  const p = Math.max(0, ratio * 100);
  return `${p >= 99.95 ? p.toFixed(0) : p.toFixed(1)}\u202f%`;
}

const binary = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const decimal = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Three digits and a unit. */
function scaled(v: number, base: number, units: readonly string[]): string {
  let n = Math.abs(v);
  let i = 0;
  while (n >= base * 0.9995 && i < units.length - 1) {
    n /= base;
    i++;
  }
  const digits = i === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;
  const unit = units[i];
  return `${v < 0 && n > 0 ? '-' : ''}${n.toFixed(digits)}${unit ? `\u202f${unit}` : ''}`;
}

/** Memory and disk space, in powers of 1024. */
export function bytes(v: Maybe): string {
  return known(v) ? scaled(v, 1024, binary) : unknown;
}

/** Traffic, in powers of 1000. */
export function bytesPerSecond(v: Maybe): string {
  return known(v) ? `${scaled(v, 1000, decimal)}/s` : unknown;
}

/** A plain number with two or three digits and a suffix: 0.0042, 0.42, 12.3, 4.56k. */
export function short(v: Maybe): string {
  if (!known(v)) return unknown;
  if (v === 0) return '0';
  if (Math.abs(v) < 1000) {
    const n = Math.abs(v);
    if (n < 0.0995) return String(Number(v.toPrecision(2)));
    return v.toFixed(n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2);
  }
  return scaled(v, 1000, ['', 'k', 'M', 'G', 'T']).replace('\u202f', '');
}

/** How many there are: all digits below ten thousand. */
export function count(v: Maybe): string {
  return known(v) && Math.abs(v) < 10_000 ? String(Math.round(v)) : short(v);
}

export function perSecond(v: Maybe): string {
  return known(v) ? `${short(v)}/s` : unknown;
}

/** A length of time in its two largest units: 3d 4h, 12m, 8s. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(s / 86400), 'd'],
    [Math.floor(s / 3600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'm'],
    [s % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return '0s';
  return parts
    .slice(first, first < 2 ? first + 2 : first + 1)
    .filter(([n], i) => i === 0 || n > 0)
    .map(([n, unit]) => `${n}${unit}`)
    .join(' ');
}

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});

const dateFormat = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

/** The time of day, with the date when it is not today's. */
export function clock(ms: number, now = Date.now()): string {
  return Math.abs(now - ms) < 12 * 3600_000 ? clockFormat.format(ms) : dateFormat.format(ms);
}

export type Unit = 'percent' | 'bytes' | 'bytesPerSecond' | 'perSecond' | 'short';

export const formatOf: Record<Unit, (v: Maybe) => string> = {
  percent,
  bytes,
  bytesPerSecond,
  perSecond,
  short,
};
