import { expect, it } from 'vitest';
import { sparkPath } from './sparkline';

const path = (values: (number | null)[], interval: number) =>
  sparkPath({ end: 0, values }, 1, interval).replaceAll(/(\d+) [\d.]+/g, '$1');

it('ends at the right', () => expect(path([0, 1], 5000)).toBe('M58L59'));
it('goes on over the pauses of a host that reports seldom', () => expect(path([0, null, 1, null, 0], 10_000)).toBe('M55L57L59'));
it('breaks where reports are missing', () => expect(path([0, 1, null, null, null, 0], 5000)).toBe('M54L55M59'));
it('is nothing without values', () => expect(path([null, null], 5000)).toBe(''));
