import { memo } from 'react';
import { bytesPerSecond, clock, duration, percent, short, unknown } from '../format';
import { useLocale, type Translate } from '../i18n';
import { Link } from '../link';
import { useClock } from '../live/clock';
import { useFleetHost, type FleetHost } from '../live/fleet';
import type { Num } from '../live/events';
import { Meter } from '../meter';
import { hostPath } from '../route';
import { HostStatus, stateOf } from '../status';
import { Sparkline } from './sparkline';

/** One host: a row of the table, or a card on a narrow screen. */
export const HostRow = memo(function HostRow({ name, alerts }: { name: string; alerts: number }) {
  const host = useFleetHost(name);
  if (!host) return null;
  const state = stateOf(host);
  return (
    <tr role="row" className="row" data-testid="host-row" data-host={name} data-state={state}>
      <td role="cell" className="c-name">
        <HostStatus host={host} />
        <span className="names">
          <Link href={hostPath(name)} className="host-link">
            {name}
          </Link>
          <span className="group">{host.group}</span>
        </span>
      </td>
      <Gauge column="cpu" ratio={host.cpu} title="node_cpu_seconds_total" />
      <td role="cell" className="c-spark">
        <Spark host={host} />
      </td>
      <Gauge column="memory" ratio={host.memory} title="node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes" />
      <Gauge column="disk" ratio={host.disk} title={`${host.disk_at} · node_filesystem_avail_bytes / node_filesystem_size_bytes`} />
      <Network host={host} />
      <td role="cell" className="c-load num" data-testid="load-value" title="node_load1">
        <Caption column="load" />
        {short(host.load)}
      </td>
      <td role="cell" className="c-alerts num" data-testid="alerts-value">
        <Caption column="alerts" />
        {alerts > 0 ? <span className="alert-count">{alerts}</span> : <span className="dim">0</span>}
      </td>
      <LastSeen host={host} />
    </tr>
  );
});

/** The column's name, seen only where there is no head: on cards. */
function Caption({ column }: { column: 'cpu' | 'memory' | 'disk' | 'network' | 'load' | 'alerts' | 'lastSeen' }) {
  return <span className="caption">{useLocale().t(column)}</span>;
}

function Gauge({ column, ratio, title }: { column: 'cpu' | 'memory' | 'disk'; ratio: Num; title: string }) {
  return (
    <td role="cell" className={`c-${column}`} title={title}>
      <Caption column={column} />
      <span className="num" data-testid={`${column}-value`}>
        {percent(ratio)}
      </span>
      <Meter ratio={ratio} />
    </td>
  );
}

function Network({ host }: { host: FleetHost }) {
  return (
    <td role="cell" className="c-network num" title="node_network_receive_bytes_total · node_network_transmit_bytes_total">
      <Caption column="network" />
      <span data-testid="receive-value">
        <i aria-hidden="true">↓</i>
        {bytesPerSecond(host.receive)}
      </span>
      <span data-testid="transmit-value">
        <i aria-hidden="true">↑</i>
        {bytesPerSecond(host.transmit)}
      </span>
    </td>
  );
}

function Spark({ host }: { host: FleetHost }) {
  const { t } = useLocale();
  return <Sparkline spark={host.spark} interval={host.interval} label={`${t('cpu')}, ${t('last5m')}`} />;
}

function LastSeen({ host }: { host: FleetHost }) {
  const { t } = useLocale();
  const text = useClock((now) => seenText(host, now, t));
  return (
    <td role="cell" className="c-seen num" data-testid="seen-value" title={host.seen ? clock(host.seen) : ''}>
      <Caption column="lastSeen" />
      {text}
    </td>
  );
}

/** A host that reports in time was seen now, which spares everyone the counting. */
function seenText({ seen, interval, silent }: FleetHost, now: number, t: Translate): string {
  if (seen === 0) return unknown;
  const age = Math.max(0, now - seen);
  return age < interval + 2000 && !silent ? t('now') : t('ago', { t: duration(age) });
}
