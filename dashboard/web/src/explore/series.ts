import type { MatrixSeries } from '../api';
import type { Num } from '../live/events';

/** A series as PromQL writes it: name{label="value"}. */
export function seriesName(metric: Record<string, string>): string {
  const { __name__: name = '', ...labels } = metric;
  const list = Object.entries(labels)
    .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
    .join(', ');
  return list || !name ? `${name}{${list}}` : name;
}

export interface NamedLine {
  label: string;
  values: Num[];
}

/** The moments of an even grid, in milliseconds. */
export function gridTimes(from: number, to: number, step: number): number[] {
  const times: number[] = [];
  for (let t = from; t <= to; t += step) times.push(t);
  return times;
}

/** A matrix on that grid, null where a series has no value or one that no plot shows. */
export function linesOn(times: readonly number[], step: number, matrix: readonly MatrixSeries[]): NamedLine[] {
  const from = times[0] ?? 0;
  return matrix.map(({ metric, values }) => {
    const line = new Array<Num>(times.length).fill(null);
    for (const [seconds, text] of values) {
      const i = Math.round((seconds * 1000 - from) / step);
      const v = Number(text);
      if (i >= 0 && i < line.length && Number.isFinite(v)) line[i] = v;
    }
    return { label: seriesName(metric), values: line };
  });
}

/** Those with the largest values, and how many are left out. */
export function tallest(lines: NamedLine[], most: number): { shown: NamedLine[]; left: number } {
  if (lines.length <= most) return { shown: lines, left: 0 };
  const peak = (l: NamedLine) => l.values.reduce<number>((max, v) => Math.max(max, Math.abs(v ?? 0)), 0);
  const byPeak = lines.map((line) => ({ line, peak: peak(line) })).sort((a, b) => b.peak - a.peak);
  return { shown: byPeak.slice(0, most).map(({ line }) => line), left: lines.length - most };
}
