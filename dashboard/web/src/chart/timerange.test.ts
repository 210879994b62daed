import { describe, expect, it } from 'vitest';
import { rangeOf, stepOf, windowAt, windowOf } from './timerange';

const range = (query: string) => rangeOf(new URLSearchParams(query));

describe('the range in the address', () => {
  it.each([
    ['', { range: { kind: 'last', length: 600_000, fit: true }, key: 'live' }],
    ['range=7d', { range: { kind: 'last', length: 604_800_000, fit: false }, key: '7d' }],
    ['range=nonsense', { range: { kind: 'last', length: 600_000, fit: true }, key: 'live' }],
    ['from=1000&to=2000', { range: { kind: 'fixed', from: 1000, to: 2000 }, key: null }],
    ['from=2000&to=1000&range=1h', { range: { kind: 'last', length: 3_600_000, fit: false }, key: '1h' }],
  ])('%s', (query, want) => expect(range(query)).toEqual(want));
});

it.each([
  [300_000, 5000, 5000],
  [3_600_000, 5000, 10_000],
  [604_800_000, 5000, 1_800_000],
  [300_000, 60_000, 60_000],
])('the step of %s ms measured every %s ms is %s ms', (length, interval, want) =>
  expect(stepOf(length, interval)).toBe(want),
);

it('a rate is taken over several samples', () => expect(windowOf(1000, 5000)).toBe(15));

describe('the ends of the plots', () => {
  const live = { kind: 'last', length: 600_000, fit: true } as const;
  it.each([
    ['all of it when there is data', live, 0, { from: 400_000, to: 1_000_000 }],
    ['from where the data begins', live, 900_000, { from: 900_000, to: 1_000_000 }],
    ['half a minute at least', live, 999_000, { from: 970_000, to: 1_000_000 }],
    ['half a minute while nothing is known', live, Number.POSITIVE_INFINITY, { from: 970_000, to: 1_000_000 }],
    ['what was asked for', { ...live, fit: false }, 999_000, { from: 400_000, to: 1_000_000 }],
    ['what is fixed', { kind: 'fixed', from: 1, to: 2 }, 999_000, { from: 1, to: 2 }],
  ] as const)('%s', (_, range, earliest, want) => expect(windowAt(range, 1_000_000, earliest)).toEqual(want));
});
