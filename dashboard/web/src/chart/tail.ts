import type { HostSeries, Series } from '../live/series';
import { lineKey, type LineKey, type Point } from './columns';
import { evaluate, metricsOf, type Expr, type Source } from './expr';

/** A counter at the moment from which its next rate counts. */
interface Base {
  time: number;
  value: number;
}

/**
 * The live end of one plot. Rates are the growth of a counter between two points
 * of the plot, whatever number of samples lies between; a counter that was reset
 * counts from zero; a pause of several steps leaves a gap.
 */
export class Tail {
  points: Point[] = [];
  private readonly bases = new Map<number, Base>();
  private readonly metrics: Set<string>;
  private last = 0; // time of the last point
  private spacing: number; // that is usual between two points, ms
  private readonly lines: readonly Expr[];
  private readonly step: number; // least time between two points, ms
  private readonly keep: number; // how long points are kept, ms

  constructor(lines: readonly Expr[], interval: number, step: number, keep: number) {
    this.spacing = interval;
    this.lines = lines;
    this.step = step;
    this.keep = keep;
    this.metrics = new Set(lines.flatMap(metricsOf));
  }

  /** Makes rates count from what the series are now; what was before is cut off by a gap. */
  rebase(series: HostSeries): void {
    if (this.points.length > 0) this.points.push({ time: this.last + 1, values: null });
    this.settle(series, 0);
  }

  /** Takes what the series are at a time; it tells whether the plot has a new point. */
  take(series: HostSeries, time: number, names: ReadonlySet<string>): boolean {
    const pause = time - this.last;
    if (pause < 0.9 * this.step || ![...this.metrics].some((name) => names.has(name))) return false;
    if (this.last > 0 && pause > 3 * Math.max(this.step, this.spacing)) {
      this.points.push({ time: time - 1, values: null }); // behind the end of history
    } else {
      this.points.push({ time, values: this.evaluate(series) });
    }
    if (this.last > 0) this.spacing = pause; // a probe that has become slower leaves one gap, not always
    this.settle(series, time);
    this.points = this.points.filter((p) => p.time > time - this.keep);
    return true;
  }

  private evaluate(series: HostSeries): Map<LineKey, number> {
    const after = this.last;
    const source: Source = {
      named: (name) => series.named(name),
      latest: (s) => (s.time > after ? s.value : null),
      rate: (s) => this.rate(s, after),
    };
    const values = new Map<LineKey, number>();
    this.lines.forEach((e, line) => {
      for (const [group, v] of evaluate(e, source)) values.set(lineKey(line, group), v);
    });
    return values;
  }

  private rate(s: Series, after: number): number | null {
    const base = this.bases.get(s.ref);
    if (base === undefined || s.value === null || s.time <= after || s.time <= base.time) return null;
    const grown = s.value >= base.value ? s.value - base.value : s.value;
    return (grown * 1000) / (s.time - base.time);
  }

  /** Ends a point: the next rates count from here. */
  private settle(series: HostSeries, time: number): void {
    let newest = time;
    for (const name of this.metrics) {
      for (const s of series.named(name)) {
        if (s.value === null) continue;
        this.bases.set(s.ref, { time: s.time, value: s.value });
        newest = Math.max(newest, s.time);
      }
    }
    this.last = newest;
  }
}
