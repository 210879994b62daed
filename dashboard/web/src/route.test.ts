import { expect, it } from 'vitest';
import { hostPath, routeOf } from './route';

it.each([
  ['/', { view: 'overview' }],
  ['/hosts/web01', { view: 'host', name: 'web01' }],
  ['/hosts/web01/', { view: 'host', name: 'web01' }],
  ['/hosts/', { view: 'none' }],
  ['/hosts/%', { view: 'none' }],
  ['/alerts', { view: 'alerts' }],
  ['/agents/', { view: 'agents' }],
  ['/agentsmith', { view: 'none' }],
  ['/elsewhere', { view: 'none' }],
])('%s', (path, want) => expect(routeOf(path)).toEqual(want));

it('a name survives the address', () =>
  expect(routeOf(hostPath('a/b ü'))).toEqual({ view: 'host', name: 'a/b ü' }));
