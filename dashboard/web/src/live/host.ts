import { useEffect, useState, useSyncExternalStore } from 'react';
import type { HostSnapshot, Row } from './events';
import { HostSeries } from './series';
import { follow } from './stream';

export type FeedEvent =
  | { kind: 'snapshot' }
  | { kind: 'row' }
  | { kind: 'samples'; time: number; names: ReadonlySet<string> };

/** The live stream of one host: its series, its row, and what happens to them. */
export class HostFeed {
  readonly series = new HostSeries();
  row: Row | null = null;
  /** How often each probe runs, in milliseconds. */
  intervals: Record<string, number> = {};
  /** Whether the first snapshot has come. */
  ready = false;
  private version = 0;
  private readonly listeners = new Set<(e: FeedEvent) => void>();

  open(host: string): () => void {
    return follow(host, {
      snapshot: (s) => {
        const snapshot = s as HostSnapshot;
        this.series.replace(snapshot);
        this.row = snapshot.host;
        this.intervals = snapshot.intervals;
        this.ready = true;
        this.tell({ kind: 'snapshot' });
      },
      hosts: (rows) => {
        this.row = rows.find((r) => r.name === host) ?? this.row;
        this.tell({ kind: 'row' });
      },
      samples: (e) => {
        if (e.interval > 0) this.intervals[e.probe] = e.interval;
        this.tell({ kind: 'samples', time: e.time, names: this.series.apply(e) });
      },
    });
  }

  subscribe(f: (e: FeedEvent) => void): () => void {
    this.listeners.add(f);
    return () => this.listeners.delete(f);
  }

  readonly current = (): number => this.version;

  private tell(e: FeedEvent): void {
    this.version++;
    for (const f of this.listeners) f(e);
  }
}

/** Follows a host as long as the component is shown, which is drawn anew at each event. */
export function useHostFeed(host: string): HostFeed {
  const [feed, setFeed] = useState(() => new HostFeed());
  useEffect(() => {
    const next = new HostFeed();
    setFeed(next);
    return next.open(host);
  }, [host]);
  useSyncExternalStore((f) => feed.subscribe(f), feed.current);
  return feed;
}
