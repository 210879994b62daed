import { describe, expect, it } from 'vitest';
import type { FleetHost } from '../live/fleet';
import { clicked, filtered, orderOf, orderText, sorted } from './order';

function host(name: string, rest: Partial<FleetHost> = {}): FleetHost {
  return {
    name,
    group: 'web',
    seen: 0,
    interval: 5000,
    silent: false,
    cpu: null,
    memory: null,
    disk: null,
    disk_at: '',
    load: null,
    cores: 1,
    receive: null,
    transmit: null,
    heard: true,
    spark: { end: 0, values: [] },
    ...rest,
  };
}

const names = (hosts: FleetHost[]) => hosts.map((h) => h.name);
const labelsOf = (name: string): Record<string, string> => (name === 'db01' ? { site: 'fra1' } : {});
const none = new Map<string, number>();

describe('order', () => {
  it.each(['cpu', '-cpu', '-name'])('%s is kept in the address', (text) => expect(orderText(orderOf(text))).toBe(text));
  it('the usual order leaves nothing in the address', () => expect(orderText(orderOf('nonsense'))).toBeNull());
  it('a click begins with the largest and turns round', () => {
    const once = clicked(orderOf(null), 'cpu');
    expect(once).toEqual({ column: 'cpu', descending: true });
    expect(clicked(once, 'cpu').descending).toBe(false);
  });
  it('counts in names', () =>
    expect(names(sorted([host('web10'), host('web9')], orderOf(null), none))).toEqual(['web9', 'web10']));
  it('puts what is not known last either way', () => {
    const hosts = () => [host('a'), host('b', { cpu: 0.1 }), host('c', { cpu: 0.9 })];
    expect(names(sorted(hosts(), orderOf('cpu'), none))).toEqual(['b', 'c', 'a']);
    expect(names(sorted(hosts(), orderOf('-cpu'), none))).toEqual(['c', 'b', 'a']);
  });
  it('goes by alerts', () =>
    expect(names(sorted([host('a'), host('b')], orderOf('-alerts'), new Map([['b', 2]])))).toEqual(['b', 'a']));
});

describe('filter', () => {
  const hosts = () => [host('web01'), host('db01', { group: 'database', silent: true })];
  it.each([
    ['', ['web01', 'db01']],
    ['WEB', ['web01']],
    ['silent', ['db01']],
    ['01 data', ['db01']],
    ['web silent', []],
    ['group=web', ['web01']],
    ['state=silent site=fra', ['db01']],
    ['site=ams', []],
  ])('%s', (filter, want) => expect(names(filtered(hosts(), filter, labelsOf))).toEqual(want));
});
