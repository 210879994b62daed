import { describe, expect, it } from 'vitest';
import type { Row } from './events';
import { advance, Fleet, sparkPoints } from './fleet';

function row(name: string, rest: Partial<Row> = {}): Row {
  return {
    name,
    group: 'web',
    seen: 5000,
    interval: 5000,
    silent: false,
    cpu: 0.1,
    memory: null,
    disk: null,
    disk_at: '',
    load: null,
    cores: 1,
    receive: null,
    transmit: null,
    ...rest,
  };
}

const known = (name: string, silent: boolean) => ({
  name,
  group: 'web',
  interval_seconds: 5,
  lag_seconds: 0,
  last_seen: '2026-01-01T00:00:00Z',
  silent,
});

describe('the fleet', () => {
  it('announces changes once for many, to the rows concerned', () => {
    const frames: (() => void)[] = [];
    const fleet = new Fleet((f) => frames.push(f));
    const told: string[] = [];
    fleet.subscribeRow('a', () => told.push('a'));
    fleet.subscribeRow('b', () => told.push('b'));
    fleet.subscribe(() => told.push('all'));
    fleet.update([row('a')]);
    fleet.update([row('a', { cpu: 0.2 })]);
    expect(frames).toHaveLength(1);
    frames[0]?.();
    expect(told).toEqual(['a', 'all']);
    expect(fleet.get('a')?.cpu).toBe(0.2);
  });

  it('knows silent hosts from the collector, and believes the stream first', () => {
    const fleet = new Fleet((f) => f());
    fleet.replace([row('a')]);
    fleet.merge([known('a', true), known('old', true)]);
    expect(fleet.get('a')).toMatchObject({ silent: false, heard: true });
    expect(fleet.get('old')).toMatchObject({ silent: true, heard: false });
    fleet.merge([known('a', false)]);
    expect(fleet.list().map((h) => h.name)).toEqual(['a']);
  });

  it('a snapshot takes away what the stream no longer has, once the collector agrees', () => {
    const fleet = new Fleet((f) => f());
    fleet.replace([row('a'), row('b')]);
    fleet.replace([row('a')]);
    expect(fleet.get('b')?.heard).toBe(false);
    fleet.merge([known('a', false)]);
    expect(fleet.get('b')).toBeUndefined();
  });
});

describe('a sparkline', () => {
  const empty = { end: 0, values: [] };
  it('keeps one value per step and gaps', () => {
    let s = advance(empty, 100_000, 0.1);
    s = advance(s, 101_000, 0.2);
    s = advance(s, 115_000, 0.3);
    expect(s).toEqual({ end: 23, values: [0.2, null, null, 0.3] });
  });
  it('is bounded', () => {
    let s = empty as Parameters<typeof advance>[0];
    for (let i = 1; i < 200; i++) s = advance(s, i * 5000, i);
    expect(s.values).toHaveLength(sparkPoints);
    expect(advance(s, 10_000_000, 1).values.filter((v) => v !== null)).toEqual([1]);
  });
  it('takes nothing late or unknown', () => {
    const s = advance(empty, 100_000, 0.1);
    expect(advance(s, 50_000, 0.9)).toBe(s);
    expect(advance(s, 200_000, null)).toBe(s);
  });
});
