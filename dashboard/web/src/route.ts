import { useSyncExternalStore } from 'react';

export type Route = { view: 'overview' } | { view: 'alerts' } | { view: 'agents' } | { view: 'explore' } | { view: 'broker' } | { view: 'host'; name: string } | { view: 'none' };

/** Which view stands at a path. */
export function routeOf(path: string): Route {
  if (path === '/') return { view: 'overview' };
  if (/^\/alerts\/?$/.test(path)) return { view: 'alerts' };
  if (/^\/agents\/?$/.test(path)) return { view: 'agents' };
  if (/^\/explore\/?$/.test(path)) return { view: 'explore' };
  if (/^\/broker\/?$/.test(path)) return { view: 'broker' };
  const host = /^\/hosts\/([^/]+)\/?$/.exec(path)?.[1];
  if (host === undefined) return { view: 'none' };
  try {
    return { view: 'host', name: decodeURIComponent(host) };
  } catch {
    return { view: 'none' };
  }
}

export const hostPath = (name: string): string => `/hosts/${encodeURIComponent(name)}`;

const listeners = new Set<() => void>();
const notify = () => {
  for (const f of listeners) f();
};

function subscribe(f: () => void): () => void {
  if (listeners.size === 0) addEventListener('popstate', notify);
  listeners.add(f);
  return () => {
    listeners.delete(f);
    if (listeners.size === 0) removeEventListener('popstate', notify);
  };
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

/** The query of the address, and how to change some of its keys; null removes one. */
export function useQuery(): [URLSearchParams, (change: Record<string, string | null>, push?: boolean) => void] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  return [new URLSearchParams(search), changeQuery];
}

function changeQuery(change: Record<string, string | null>, push = false): void {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(change)) {
    if (value === null) query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : ''), push);
}

export function go(url: string, push = true): void {
  history[push ? 'pushState' : 'replaceState'](null, '', url);
  notify();
}
