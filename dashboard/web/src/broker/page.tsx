import { SegmentedControl, Skeleton } from '@mantine/core';
import { useEffect } from 'react';
import './broker.css';
import { bytes, count, perSecond } from '../format';
import { useLocale, type TextKey } from '../i18n';
import { usePoll } from '../live/poll';
import { useConnected } from '../live/stream';
import { Notice } from '../notice';
import { useQuery } from '../route';
import { askBroker, type Broker } from './api';
import { flowOf } from './flow';
import { FlowPicture } from './picture';
import { BrokerTable, tabs, type Tab } from './tables';

const every = 5_000;

/** The broker from the inside, thump's or RabbitMQ's: what flows, what waits, who is connected. */
export default function BrokerPage() {
  const { t } = useLocale();
  useConnected();
  const { data: broker, error } = usePoll(askBroker, every);
  useEffect(() => {
    document.title = `thump · ${t('broker')}`;
  }, [t]);
  return (
    <>
      {error !== null && (
        <Notice urgent tone="bad" testId="load-error" title={t('brokerFailed')}>
          {error}
        </Notice>
      )}
      {broker ? <Shown broker={broker} /> : error === null && <Skeleton height={320} radius="md" />}
    </>
  );
}

function Shown({ broker }: { broker: Broker }) {
  const { t } = useLocale();
  const [query, change] = useQuery();
  const tab = tabs.find((name) => name === query.get('tab')) ?? 'queues';
  const flow = flowOf(broker);
  return (
    <>
      <Alarms broker={broker} />
      <Totals broker={broker} />
      {flow && (
        <section className="panel flow-panel" aria-labelledby="flow-title">
          <h2 id="flow-title">{t('flow')}</h2>
          <FlowPicture flow={flow} />
        </section>
      )}
      <section aria-label={t('broker')}>
        <div className="toolbar">
          <div className="scroll">
            <SegmentedControl
              aria-label={t('view')}
              data-testid="broker-tab"
              size="sm"
              value={tab}
              onChange={(v) => change({ tab: v === 'queues' ? null : v })}
              data={tabs.map((name) => ({ value: name, label: `${t(name)} ${counted(broker, name)}` }))}
            />
          </div>
          <span className="spacer" />
          <span className="dim">{productOf(broker)}</span>
        </div>
        <BrokerTable tab={tab} broker={broker} />
      </section>
    </>
  );
}

const counted = (broker: Broker, tab: Tab): number =>
  tab === 'bindings' ? broker.bindings.filter((b) => b.source !== '').length : broker[tab].length;

/** The built-in broker speaks as a RabbitMQ does, and says besides what it is. */
function productOf({ overview: o }: Broker): string {
  return o.thump_version === undefined ? `${o.product_name} ${o.product_version} · ${o.node}` : `thump ${o.thump_version} · ${o.node}`;
}

function Alarms({ broker }: { broker: Broker }) {
  const { t } = useLocale();
  const raised = broker.nodes.flatMap((n): TextKey[] => [
    ...(n.mem_alarm ? (['memoryAlarm'] as const) : []),
    ...(n.disk_free_alarm ? (['diskAlarm'] as const) : []),
  ]);
  return [...new Set(raised)].map((alarm) => (
    <Notice key={alarm} urgent tone="bad" testId={alarm} title={t(alarm)}>
      {t('alarmHint')}
    </Notice>
  ));
}

function Totals({ broker: { overview, nodes } }: { broker: Broker }) {
  const { t } = useLocale();
  const { queue_totals: totals, object_totals: objects, message_stats: stats } = overview;
  const memory = nodes.reduce((sum, n) => sum + (n.mem_used ?? 0), 0);
  const free = Math.min(...nodes.map((n) => n.disk_free ?? Number.POSITIVE_INFINITY));
  return (
    <section className="totals" aria-label={t('overview')}>
      <Total id="publish" name={t('published')} value={perSecond(stats?.publish_details?.rate ?? 0)} hint={t('messagesPerSecond')} />
      <Total id="deliver" name={t('delivered')} value={perSecond(stats?.deliver_get_details?.rate ?? 0)} hint={t('messagesPerSecond')} />
      <Total
        id="ready"
        name={t('ready')}
        value={count(totals.messages_ready ?? 0)}
        hint={t('unackedN', { n: count(totals.messages_unacknowledged ?? 0) })}
      />
      <Total
        id="memory"
        name={t('memory')}
        value={bytes(memory)}
        hint={`${t('diskFree', { size: bytes(free) })} · ${t('connectionsN', { n: objects.connections })}`}
      />
    </section>
  );
}

function Total({ id, name, value, hint }: { id: string; name: string; value: string; hint: string }) {
  return (
    <div className="total panel" data-testid={`broker-${id}`}>
      <span className="total-name">{name}</span>
      <span className="total-value num">{value}</span>
      <span className="total-hint">{hint}</span>
    </div>
  );
}
