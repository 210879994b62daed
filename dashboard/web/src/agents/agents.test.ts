import { expect, it } from 'vitest';
import type { KnownHost } from '../api';
import { matching } from './agents';

const hosts = [
  { name: 'web01', group: 'web', silent: false, agent: { version: 'v1.2', groups: ['web', 'north'] } },
  { name: 'job', group: 'scripts', silent: true },
] as unknown as KnownHost[];

it.each([
  ['', ['web01', 'job']],
  ['NORTH v1', ['web01']],
  ['silent', ['job']],
  ['web silent', []],
])('“%s” shows %j', (filter, want) => expect(matching(hosts, filter).map((h) => h.name)).toEqual(want));
