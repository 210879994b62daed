import type { Definition, HostSnapshot, Num, Samples } from './events';

/** One series of a host with its latest sample; time is in milliseconds. */
export interface Series {
  ref: number;
  name: string;
  labels: Record<string, string>;
  time: number;
  value: Num;
}

/** The series of one host, as the stream tells them. */
export class HostSeries {
  private readonly byRef = new Map<number, Series>();
  private readonly byName = new Map<string, Series[]>();

  named(name: string): readonly Series[] {
    return this.byName.get(name) ?? [];
  }

  get empty(): boolean {
    return this.byRef.size === 0;
  }

  /** The latest value of the first series of a name. */
  value(name: string): Num {
    return this.named(name)[0]?.value ?? null;
  }

  replace(snapshot: HostSnapshot): void {
    this.byRef.clear();
    this.byName.clear();
    for (const [ref, name, labels, time, value] of snapshot.series) {
      this.define([ref, name, labels], time, value);
    }
  }

  /** Takes one event and returns the names of the metrics in it. */
  apply(e: Samples): Set<string> {
    for (const definition of e.series) this.define(definition, 0, null);
    const names = new Set<string>();
    for (let i = 0; i + 1 < e.values.length; i += 2) {
      const series = this.byRef.get(e.values[i] ?? -1);
      if (series === undefined) continue; // told in an event that was dropped; a snapshot follows
      series.time = e.time;
      series.value = e.values[i + 1] ?? null;
      names.add(series.name);
    }
    return names;
  }

  private define([ref, name, labels]: Definition, time: number, value: Num): void {
    if (this.byRef.has(ref)) return;
    const series = { ref, name, labels, time, value };
    this.byRef.set(ref, series);
    const same = this.byName.get(name);
    if (same) same.push(series);
    else this.byName.set(name, [series]);
  }
}
