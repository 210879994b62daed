import { useCallback, useEffect, useState } from 'react';
import { AlertList, hostOf, useAlerts } from '../alerts';
import { knownHosts, type KnownHost } from '../api';
import { panels } from '../chart/panels';
import { TimePicker } from '../chart/picker';
import { rangeOf, useStableRange } from '../chart/timerange';
import { clock, duration } from '../format';
import { useLocale } from '../i18n';
import { Bell } from '../icons';
import { Link } from '../link';
import { useNow } from '../live/clock';
import type { HostFeed } from '../live/host';
import { useHostFeed } from '../live/host';
import { usePoll } from '../live/poll';
import { Notice } from '../notice';
import { useQuery } from '../route';
import { Filesystems } from './filesystems';
import { HostFigures, HostHeader } from './header';
import { PanelView } from './panel';

/** How long history waits for the stream to say how often the host reports. */
const patience = 1500;
const usualInterval = 10_000;

/** Everything about one host. */
export function HostPage({ name }: { name: string }) {
  const feed = useHostFeed(name);
  const known = useKnown(name);
  const waited = useWaited(feed);
  useEffect(() => {
    document.title = `${name} · thump`;
  }, [name]);
  if (feed.ready && feed.row === null && known === 'unknown') return <UnknownHost name={name} />;
  const heard = typeof known === 'object' ? known : null;
  const interval = feed.row?.interval || (heard ? heard.interval_seconds * 1000 : 0) || usualInterval;
  return (
    <>
      <HostHeader name={name} row={feed.row} feed={feed} group={feed.row?.group ?? heard?.group ?? ''} />
      <SilentNotice feed={feed} known={heard} />
      <HostFigures row={feed.row} />
      <HostAlerts name={name} />
      {(feed.ready || waited) && <Plots name={name} feed={feed} interval={interval} />}
    </>
  );
}

type Known = KnownHost | 'unknown' | 'asking';

/** What the collector knows of the host. */
function useKnown(name: string): Known {
  const ask = useCallback(
    async (signal: AbortSignal): Promise<Known> => (await knownHosts(signal)).find((h) => h.name === name) ?? 'unknown',
    [name],
  );
  return usePoll(ask, 15_000).data ?? 'asking';
}

function useWaited(feed: HostFeed): boolean {
  const [waited, setWaited] = useState(false);
  useEffect(() => {
    setWaited(false);
    const timer = setTimeout(() => setWaited(true), patience);
    return () => clearTimeout(timer);
  }, [feed]);
  return waited;
}

function UnknownHost({ name }: { name: string }) {
  const { t } = useLocale();
  return (
    <section className="panel empty" role="status" data-testid="unknown-host">
      <h2>{t('unknownHost', { name })}</h2>
      <Link href="/">{t('back')}</Link>
    </section>
  );
}

function SilentNotice({ feed, known }: { feed: HostFeed; known: KnownHost | null }) {
  const { t } = useLocale();
  const now = useNow();
  const silent = feed.row ? feed.row.silent : (known?.silent ?? false);
  if (!silent) return null;
  const seen = feed.row?.seen ?? Date.parse(known?.last_seen ?? '');
  return (
    <Notice tone="bad" testId="silent-notice" title={t('hostSilent', { t: duration(now - seen) })}>
      {t('hostSilentHint')} ({clock(seen, now)})
    </Notice>
  );
}

function HostAlerts({ name }: { name: string }) {
  const { t } = useLocale();
  const { data } = useAlerts();
  const own = (data ?? []).filter((a) => hostOf(a) === name);
  if (own.length === 0) return null;
  return (
    <section className="panel firing" aria-labelledby="host-alerts-title">
      <h2 id="host-alerts-title">
        <Bell /> {t('firingNow')}
      </h2>
      <AlertList alerts={own} withHost={false} />
    </section>
  );
}

function Plots({ name, feed, interval }: { name: string; feed: HostFeed; interval: number }) {
  const [query, change] = useQuery();
  const { range, key } = rangeOf(query);
  const stable = useStableRange(range);
  const zoom = useCallback(
    (from: number, to: number) => change({ from: String(from), to: String(to) }, true),
    [change],
  );
  const reset = useCallback(() => change({ from: null, to: null }), [change]);
  const [begins, setBegins] = useState<Record<string, number>>({});
  const onEarliest = useCallback((panel: string, time: number) => setBegins((b) => ({ ...b, [panel]: time })), []);
  const earliest = Math.min(...Object.values(begins));
  return (
    <>
      <div className="toolbar">
        <TimePicker range={range} chosen={key} onChoose={(k) => change({ range: k, from: null, to: null })} onFix={zoom} onReset={reset} />
      </div>
      <div className="plots">
        {panels.map((p) => (
          <PanelView
            key={p.id}
            panel={p}
            host={name}
            feed={feed}
            range={stable}
            interval={feed.intervals[p.probe] ?? interval}
            earliest={earliest}
            onEarliest={onEarliest}
            onZoom={zoom}
            onReset={reset}
          />
        ))}
        <Filesystems series={feed.series} />
      </div>
    </>
  );
}
