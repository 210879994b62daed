import type { Broker, Queue } from './api';

/** One station on the way of metrics. */
export interface Station {
  id: string;
  kind: 'publishers' | 'exchange' | 'queue' | 'subscriber' | 'taps';
  name: string;
  /** Messages per second that pass; null where nobody counts them. */
  rate: number | null;
  /** Messages that wait in a queue, or that its reader has not acknowledged yet. */
  waiting: number;
}

export interface Flow {
  publishers: Station;
  source: Station;
  /** What is bound to the source, each with who reads it. */
  branches: { station: Station; reader: Station }[];
  /** Queues with drawn names that are left out. */
  left: number;
}

const entry = 'thump.metrics';

/** More live views than this are not drawn one by one. */
const mostDrawn = 4;

const isDrawn = (q: Queue): boolean => q.name.startsWith('amq.gen-');

/** The way of metrics as the broker has it now; null without their exchange. */
export function flowOf(broker: Broker): Flow | null {
  const metrics = broker.exchanges.find((e) => e.name === entry);
  if (!metrics) return null;
  const { vhost } = metrics;
  const bound = broker.bindings.filter((b) => b.vhost === vhost && b.source === entry);
  const named = (kind: string) => new Set(bound.filter((b) => b.destination_type === kind).map((b) => b.destination));
  const queueNames = named('queue');
  const queues = broker.queues.filter((q) => q.vhost === vhost && queueNames.has(q.name)).sort((a, b) => a.name.localeCompare(b.name));
  const drawn = queues.filter(isDrawn);
  const shown = [...queues.filter((q) => !isDrawn(q)), ...drawn.slice(0, mostDrawn)];
  const rate = metrics.message_stats?.publish_in_details?.rate ?? 0;
  return {
    publishers: { id: 'in', kind: 'publishers', name: '', rate, waiting: 0 },
    source: { id: 'source', kind: 'exchange', name: entry, rate, waiting: 0 },
    branches: [
      ...shown.map((q) => queueBranch(q, readersOf(broker, q))),
      ...[...named('exchange')].map((name) => exchangeBranch(name, tapsOf(broker, vhost, name))),
    ],
    left: drawn.length - Math.min(drawn.length, mostDrawn),
  };
}

function queueBranch(q: Queue, readers: string[]): Flow['branches'][number] {
  return {
    station: {
      id: `queue ${q.name}`,
      kind: 'queue',
      name: q.name,
      rate: q.message_stats?.publish_details?.rate ?? 0,
      waiting: q.messages_ready ?? 0,
    },
    reader: {
      id: `reader ${q.name}`,
      kind: 'subscriber',
      name: readers.join(', '),
      rate: q.message_stats?.deliver_get_details?.rate ?? 0,
      waiting: q.messages_unacknowledged ?? 0,
    },
  };
}

function exchangeBranch(name: string, taps: number): Flow['branches'][number] {
  return {
    station: { id: `exchange ${name}`, kind: 'exchange', name, rate: null, waiting: 0 },
    reader: { id: `taps ${name}`, kind: 'taps', name: String(taps), rate: null, waiting: 0 },
  };
}

/** The connections that consume a queue, by the names they give themselves. */
function readersOf({ consumers, connections }: Broker, q: Queue): string[] {
  const nameOf = new Map(connections.map((c) => [c.name, c.client_properties?.connection_name ?? c.user]));
  const own = consumers.filter((c) => c.queue.name === q.name && c.queue.vhost === q.vhost);
  return [...new Set(own.map((c) => nameOf.get(c.channel_details.connection_name) ?? c.channel_details.connection_name))];
}

function tapsOf({ bindings }: Broker, vhost: string, exchange: string): number {
  return new Set(bindings.filter((b) => b.vhost === vhost && b.source === exchange).map((b) => b.destination)).size;
}
