import { describe, expect, it } from 'vitest';
import { bytes, bytesPerSecond, count, duration, percent, short, unknown } from './format';

const thin = (s: string) => s.replaceAll('\u202f', ' ');

describe('numbers', () => {
  it.each([
    [0, '0.0 %'],
    [0.1234, '12.3 %'],
    [1, '100 %'],
    [-0.001, '0.0 %'],
    [null, unknown],
    [Number.NaN, unknown],
  ])('percent %s', (v, want) => expect(thin(percent(v))).toBe(want));

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1536 * 1024, '1.50 MiB'],
    [64 * 2 ** 30, '64.0 GiB'],
    [undefined, unknown],
  ])('bytes %s', (v, want) => expect(thin(bytes(v))).toBe(want));

  it('traffic is in powers of 1000', () => expect(thin(bytesPerSecond(1_234_000))).toBe('1.23 MB/s'));

  it.each([
    [0, '0'],
    [0.123, '0.12'],
    [0.05, '0.05'],
    [0.00416, '0.0042'],
    [-0.00000123, '-0.0000012'],
    [12.34, '12.3'],
    [123.4, '123'],
    [4560, '4.56k'],
  ])('short %s', (v, want) => expect(short(v)).toBe(want));
});

it.each([
  [1, '1'],
  [9999, '9999'],
  [12_345, '12.3k'],
  [null, unknown],
])('count %s', (v, want) => expect(count(v)).toBe(want));

describe('duration', () => {
  it.each([
    [0, '0s'],
    [8_400, '8s'],
    [65_000, '1m'],
    [3_700_000, '1h 1m'],
    [3_600_000, '1h'],
    [(3 * 24 + 4) * 3_600_000, '3d 4h'],
  ])('%s ms', (ms, want) => expect(duration(ms)).toBe(want));
});
