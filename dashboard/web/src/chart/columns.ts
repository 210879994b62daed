import type { MatrixSeries } from '../api';
import type { Num } from '../live/events';

/** Names a line of a plot: which of its expressions, and the label grouped by. */
export type LineKey = `${number}/${string}`;

export const lineKey = (line: number, group: string): LineKey => `${line}/${group}`;

export const lineOf = (key: LineKey): { line: number; group: string } => {
  const slash = key.indexOf('/');
  return { line: Number(key.slice(0, slash)), group: key.slice(slash + 1) };
};

/** Times in milliseconds, ascending, and for each line a value or null per time. */
export interface Columns {
  times: number[];
  lines: Map<LineKey, Num[]>;
}

/**
 * Lays a matrix on an even grid, with nulls where a series has no point. by says
 * for each expression which label its group is.
 */
export function gridOf(matrix: MatrixSeries[], by: string[], from: number, to: number, step: number): Columns {
  const times: number[] = [];
  for (let t = from; t <= to; t += step) times.push(t);
  const lines = new Map<LineKey, Num[]>();
  for (const series of matrix) {
    const line = Number(series.metric['line'] ?? 0);
    const values = new Array<Num>(times.length).fill(null);
    for (const [seconds, text] of series.values) {
      const v = Number(text);
      if (Number.isFinite(v)) values[Math.round((seconds * 1000 - from) / step)] = v;
    }
    lines.set(lineKey(line, series.metric[by[line] ?? ''] ?? ''), values.slice(0, times.length));
  }
  return trimmed({ times, lines });
}

/** Without the times at both ends at which no line has a value. */
function trimmed({ times, lines }: Columns): Columns {
  const all = [...lines.values()];
  const filled = (i: number) => all.some((vs) => vs[i] !== null);
  let first = 0;
  let end = times.length;
  while (first < end && !filled(first)) first++;
  while (end > first && !filled(end - 1)) end--;
  return {
    times: times.slice(first, end),
    lines: new Map([...lines].map(([key, vs]) => [key, vs.slice(first, end)])),
  };
}

/** One moment of the live stream; null for the whole of it is a gap. */
export interface Point {
  time: number;
  values: Map<LineKey, number> | null;
}

/** History followed by the live points that are newer. */
export function joined(history: Columns, tail: readonly Point[]): Columns {
  const end = history.times.at(-1) ?? Number.NEGATIVE_INFINITY;
  const newer = tail.filter((p) => p.time > end);
  const keys = new Set(history.lines.keys());
  for (const p of newer) for (const key of p.values?.keys() ?? []) keys.add(key);
  const lines = new Map<LineKey, Num[]>();
  for (const key of keys) {
    const before = history.lines.get(key) ?? new Array<Num>(history.times.length).fill(null);
    lines.set(key, [...before, ...newer.map((p) => p.values?.get(key) ?? null)]);
  }
  return { times: [...history.times, ...newer.map((p) => p.time)], lines };
}

/** Each line on top of those before it; a null leaves the pile as it is. */
export function stacked(lines: readonly (readonly Num[])[]): Num[][] {
  const length = lines[0]?.length ?? 0;
  const pile = new Array<number>(length).fill(0);
  return lines.map((values) =>
    values.map((v, i) => {
      if (v === null) return lines.every((l) => l[i] === null) ? null : (pile[i] ?? 0);
      pile[i] = (pile[i] ?? 0) + v;
      return pile[i] ?? null;
    }),
  );
}
