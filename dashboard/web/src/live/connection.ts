import { useSyncExternalStore } from 'react';

/** live: data flows; cut: the server has no broker; offline: no server. */
export type State = 'connecting' | 'live' | 'cut' | 'offline';

/** A cut shorter than this is not worth alarming anyone. */
const patience = 2_000;

/** How the page stands to the server. One stream is open at a time. */
class Connection {
  private state: State = 'connecting';
  private linkUp = true;
  private skew = 0; // server's clock minus ours
  private fresh = 0; // server's time when data last flowed
  private next: State = 'connecting';
  private pending: ReturnType<typeof setTimeout> | undefined;
  private readonly listeners = new Set<() => void>();

  readonly subscribe = (f: () => void): (() => void) => {
    this.listeners.add(f);
    return () => this.listeners.delete(f);
  };
  readonly current = (): State => this.state;

  /** The server's time now, in milliseconds. */
  now(): number {
    return Date.now() + this.skew;
  }

  /** When what is on the page was last known to be true. */
  freshAt(): number {
    return this.state === 'live' ? this.now() : this.fresh;
  }

  open(now: number, linkUp: boolean): void {
    this.skew = now - Date.now();
    this.fresh ||= now;
    this.link(linkUp);
  }

  pulse(now: number): void {
    this.skew = now - Date.now();
    if (this.linkUp) {
      this.fresh = now;
      this.become('live');
    }
  }

  link(up: boolean): void {
    this.linkUp = up;
    if (up) this.become('live');
    else this.soon('cut');
  }

  lost(): void {
    this.soon('offline');
  }

  /** The first fault starts the wait; what is said meanwhile does not prolong it. */
  private soon(state: State): void {
    this.next = state;
    if (this.state === state || this.pending !== undefined) return;
    this.pending = setTimeout(() => this.become(this.next), patience);
  }

  private become(state: State): void {
    clearTimeout(this.pending);
    this.pending = undefined;
    if (this.state === state) return;
    this.state = state;
    for (const f of this.listeners) f();
  }
}

export const connection = new Connection();

export const useConnection = (): State => useSyncExternalStore(connection.subscribe, connection.current);
