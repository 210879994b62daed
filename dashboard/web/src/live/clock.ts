import { useSyncExternalStore } from 'react';
import { connection } from './connection';

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;
let second = 0;

function subscribe(f: () => void): () => void {
  if (listeners.size === 0) timer = setInterval(tick, 1000);
  listeners.add(f);
  return () => {
    listeners.delete(f);
    if (listeners.size === 0) clearInterval(timer);
  };
}

function tick(): void {
  second = Math.floor(connection.now() / 1000);
  for (const f of listeners) f();
}

/**
 * What f makes of the server's time in milliseconds, asked every second; the
 * component is drawn anew when that is something else.
 */
export function useClock<T extends string | number>(f: (now: number) => T): T {
  second ||= Math.floor(connection.now() / 1000);
  return useSyncExternalStore(subscribe, () => f(second * 1000));
}

/** The server's time in milliseconds, in steps of some seconds. */
export function useNow(everySeconds = 1): number {
  const step = everySeconds * 1000;
  return useClock((now) => now - (now % step));
}
