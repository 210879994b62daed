import { describe, expect, it } from 'vitest';
import { HostSeries } from '../live/series';
import { lineKey } from './columns';
import { counter, gauge } from './expr';
import { Tail } from './tail';

const total = lineKey(0, '');

/** A counter "c" and a gauge "g", told at a time. */
function host() {
  const series = new HostSeries();
  const tell = (time: number, c: number, g: number) =>
    series.apply({ host: 'h', probe: 'p', interval: 5000, time, series: [[1, 'c', {}], [2, 'g', {}]], values: [1, c, 2, g] });
  return { series, tell };
}

describe('the live end of a plot', () => {
  const feed = (samples: [number, number, number][], step = 1000, line = counter('c')) => {
    const { series, tell } = host();
    const tail = new Tail([line], 5000, step, 3600_000);
    for (const [time, c, g] of samples) tail.take(series, time, tell(time, c, g));
    return tail.points.map((p) => [p.time, p.values === null ? 'gap' : p.values.get(total)]);
  };

  it('makes rates of counters', () =>
    expect(feed([[5000, 100, 0], [10_000, 150, 0], [15_000, 150, 0]])).toEqual([
      [5000, undefined],
      [10_000, 10],
      [15_000, 0],
    ]));

  it('counts from zero after a reset', () =>
    expect(feed([[5000, 100, 0], [10_000, 20, 0]])[1]).toEqual([10_000, 4]));

  it('takes one point per step, of all that lies between', () =>
    expect(feed([[10_000, 0, 0], [15_000, 500, 0], [20_000, 500, 0]], 10_000)).toEqual([
      [10_000, undefined],
      [20_000, 50],
    ]));

  it('leaves a gap after a pause and goes on', () =>
    expect(feed([[5000, 0, 0], [10_000, 5, 0], [60_000, 100, 0], [65_000, 110, 0]])).toEqual([
      [5000, undefined],
      [10_000, 1],
      [59_999, 'gap'],
      [65_000, 2],
    ]));

  it('learns that a probe has become slower', () =>
    expect(feed([[5000, 0, 1], [65_000, 0, 2], [125_000, 0, 3]], 1000, gauge('g'))).toEqual([
      [5000, 1],
      [64_999, 'gap'],
      [125_000, 3],
    ]));

  it('does not care for other metrics', () => {
    const { series } = host();
    const tail = new Tail([counter('c')], 5000, 1000, 1000);
    expect(tail.take(series, 5000, new Set(['other']))).toBe(false);
  });

  it('counts from the snapshot', () => {
    const { series, tell } = host();
    series.replace({ now: 0, link: true, host: null, intervals: {}, series: [[1, 'c', {}, 5000, 100]] });
    const tail = new Tail([counter('c')], 5000, 1000, 3600_000);
    tail.rebase(series);
    tail.take(series, 10_000, tell(10_000, 200, 0));
    expect(tail.points).toEqual([{ time: 10_000, values: new Map([[total, 20]]) }]);
  });

  it('forgets what has left the plot', () => {
    const { series, tell } = host();
    const tail = new Tail([gauge('g')], 5000, 1000, 12_000);
    for (let t = 5000; t <= 60_000; t += 5000) tail.take(series, t, tell(t, 0, t));
    expect(tail.points.map((p) => p.time)).toEqual([50_000, 55_000, 60_000]);
  });
});
