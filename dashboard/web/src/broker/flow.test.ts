import { expect, test } from 'vitest';
import type { Broker } from './api';
import { flowOf } from './flow';

const broker: Broker = {
  overview: { product_name: 'RabbitMQ', product_version: '4', node: 'n', queue_totals: {}, object_totals: { connections: 1, channels: 1, consumers: 1, queues: 7, exchanges: 2 } },
  nodes: [],
  exchanges: [{ name: 'thump.metrics', vhost: '/', type: 'fanout', durable: true, message_stats: { publish_in_details: { rate: 9 } } }],
  queues: ['thump.history', 'other', ...'abcdef'].map((name) => ({
    name: name.length === 1 ? `amq.gen-${name}` : name,
    vhost: '/',
    durable: true,
    exclusive: false,
    messages_ready: 3,
    messages_unacknowledged: 2,
    message_stats: { publish_details: { rate: 8 }, deliver_get_details: { rate: 7 } },
  })),
  bindings: [
    ...['thump.history', ...[...'abcdef'].map((c) => `amq.gen-${c}`)].map((destination) => ({
      source: 'thump.metrics', vhost: '/', destination, destination_type: 'queue' as const, routing_key: '',
    })),
    { source: 'thump.metrics', vhost: '/', destination: 'thump.metrics.topic', destination_type: 'exchange', routing_key: '' },
    { source: 'thump.metrics.topic', vhost: '/', destination: 'other', destination_type: 'queue', routing_key: '#' },
    { source: 'thump.metrics.topic', vhost: 'elsewhere', destination: 'x', destination_type: 'queue', routing_key: '#' },
  ],
  connections: [{ name: 'c1', vhost: '/', user: 'guest', client_properties: { connection_name: 'thump-collector' } }],
  channels: [],
  consumers: [{ consumer_tag: 't', queue: { name: 'thump.history', vhost: '/' }, channel_details: { connection_name: 'c1' } }],
};

test('the flow has what is bound to the exchange of metrics, and who reads it', () => {
  const flow = flowOf(broker);
  expect(flow?.source.rate).toBe(9);
  const history = flow?.branches.find((b) => b.station.name === 'thump.history');
  expect(history?.station).toMatchObject({ rate: 8, waiting: 3 });
  expect(history?.reader).toMatchObject({ name: 'thump-collector', rate: 7, waiting: 2 });
  expect(flow?.branches.map((b) => b.station.name)).not.toContain('other');
  expect(flow?.branches.find((b) => b.station.kind === 'exchange')?.reader.name).toBe('1');
  expect(flow?.left).toBe(2);
});

test('a broker without the exchange has no flow', () => {
  expect(flowOf({ ...broker, exchanges: [] })).toBeNull();
});
