import type { ReactNode } from 'react';
import { bytes, bytesPerSecond, count, perSecond, unknown } from '../format';
import { useLocale, type TextKey, type Translate } from '../i18n';
import { Scroll } from '../scroll';
import type { Broker } from './api';

/** A table of the page: what it lists, and the columns of a row. */
interface Listing<T> {
  heads: readonly TextKey[];
  rows: readonly T[];
  cells: (row: T, t: Translate) => ReactNode[];
  /** Columns of numbers stand from here on at the right. */
  numbersFrom: number;
}

export const tabs = ['queues', 'exchanges', 'bindings', 'connections', 'channels'] as const;
export type Tab = (typeof tabs)[number];

/** More rows than this nobody reads. */
const mostRows = 500;

const rate = (d: { rate: number } | undefined): string => perSecond(d?.rate ?? 0);
const yes = (b: boolean | undefined): string => (b ? '✓' : '');
const named = (name: string, vhost: string): ReactNode => (
  <>
    <span className="mono">{name || '(default)'}</span> {vhost !== '/' && <span className="dim">{vhost}</span>}
  </>
);

function queues({ queues }: Broker): Listing<Broker['queues'][number]> {
  return {
    heads: ['queue', 'kind', 'durable', 'ready', 'unacked', 'consumers', 'inRate', 'outRate', 'size'],
    numbersFrom: 3,
    rows: queues.toSorted((a, b) => (b.messages_ready ?? 0) - (a.messages_ready ?? 0) || a.name.localeCompare(b.name)),
    cells: (q) => [
      named(q.name, q.vhost),
      q.type ?? unknown,
      yes(q.durable),
      count(q.messages_ready),
      count(q.messages_unacknowledged),
      count(q.consumers),
      rate(q.message_stats?.publish_details),
      rate(q.message_stats?.deliver_get_details),
      bytes(q.message_bytes_ready ?? q.memory),
    ],
  };
}

function exchanges({ exchanges }: Broker): Listing<Broker['exchanges'][number]> {
  return {
    heads: ['exchange', 'kind', 'durable', 'inRate', 'outRate'],
    numbersFrom: 3,
    rows: exchanges,
    cells: (e) => [
      named(e.name, e.vhost),
      e.type,
      yes(e.durable),
      rate(e.message_stats?.publish_in_details),
      rate(e.message_stats?.publish_out_details),
    ],
  };
}

function bindings({ bindings }: Broker): Listing<Broker['bindings'][number]> {
  return {
    heads: ['source', 'routingKey', 'destination'],
    numbersFrom: 9,
    rows: bindings.filter((b) => b.source !== ''), // the default exchange has every queue
    cells: (b, t) => [
      named(b.source, b.vhost),
      <span className="mono">{b.routing_key}</span>,
      <>
        <span className="mono">{b.destination}</span> <span className="dim">{t(b.destination_type)}</span>
      </>,
    ],
  };
}

function connections({ connections }: Broker): Listing<Broker['connections'][number]> {
  return {
    heads: ['connection', 'client', 'user', 'state', 'tls', 'channels', 'fromClient', 'toClient'],
    numbersFrom: 5,
    rows: connections,
    cells: (c) => [
      named(c.name, c.vhost),
      c.client_properties?.connection_name ?? c.client_properties?.product ?? unknown,
      c.user,
      c.state ?? unknown,
      yes(c.ssl),
      count(c.channels),
      bytesPerSecond(c.recv_oct_details?.rate ?? 0),
      bytesPerSecond(c.send_oct_details?.rate ?? 0),
    ],
  };
}

function channels({ channels }: Broker): Listing<Broker['channels'][number]> {
  return {
    heads: ['channel', 'user', 'confirms', 'prefetch', 'consumers', 'unacked', 'unconfirmed', 'inRate', 'outRate'],
    numbersFrom: 3,
    rows: channels,
    cells: (c) => [
      named(c.name, c.vhost),
      c.user,
      yes(c.confirm),
      count(c.prefetch_count),
      count(c.consumer_count),
      count(c.messages_unacknowledged),
      count(c.messages_unconfirmed),
      rate(c.message_stats?.publish_details),
      rate(c.message_stats?.deliver_get_details),
    ],
  };
}

/** The table of a tab. */
export function BrokerTable({ tab, broker }: { tab: Tab; broker: Broker }) {
  switch (tab) {
    case 'queues':
      return <Table tab={tab} {...queues(broker)} />;
    case 'exchanges':
      return <Table tab={tab} {...exchanges(broker)} />;
    case 'bindings':
      return <Table tab={tab} {...bindings(broker)} />;
    case 'connections':
      return <Table tab={tab} {...connections(broker)} />;
    case 'channels':
      return <Table tab={tab} {...channels(broker)} />;
  }
}

function Table<T>({ tab, heads, rows, cells, numbersFrom }: Listing<T> & { tab: Tab }) {
  const { t } = useLocale();
  const side = (i: number) => (i >= numbersFrom ? 'num right' : undefined);
  return (
    <Scroll label={t(tab)} className="panel">
      <table className="listing" data-testid={`table-${tab}`}>
        <thead>
          <tr>
            {heads.map((h, i) => (
              <th key={h} scope="col" className={side(i)}>
                {t(h)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, mostRows).map((row, n) => (
            <tr key={n} data-testid="listing-row">
              {cells(row, t).map((c, i) => (
                <td key={heads[i]} className={side(i)}>
                  {c}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > mostRows && <p className="dim values-left">{t('rowsMore', { n: rows.length - mostRows })}</p>}
    </Scroll>
  );
}
