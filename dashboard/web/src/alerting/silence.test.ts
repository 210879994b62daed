import { expect, it } from 'vitest';
import type { Alert } from '../api';
import { silenceOf } from './silence';

it('a silence is of this alert alone', () => {
  const alert = { labels: { alertname: 'Full', instance: 'web01' } } as unknown as Alert;
  const now = Date.UTC(2026, 0, 2, 3, 4, 5);
  expect(silenceOf(alert, now, 3_600_000, 'moving')).toEqual({
    matchers: [
      { name: 'alertname', value: 'Full', isRegex: false, isEqual: true },
      { name: 'instance', value: 'web01', isRegex: false, isEqual: true },
    ],
    startsAt: '2026-01-02T03:03:05.000Z',
    endsAt: '2026-01-02T04:04:05.000Z',
    createdBy: 'dashboard',
    comment: 'moving',
  });
});
