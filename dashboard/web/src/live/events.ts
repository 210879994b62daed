/** The events of /api/live, as the Go package dashboard documents them. */

export type Num = number | null;

/** A host as the overview shows it. Times and interval are in milliseconds, ratios from 0 to 1. */
export interface Row {
  name: string;
  group: string;
  seen: number;
  interval: number;
  silent: boolean;
  cpu: Num;
  memory: Num;
  disk: Num;
  disk_at: string;
  load: Num;
  cores: number;
  receive: Num;
  transmit: Num;
  spark?: { end: number; step: number; cpu: Num[] };
}

export type Definition = [ref: number, name: string, labels: Record<string, string>];

export interface OverviewSnapshot {
  now: number;
  link: boolean;
  hosts: Row[];
}

export interface HostSnapshot {
  now: number;
  link: boolean;
  host: Row | null;
  /** How often each probe runs. */
  intervals: Record<string, number>;
  series: [...Definition, time: number, value: Num][];
}

export interface Samples {
  host: string;
  probe: string;
  interval: number;
  time: number;
  series: Definition[];
  values: Num[]; // ref, value, ref, value…
}

export interface Pulse {
  now: number;
  samples_per_second: number;
  hosts: number;
}

export interface Handlers {
  snapshot?: (s: OverviewSnapshot | HostSnapshot) => void;
  hosts?: (rows: Row[]) => void;
  samples?: (s: Samples) => void;
  pulse?: (p: Pulse) => void;
}
