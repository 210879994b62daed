import { useEffect } from 'react';
import type { Handlers, HostSnapshot, OverviewSnapshot, Pulse, Row, Samples } from './events';
import { connection } from './connection';

/** How long a hidden page keeps its stream: a browser has few connections to one server. */
const hiddenFor = 60_000;
/** The server sends a pulse every second: without one for this long it is gone. */
const pulseWithin = 6_000;
const retryEvery = 3_000;

/**
 * Follows /api/live, of one host or all, until the returned function is called.
 * After anything that ends the stream it connects again; the server then begins
 * with a snapshot.
 */
export function follow(host: string | null, on: Handlers): () => void {
  const url = host === null ? '/api/live' : `/api/live?host=${encodeURIComponent(host)}`;
  let source: EventSource | null = null;
  let heard = Date.now();
  let hidden: ReturnType<typeof setTimeout> | undefined;

  function open(): void {
    heard = Date.now();
    source = new EventSource(url);
    listen<OverviewSnapshot | HostSnapshot>('snapshot', (s) => {
      connection.open(s.now, s.link);
      on.snapshot?.(s);
    });
    listen<{ hosts: Row[] }>('hosts', (e) => on.hosts?.(e.hosts));
    listen<Samples>('samples', (e) => on.samples?.(e));
    listen<{ up: boolean }>('link', (e) => connection.link(e.up));
    listen<Pulse>('pulse', (p) => {
      connection.pulse(p.now);
      on.pulse?.(p);
    });
    source.onerror = () => connection.lost();
  }

  function listen<T>(event: string, handle: (data: T) => void): void {
    source?.addEventListener(event, (e: MessageEvent<string>) => {
      heard = Date.now();
      handle(JSON.parse(e.data) as T);
    });
  }

  function close(): void {
    source?.close();
    source = null;
  }

  // A refused request ends an EventSource for good, and a link that has died
  // without a word is not noticed by it at all.
  const watch = setInterval(() => {
    if (source === null) return;
    const dead = Date.now() - heard > pulseWithin;
    if (dead) connection.lost();
    if (dead || source.readyState === EventSource.CLOSED) {
      close();
      open();
    }
  }, retryEvery);

  function visibility(): void {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(close, hiddenFor);
    else if (source === null) open();
  }

  document.addEventListener('visibilitychange', visibility);
  open();
  return () => {
    clearInterval(watch);
    clearTimeout(hidden);
    document.removeEventListener('visibilitychange', visibility);
    close();
  };
}

/** Keeps the clock and the state of the connection true on a view that shows nothing live. */
export function useConnected(): void {
  useEffect(() => follow(null, {}), []);
}
