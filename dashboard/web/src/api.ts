/** What went wrong with a request, in the server's words where it has some. */
export class ApiError extends Error {}

/** The JSON of an answer, null if it has none. */
async function ask(url: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(url, init);
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(reasonOf(body) ?? `HTTP ${response.status}`);
  return body;
}

/** Prometheus says "error", Alertmanager "message" or nothing but a text. */
function reasonOf(body: unknown): string | undefined {
  if (typeof body === 'string') return body;
  const { error, message } = (body ?? {}) as { error?: string; message?: string };
  return error ?? message;
}

export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const body = await ask(url, { headers: { Accept: 'application/json' }, signal: signal ?? null });
  if (body === null) throw new ApiError('an answer that is not JSON');
  return body as T;
}

/** A host that the collector knows. */
export interface KnownHost {
  name: string;
  group: string;
  interval_seconds: number;
  last_seen: string;
  silent: boolean;
  /** Age of its newest message when it was stored. */
  lag_seconds: number;
  /** What of it history does not take, of late; absent if there is nothing. */
  refused?: { samples: Record<string, number>; last: string };
  /** What its agent says of itself; absent if it has not, such as a script. */
  agent?: Agent;
}

export interface Agent {
  groups: string[];
  labels: Record<string, string>;
  version: string;
  os: string;
  arch: string;
  reported: string;
  template: { revision: string; wanted: string; refused: Refusal[] };
  spool: { batches: number; bytes: number; dropped: number };
}

/** What an agent could not do of its template; line is 0 for the whole. */
export interface Refusal {
  name: string;
  line: number;
  reason: string;
}

export function knownHosts(signal?: AbortSignal): Promise<KnownHost[]> {
  return getJson('/api/hosts', signal);
}

/** Forgets a host until it reports again. */
export async function retireHost(name: string): Promise<void> {
  await ask(`/api/hosts/${encodeURIComponent(name)}`, { method: 'DELETE' });
}

/** An alert of Alertmanager's API v2. */
export interface Alert {
  fingerprint: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  status: { state: string; silencedBy: string[]; inhibitedBy: string[] };
}

export function firingAlerts(signal?: AbortSignal): Promise<Alert[]> {
  return getJson('/api/v2/alerts?active=true&silenced=false&inhibited=false', signal);
}

export function allAlerts(signal?: AbortSignal): Promise<Alert[]> {
  return getJson('/api/v2/alerts?active=true&silenced=true&inhibited=true', signal);
}

export interface Matcher {
  name: string;
  value: string;
  isRegex: boolean;
  isEqual: boolean;
}

export interface NewSilence {
  matchers: Matcher[];
  startsAt: string;
  endsAt: string;
  createdBy: string;
  comment: string;
}

export interface Silence extends NewSilence {
  id: string;
  status: { state: 'active' | 'pending' | 'expired' };
}

export function silences(signal?: AbortSignal): Promise<Silence[]> {
  return getJson('/api/v2/silences', signal);
}

export async function addSilence(silence: NewSilence): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  await ask('/api/v2/silences', { method: 'POST', headers, body: JSON.stringify(silence) });
}

export async function expireSilence(id: string): Promise<void> {
  await ask(`/api/v2/silence/${encodeURIComponent(id)}`, { method: 'DELETE' });
}

/** A rule of Prometheus's API; one that records has no state. */
export interface Rule {
  type: 'alerting' | 'recording';
  name: string;
  query: string;
  state?: 'inactive' | 'pending' | 'firing' | 'unknown';
  health: string;
  lastError?: string;
  lastEvaluation: string;
}

export interface RuleGroup {
  name: string;
  file: string;
  rules: Rule[];
}

export async function ruleGroups(signal?: AbortSignal): Promise<RuleGroup[]> {
  return (await getJson<{ data: { groups: RuleGroup[] } }>('/api/v1/rules?exclude_alerts=true', signal)).data.groups;
}

/** One series of a Prometheus matrix: time in seconds, value as text. */
export interface MatrixSeries {
  metric: Record<string, string>;
  values: [number, string][];
}

/** One series of a Prometheus vector. */
export interface VectorSeries {
  metric: Record<string, string>;
  value: [number, string];
}

interface Answer<T> {
  data: { result: T[] };
}

/** History of an expression; times are in milliseconds. */
export async function queryRange(
  expr: string,
  from: number,
  to: number,
  step: number,
  signal?: AbortSignal,
): Promise<MatrixSeries[]> {
  const query = new URLSearchParams({
    query: expr,
    start: String(from / 1000),
    end: String(to / 1000),
    step: String(step / 1000),
  });
  return (await getJson<Answer<MatrixSeries>>(`/api/v1/query_range?${query}`, signal)).data.result;
}

export async function query(expr: string, signal?: AbortSignal): Promise<VectorSeries[]> {
  const q = new URLSearchParams({ query: expr });
  return (await getJson<Answer<VectorSeries>>(`/api/v1/query?${q}`, signal)).data.result;
}

/**
 * An expression at a time in milliseconds, whatever its kind: a scalar or a
 * string is one series without labels, a range of samples keeps them all.
 */
export async function instant(expr: string, time: number, signal?: AbortSignal): Promise<MatrixSeries[]> {
  const q = new URLSearchParams({ query: expr, time: String(time / 1000) });
  const { data } = await getJson<{ data: InstantData }>(`/api/v1/query?${q}`, signal);
  switch (data.resultType) {
    case 'matrix':
      return data.result;
    case 'vector':
      return data.result.map(({ metric, value }) => ({ metric, values: [value] }));
    default:
      return [{ metric: {}, values: [data.result] }];
  }
}

type InstantData =
  | { resultType: 'matrix'; result: MatrixSeries[] }
  | { resultType: 'vector'; result: VectorSeries[] }
  | { resultType: 'scalar' | 'string'; result: [number, string] };
