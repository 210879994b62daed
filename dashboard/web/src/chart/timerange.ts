import { useState } from 'react';

/** What the plots show: the last so many milliseconds, moving, or a fixed time. */
export type TimeRange =
  | { kind: 'last'; length: number; /** begin where the data does, if that is later */ fit: boolean }
  | { kind: 'fixed'; from: number; to: number };

const minute = 60_000;

/** The choices of the picker. */
export const ranges: readonly { key: string; length: number }[] = [
  { key: 'live', length: 10 * minute },
  { key: '5m', length: 5 * minute },
  { key: '15m', length: 15 * minute },
  { key: '1h', length: 60 * minute },
  { key: '6h', length: 360 * minute },
  { key: '24h', length: 1440 * minute },
  { key: '7d', length: 7 * 1440 * minute },
];

const standard = 'live';

/** Reads the range from an address: ?range=1h, or ?from=…&to=… in milliseconds. */
export function rangeOf(query: URLSearchParams): { range: TimeRange; key: string | null } {
  const from = Number(query.get('from') ?? Number.NaN);
  const to = Number(query.get('to') ?? Number.NaN);
  if (from > 0 && to > from) return { range: { kind: 'fixed', from, to }, key: null };
  const chosen = ranges.find((r) => r.key === query.get('range'));
  const { key, length } = chosen ?? { key: standard, length: 10 * minute };
  return { range: { kind: 'last', length, fit: key === standard }, key };
}

/** The least that a plot shows. */
const shortest = minute / 2;

/** The two ends of the plots at a time, given when the data begins. */
export function windowAt(range: TimeRange, now: number, earliest: number): { from: number; to: number } {
  if (range.kind === 'fixed') return { from: range.from, to: range.to };
  const from = now - range.length;
  return { from: range.fit ? Math.max(from, Math.min(earliest, now - shortest)) : from, to: now };
}

const niceSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400].map((s) => s * 1000);

/** Between two points, so that a plot has about 300 of them and no more than were measured. */
export function stepOf(length: number, interval: number): number {
  const least = Math.max(length / 360, interval, 1000);
  return niceSteps.find((s) => s >= least) ?? Math.ceil(least / 3600_000) * 3600_000;
}

/** Over how many seconds a rate is taken: enough for two samples, always. */
export function windowOf(step: number, interval: number): number {
  return Math.ceil(Math.max(step, 3 * interval, 5000) / 1000);
}

/** A time as an input of the kind datetime-local has it, in this browser's zone. */
export function toLocal(ms: number): string {
  const d = new Date(ms - new Date(ms).getTimezoneOffset() * minute);
  return d.toISOString().slice(0, 19);
}

/** What such an input holds, null if it is no time. */
export function fromLocal(text: string): number | null {
  const ms = new Date(text).getTime();
  return Number.isNaN(ms) ? null : ms;
}

/** The same object as long as the range is the same. */
export function useStableRange(range: TimeRange): TimeRange {
  const [kept, keep] = useState(range);
  if (JSON.stringify(kept) === JSON.stringify(range)) return kept;
  keep(range);
  return range;
}
