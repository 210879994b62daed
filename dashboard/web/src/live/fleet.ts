import { useSyncExternalStore } from 'react';
import type { KnownHost } from '../api';
import type { Num, Row } from './events';

/** How many values a sparkline has. */
export const sparkPoints = 60;

export interface Spark {
  end: number; // the step of the newest value
  values: Num[];
}

/** A host on the overview. heard is false as long as only the collector has named it. */
export interface FleetHost extends Omit<Row, 'spark'> {
  heard: boolean;
  spark: Spark;
}

/** How long a value of a sparkline stands for, in milliseconds. */
export const sparkStep = 5_000;

/** Puts a value in its step, with nulls for steps that had none. */
export function advance(spark: Spark, time: number, value: Num): Spark {
  const step = Math.floor(time / sparkStep);
  if (value === null || step < spark.end) return spark;
  const missed = spark.values.length === 0 ? 0 : Math.min(step - spark.end, sparkPoints);
  const values = missed === 0 && spark.values.length > 0 ? spark.values.slice(0, -1) : spark.values.slice();
  for (let i = 1; i < missed; i++) values.push(null);
  values.push(value);
  return { end: step, values: values.slice(-sparkPoints) };
}

function sparkOf(row: Row): Spark {
  if (!row.spark) return { end: 0, values: [] };
  return { end: Math.floor(row.spark.end / row.spark.step), values: row.spark.cpu };
}

function unheard(host: KnownHost): FleetHost {
  return {
    name: host.name,
    group: host.group,
    seen: Date.parse(host.last_seen) || 0,
    interval: host.interval_seconds * 1000,
    silent: host.silent,
    cpu: null,
    memory: null,
    disk: null,
    disk_at: '',
    load: null,
    cores: 0,
    receive: null,
    transmit: null,
    heard: false,
    spark: { end: 0, values: [] },
  };
}

/**
 * Every host that is known, as it last reported. Changes are announced once per
 * frame of the browser: those of a host to its row, all to whoever counts.
 */
export class Fleet {
  private readonly hosts = new Map<string, FleetHost>();
  private labels = new Map<string, Record<string, string>>(); // that agents have said
  private readonly rows = new Map<string, Set<() => void>>();
  private readonly all = new Set<() => void>();
  private readonly dirty = new Set<string>();
  private version = 0;
  private scheduled = false;
  private started = false;
  private readonly schedule: (f: () => void) => void;

  constructor(schedule: (f: () => void) => void) {
    this.schedule = schedule;
  }

  list(): FleetHost[] {
    return [...this.hosts.values()];
  }

  get(name: string): FleetHost | undefined {
    return this.hosts.get(name);
  }

  labelsOf = (name: string): Record<string, string> => this.labels.get(name) ?? {};

  /** Whether the first snapshot has come. */
  ready(): boolean {
    return this.started;
  }

  /** Replaces what the stream said before; what only the collector knows stays. */
  replace(rows: Row[]): void {
    this.started = true;
    const named = new Set(rows.map((r) => r.name));
    for (const host of this.hosts.values()) {
      if (host.heard && !named.has(host.name)) this.set({ ...host, heard: false });
    }
    for (const row of rows) this.set({ ...row, heard: true, spark: sparkOf(row) });
    this.announce();
  }

  update(rows: Row[]): void {
    for (const row of rows) {
      const before = this.hosts.get(row.name)?.spark ?? { end: 0, values: [] };
      this.set({ ...row, heard: true, spark: row.silent ? before : advance(before, row.seen, row.cpu) });
    }
    this.announce();
  }

  /** Adds hosts that the stream has not named, and drops those that nobody knows any more. */
  merge(known: KnownHost[]): void {
    const named = new Set(known.map((h) => h.name));
    for (const host of this.hosts.values()) {
      if (!host.heard && !named.has(host.name)) this.hosts.delete(host.name);
    }
    this.labels = new Map(known.map((h) => [h.name, h.agent?.labels ?? {}]));
    for (const host of known) {
      if (!this.hosts.get(host.name)?.heard) this.set(unheard(host));
    }
    this.announce();
  }

  subscribe(f: () => void): () => void {
    this.all.add(f);
    return () => this.all.delete(f);
  }

  subscribeRow(name: string, f: () => void): () => void {
    const row = this.rows.get(name) ?? new Set();
    this.rows.set(name, row.add(f));
    return () => {
      row.delete(f);
      if (row.size === 0) this.rows.delete(name);
    };
  }

  readonly current = (): number => this.version;

  private set(host: FleetHost): void {
    this.hosts.set(host.name, host);
    this.dirty.add(host.name);
  }

  private announce(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.schedule(() => this.flush());
  }

  private flush(): void {
    this.scheduled = false;
    this.version++;
    for (const name of this.dirty) for (const f of this.rows.get(name) ?? []) f();
    this.dirty.clear();
    for (const f of this.all) f();
  }
}

export const fleet = new Fleet((f) => (document.hidden ? setTimeout(f, 250) : requestAnimationFrame(f)));

export function useFleetHost(name: string): FleetHost | undefined {
  return useSyncExternalStore(
    (f) => fleet.subscribeRow(name, f),
    () => fleet.get(name),
  );
}

/** Draws the component anew whenever any host changes. */
export function useFleet(): Fleet {
  useSyncExternalStore((f) => fleet.subscribe(f), fleet.current);
  return fleet;
}
