import { describe, expect, test } from 'vitest';
import { queriesOf, viewOf, withQueries } from './address';
import { csvOf } from './csv';
import { gridTimes, linesOn, seriesName, tallest } from './series';

describe('the address', () => {
  test('keeps queries in order, empty ones too', () => {
    const text = withQueries(new URLSearchParams('range=1h&q=old'), ['up == 1', '', 'a&b']);
    const query = new URLSearchParams(text);
    expect(queriesOf(query)).toEqual(['up == 1', '', 'a&b']);
    expect(query.get('range')).toBe('1h');
  });
  test('without a query has an empty one', () => {
    expect(queriesOf(new URLSearchParams(''))).toEqual(['']);
    expect(viewOf(new URLSearchParams('view=nonsense'))).toBe('plot');
  });
});

describe('series', () => {
  test('are named as PromQL writes them', () => {
    expect(seriesName({ __name__: 'up', job: 'node' })).toBe('up{job="node"}');
    expect(seriesName({ __name__: 'up' })).toBe('up');
    expect(seriesName({})).toBe('{}');
    expect(seriesName({ path: 'C:\\"x"' })).toBe('{path="C:\\\\\\"x\\""}');
  });
  test('stand on the grid with gaps', () => {
    const times = gridTimes(1000, 4000, 1000);
    const [line] = linesOn(times, 1000, [{ metric: {}, values: [[1, '5'], [3, 'NaN'], [4, '-2']] }]);
    expect(line?.values).toEqual([5, null, null, -2]);
  });
  test('too many leave the tallest, negative ones too', () => {
    const lines = [1, -9, 3].map((v) => ({ label: String(v), values: [v, null] }));
    const { shown, left } = tallest(lines, 2);
    expect(shown.map((l) => l.label)).toEqual(['-9', '3']);
    expect(left).toBe(1);
  });
});

test('CSV quotes what needs it', () => {
  const text = csvOf([{ metric: { __name__: 'a', b: 'c,"d"' }, values: [[0, '1'], [1.5, '+Inf']] }]);
  expect(text).toBe('time,series,value\r\n1970-01-01T00:00:00.000Z,"a{b=""c,\\""d\\""""}",1\r\n1970-01-01T00:00:01.500Z,"a{b=""c,\\""d\\""""}",+Inf\r\n');
});
