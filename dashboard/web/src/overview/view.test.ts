import { expect, test } from 'vitest';
import type { FleetHost } from '../live/fleet';
import { grouped, heatOf, heatRatio, viewOf } from './view';

const host = (name: string, group: string, rest: Partial<FleetHost> = {}): FleetHost =>
  ({ name, group, cpu: null, memory: 0.5, disk: null, load: 6, cores: 4, ...rest }) as FleetHost;

test('an address that means nothing is the table, by processor', () => {
  expect([viewOf(null), viewOf('nonsense'), viewOf('heat')]).toEqual(['table', 'table', 'heat']);
  expect([heatOf(null), heatOf('network'), heatOf('load')]).toEqual(['cpu', 'cpu', 'load']);
});

test('load is per processor, and unknown without their number', () => {
  expect(heatRatio(host('a', 'g'), 'load')).toBe(1.5);
  expect(heatRatio(host('a', 'g', { cores: 0 }), 'load')).toBeNull();
  expect(heatRatio(host('a', 'g'), 'memory')).toBe(0.5);
  expect(heatRatio(host('a', 'g'), 'cpu')).toBeNull();
});

test('groups are by name and keep the order of their hosts', () => {
  const groups = grouped([host('z', 'web10'), host('b', 'web2'), host('a', 'web10')]);
  expect(groups.map(([name, hosts]) => [name, hosts.map((h) => h.name)])).toEqual([
    ['web2', ['b']],
    ['web10', ['z', 'a']],
  ]);
});
