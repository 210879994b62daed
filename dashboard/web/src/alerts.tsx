import { Anchor, Badge } from '@mantine/core';
import { createContext, useContext, useMemo, useState, type ReactNode } from 'react';
import { firingAlerts, type Alert } from './api';
import { clock, duration } from './format';
import { useLocale } from './i18n';
import { Link } from './link';
import { useNow } from './live/clock';
import { usePoll, type Polled } from './live/poll';
import { hostPath } from './route';

const refresh = 5_000;

export interface Alerts extends Polled<Alert[]> {
  byHost: ReadonlyMap<string, number>;
}

const AlertsContext = createContext<Alerts>({ data: null, error: null, refresh: () => undefined, byHost: new Map() });

export const useAlerts = (): Alerts => useContext(AlertsContext);

/** Asks for the alerts that fire now, for all that is inside. */
export function AlertsProvider({ children }: { children: ReactNode }) {
  const polled = usePoll(firingAlerts, refresh);
  const value = useMemo(() => ({ ...polled, byHost: countByHost(polled.data ?? []) }), [polled]);
  return <AlertsContext value={value}>{children}</AlertsContext>;
}

export const hostOf = (a: Alert): string => a.labels['instance'] ?? '';

export function countByHost(alerts: Alert[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const a of alerts) counts.set(hostOf(a), (counts.get(hostOf(a)) ?? 0) + 1);
  return counts;
}

const severities = ['critical', 'error', 'warning', 'info'];

/** The most severe first, then the newest. */
export function bySeverity(alerts: Alert[]): Alert[] {
  const rank = (a: Alert) => (severities.indexOf(a.labels['severity'] ?? '') + severities.length + 1) % (severities.length + 1);
  return [...alerts].sort((a, b) => rank(a) - rank(b) || Date.parse(b.startsAt) - Date.parse(a.startsAt));
}

export const severityColors: Record<string, string> = { critical: 'red', error: 'red', warning: 'orange', info: 'blue' };
const few = 5;

/** A list of alerts; the first few, and the rest when asked for. */
export function AlertList({ alerts, withHost }: { alerts: Alert[]; withHost: boolean }) {
  const { t } = useLocale();
  const [all, showAll] = useState(false);
  const listed = bySeverity(alerts);
  const hidden = all ? 0 : Math.max(0, listed.length - few);
  return (
    <ul className="alerts" data-testid="alert-list">
      {listed.slice(0, listed.length - hidden).map((a) => (
        <AlertItem key={a.fingerprint} alert={a} withHost={withHost} />
      ))}
      {hidden > 0 && (
        <li>
          <Anchor component="button" size="sm" onClick={() => showAll(true)}>
            {t('more', { n: hidden })}
          </Anchor>
        </li>
      )}
    </ul>
  );
}

function AlertItem({ alert, withHost }: { alert: Alert; withHost: boolean }) {
  const { t } = useLocale();
  const now = useNow(5);
  const since = Date.parse(alert.startsAt);
  const severity = alert.labels['severity'] ?? 'none';
  const host = hostOf(alert);
  return (
    <li data-testid="alert" data-alertname={alert.labels['alertname']} data-severity={severity}>
      <Badge color={severityColors[severity] ?? 'gray'} variant="light" size="sm" radius="sm" className="severity">
        {severity}
      </Badge>
      <span className="alert-what">
        <strong>{alert.labels['alertname']}</strong>
        {withHost && host && <Link href={hostPath(host)}>{host}</Link>}
        <span className="dim">{alert.annotations['summary'] ?? alert.annotations['description']}</span>
      </span>
      <time className="dim num" dateTime={alert.startsAt} title={t('since', { t: clock(since) })}>
        {duration(now - since)}
      </time>
    </li>
  );
}
