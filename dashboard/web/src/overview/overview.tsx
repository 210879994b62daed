import { Button, SegmentedControl, Skeleton } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useEffect, useMemo, useRef, useState } from 'react';
import { AlertList, useAlerts } from '../alerts';
import { knownHosts } from '../api';
import { FilterInput } from '../filter';
import { Bell } from '../icons';
import { useLocale } from '../i18n';
import { useNow } from '../live/clock';
import type { OverviewSnapshot, Pulse } from '../live/events';
import { fleet, useFleet, type FleetHost } from '../live/fleet';
import { usePoll } from '../live/poll';
import { follow } from '../live/stream';
import { useQuery } from '../route';
import { HeatMap } from './heat';
import { filtered, orderOf, orderText, sorted, type Order } from './order';
import { HostTable, OrderSelect } from './table';
import { Totals, type Pulses } from './totals';
import { heatOf, heats, viewOf, views, type View } from './view';

const knownEvery = 15_000;
/** Rows change places this often only, so that one can follow them. */
const reorderSeconds = 5;

/** Every host at a glance. */
export function Overview() {
  const { t } = useLocale();
  const pulses = useStream();
  const { data: alerts, byHost } = useAlerts();
  const hosts = useFleet().list();
  useEffect(() => {
    document.title = `thump · ${t('overview')}`;
  }, [t]);
  return (
    <>
      <Totals hosts={hosts} pulses={pulses} />
      {alerts && alerts.length > 0 && (
        <section className="panel firing" aria-labelledby="firing-title">
          <h2 id="firing-title">
            <Bell /> {t('firingNow')}
          </h2>
          <AlertList alerts={alerts} withHost />
        </section>
      )}
      <Hosts hosts={hosts} alerts={byHost} />
    </>
  );
}

/** Keeps the fleet up to date while the overview is shown. */
function useStream(): Pulses {
  const listeners = useRef(new Set<(p: Pulse) => void>());
  useEffect(
    () =>
      follow(null, {
        snapshot: (s) => fleet.replace((s as OverviewSnapshot).hosts),
        hosts: (rows) => fleet.update(rows),
        pulse: (p) => {
          for (const f of listeners.current) f(p);
        },
      }),
    [],
  );
  const { data: known } = usePoll(knownHosts, knownEvery);
  useEffect(() => {
    if (known) fleet.merge(known);
  }, [known]);
  return useMemo(
    () => (f) => {
      listeners.current.add(f);
      return () => listeners.current.delete(f);
    },
    [],
  );
}

function Hosts({ hosts, alerts }: { hosts: FleetHost[]; alerts: ReadonlyMap<string, number> }) {
  const { t } = useLocale();
  const [query, change] = useQuery();
  const filter = query.get('q') ?? '';
  const order = orderOf(query.get('sort'));
  const view = viewOf(query.get('view'));
  const onOrder = (o: Order) => change({ sort: orderText(o) });
  const onFilter = (q: string) => change({ q: q || null });
  const shown = useShown(hosts, filter, order, alerts);
  if (!fleet.ready() && hosts.length === 0) return <Skeleton height={220} radius="md" />;
  if (hosts.length === 0) return <NoHosts />;
  return (
    <section aria-label={t('hosts')}>
      <div className="toolbar">
        <h2>{t('hosts')}</h2>
        <span className="dim num" data-testid="host-count">
          {t('shown', { n: shown.length, all: hosts.length })}
        </span>
        <ViewSwitch view={view} onView={(v) => change({ view: v === 'table' ? null : v })} />
        {view === 'heat' && (
          <SegmentedControl
            aria-label={t('heatBy')}
            data-testid="heat-by"
            size="sm"
            value={heatOf(query.get('heat'))}
            onChange={(h) => change({ heat: h === 'cpu' ? null : h })}
            data={heats.map((h) => ({ value: h, label: t(h) }))}
          />
        )}
        <FilterInput value={filter} onChange={onFilter} />
        {view !== 'heat' && <OrderSelect order={order} onOrder={onOrder} always={view === 'tiles'} />}
      </div>
      {shown.length === 0 ? (
        <NoMatch filter={filter} onClear={() => onFilter('')} />
      ) : view === 'heat' ? (
        <HeatMap hosts={shown} alerts={alerts} heat={heatOf(query.get('heat'))} />
      ) : (
        <Rows hosts={shown} alerts={alerts} order={order} onOrder={onOrder} tiles={view === 'tiles'} />
      )}
    </section>
  );
}

function ViewSwitch({ view, onView }: { view: View; onView: (view: View) => void }) {
  const { t } = useLocale();
  return (
    <SegmentedControl
      aria-label={t('view')}
      data-testid="host-view"
      size="sm"
      value={view}
      onChange={(v) => onView(viewOf(v))}
      data={views.map((v) => ({ value: v, label: t(v) }))}
    />
  );
}

function NoMatch({ filter, onClear }: { filter: string; onClear: () => void }) {
  const { t } = useLocale();
  return (
    <div className="panel empty">
      <p>{t('noMatch', { q: filter })}</p>
      <Button variant="light" onClick={onClear}>
        {t('clearFilter')}
      </Button>
    </div>
  );
}

/** The table; as cards where somebody wants tiles or the screen has no room for columns. */
function Rows({ tiles, ...rest }: Omit<Parameters<typeof HostTable>[0], 'cards'> & { tiles: boolean }) {
  const narrow = useMediaQuery('(width <= 760px)', false, { getInitialValueInEffect: false });
  return <HostTable {...rest} cards={tiles || narrow} />;
}

/** The hosts to show, put in order when something is asked for or added, and else every few seconds. */
function useShown(hosts: FleetHost[], filter: string, order: Order, alerts: ReadonlyMap<string, number>): FleetHost[] {
  const epoch = useNow(reorderSeconds);
  const latest = useRef({ hosts, alerts });
  latest.current = { hosts, alerts };
  const { column, descending } = order;
  return useMemo(
    () => sorted(filtered([...latest.current.hosts], filter, fleet.labelsOf), { column, descending }, latest.current.alerts),
    [filter, column, descending, hosts.length, epoch],
  );
}

/** Nothing has reported yet: say so, and how a host gets here. */
function NoHosts() {
  const { t } = useLocale();
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setSlow(true), 3000);
    return () => clearTimeout(timer);
  }, []);
  return (
    <section className="panel empty" data-testid="no-hosts" role="status">
      <span className="waiting-dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <h2>{t('waitingAgent')}</h2>
      <p style={{ visibility: slow ? 'visible' : 'hidden' }}>{t('waitingAgentHint')}</p>
      <code style={{ visibility: slow ? 'visible' : 'hidden' }}>thump-agent --bus amqp://guest:guest@{location.hostname}:5672/</code>
    </section>
  );
}
