import { describe, expect, it } from 'vitest';
import type { Series } from '../live/series';
import { counter, evaluate, gauge, metricsOf, minus, promql, promqlOfLines, type Source } from './expr';

const cpu = counter('node_cpu_seconds_total', { match: { mode: '!idle' }, agg: 'avg', by: 'mode' });
const used = minus(gauge('total'), gauge('free'));

function source(list: [name: string, labels: Record<string, string>, value: number | null][]): Source {
  const series = list.map(([name, labels, value], ref): Series => ({ ref, name, labels, time: 1, value }));
  return { named: (name) => series.filter((s) => s.name === name), rate: (s) => s.value, latest: (s) => s.value };
}

describe('PromQL', () => {
  it('takes the rate of a counter', () =>
    expect(promql(cpu, 'web01', 30)).toBe(
      'avg by (mode) (rate(node_cpu_seconds_total{instance="web01",mode!~"idle"}[30s]))',
    ));
  it('reads a gauge over the window', () =>
    expect(promql(used, 'a"b', 15)).toBe(
      String.raw`sum (last_over_time(total{instance="a\"b"}[15s])) - sum (last_over_time(free{instance="a\"b"}[15s]))`,
    ));
  it('tells lines of one query apart', () =>
    expect(promqlOfLines([gauge('a'), gauge('b')], 'h', 15)).toContain('"line", "0", "", "") or label_replace('));
  it('names its metrics', () => expect(metricsOf(used)).toEqual(['total', 'free']));
});

describe('live evaluation agrees', () => {
  it('groups, aggregates and leaves out what does not match', () =>
    expect(
      evaluate(
        cpu,
        source([
          ['node_cpu_seconds_total', { cpu: '0', mode: 'user' }, 0.2],
          ['node_cpu_seconds_total', { cpu: '1', mode: 'user' }, 0.4],
          ['node_cpu_seconds_total', { cpu: '1', mode: 'system' }, 0.1],
          ['node_cpu_seconds_total', { cpu: '0', mode: 'idle' }, 0.7],
          ['node_cpu_seconds_total', { cpu: '2', mode: 'user' }, null],
        ]),
      ),
    ).toEqual(new Map([['user', expect.closeTo(0.3)], ['system', 0.1]])));
  it('subtracts what both sides have', () =>
    expect(evaluate(used, source([['total', {}, 10], ['free', {}, 4]]))).toEqual(new Map([['', 6]])));
  it('has no difference when a side is missing', () =>
    expect(evaluate(used, source([['total', {}, 10]]))).toEqual(new Map()));
  it('matches a pattern as a whole', () =>
    expect(
      evaluate(gauge('m', { match: { device: '!lo|veth.*' }, by: 'device' }), source([
        ['m', { device: 'lo' }, 1],
        ['m', { device: 'lo0' }, 2],
        ['m', { device: 'veth12' }, 3],
      ])),
    ).toEqual(new Map([['lo0', 2]])));
});
