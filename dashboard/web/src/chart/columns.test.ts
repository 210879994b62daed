import { describe, expect, it } from 'vitest';
import { gridOf, joined, lineKey, lineOf, stacked } from './columns';

describe('history', () => {
  it('stands on an even grid with gaps, trimmed at both ends', () => {
    const matrix = [
      { metric: { line: '0', mode: 'user' }, values: [[20, '2'], [40, '4']] as [number, string][] },
      { metric: { line: '1', mode: 'x' }, values: [[40, 'NaN']] as [number, string][] },
    ];
    const columns = gridOf(matrix, ['mode', ''], 10_000, 50_000, 10_000);
    expect(columns.times).toEqual([20_000, 30_000, 40_000]);
    expect(columns.lines.get(lineKey(0, 'user'))).toEqual([2, null, 4]);
    expect(columns.lines.get(lineKey(1, ''))).toEqual([null, null, null]);
  });

  it('is followed by newer live points only', () => {
    const history = { times: [1, 2], lines: new Map([[lineKey(0, 'a'), [10, 20]]]) };
    const tail = [
      { time: 2, values: new Map([[lineKey(0, 'a'), 99]]) },
      { time: 3, values: null },
      { time: 4, values: new Map([[lineKey(0, 'b'), 7]]) },
    ];
    const all = joined(history, tail);
    expect(all.times).toEqual([1, 2, 3, 4]);
    expect(all.lines.get(lineKey(0, 'a'))).toEqual([10, 20, null, null]);
    expect(all.lines.get(lineKey(0, 'b'))).toEqual([null, null, null, 7]);
  });
});

it('a key gives back what it was made of', () =>
  expect(lineOf(lineKey(3, 'a/b'))).toEqual({ line: 3, group: 'a/b' }));

describe('stacking', () => {
  it('adds up, and keeps a gap that all share', () =>
    expect(stacked([[1, null, 2], [3, null, null], [1, null, 1]])).toEqual([[1, null, 2], [4, null, 2], [5, null, 3]]));
  it('takes nothing', () => expect(stacked([])).toEqual([]));
});
