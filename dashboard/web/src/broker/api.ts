import { getJson } from '../api';

/** A count that grows, with its rate per second. */
interface Details {
  rate: number;
}

/** Counts of messages; what never happened may be missing. */
interface Stats {
  publish_details?: Details;
  publish_in_details?: Details;
  publish_out_details?: Details;
  deliver_get_details?: Details;
  ack_details?: Details;
  redeliver_details?: Details;
}

export interface BrokerOverview {
  product_name: string;
  product_version: string;
  thump_version?: string;
  node: string;
  queue_totals: { messages_ready?: number; messages_unacknowledged?: number };
  object_totals: { connections: number; channels: number; consumers: number; queues: number; exchanges: number };
  message_stats?: Stats;
}

export interface Queue {
  name: string;
  vhost: string;
  type?: string;
  durable: boolean;
  exclusive: boolean;
  state?: string;
  consumers?: number;
  messages_ready?: number;
  messages_unacknowledged?: number;
  /** RabbitMQ counts the whole of a queue in memory, the built-in broker the bodies that wait. */
  memory?: number;
  message_bytes_ready?: number;
  message_stats?: Stats;
}

export interface Exchange {
  name: string;
  vhost: string;
  type: string;
  durable: boolean;
  message_stats?: Stats;
}

export interface Binding {
  source: string;
  vhost: string;
  destination: string;
  destination_type: 'queue' | 'exchange';
  routing_key: string;
}

export interface Connection {
  name: string;
  vhost: string;
  user: string;
  state?: string;
  channels?: number;
  ssl?: boolean;
  recv_oct_details?: Details;
  send_oct_details?: Details;
  client_properties?: { connection_name?: string; product?: string; platform?: string };
}

export interface Channel {
  name: string;
  vhost: string;
  user: string;
  confirm?: boolean;
  prefetch_count?: number;
  consumer_count?: number;
  messages_unacknowledged?: number;
  messages_unconfirmed?: number;
  message_stats?: Stats;
}

export interface Consumer {
  consumer_tag: string;
  queue: { name: string; vhost: string };
  channel_details: { connection_name: string };
}

export interface Node {
  name: string;
  mem_used?: number;
  mem_limit?: number;
  mem_alarm?: boolean;
  disk_free?: number;
  disk_free_alarm?: boolean;
  fd_used?: number;
  fd_total?: number;
}

/** Everything that the page shows, asked for together. */
export interface Broker {
  overview: BrokerOverview;
  nodes: Node[];
  queues: Queue[];
  exchanges: Exchange[];
  bindings: Binding[];
  connections: Connection[];
  channels: Channel[];
  consumers: Consumer[];
}

const list = <T>(name: string, signal: AbortSignal): Promise<T> => getJson(`/api/broker/${name}`, signal);

export async function askBroker(signal: AbortSignal): Promise<Broker> {
  const [overview, nodes, queues, exchanges, bindings, connections, channels, consumers] = await Promise.all([
    list<BrokerOverview>('overview', signal),
    list<Node[]>('nodes', signal),
    list<Queue[]>('queues', signal),
    list<Exchange[]>('exchanges', signal),
    list<Binding[]>('bindings', signal),
    list<Connection[]>('connections', signal),
    list<Channel[]>('channels', signal),
    list<Consumer[]>('consumers', signal),
  ]);
  return { overview, nodes, queues, exchanges, bindings, connections, channels, consumers };
}
