import { useEffect, useState, type ReactNode } from 'react';
import { query } from '../api';
import { bytesPerSecond, duration, percent, short, unknown } from '../format';
import { useLocale } from '../i18n';
import { Back } from '../icons';
import { Link } from '../link';
import { useNow } from '../live/clock';
import type { Row } from '../live/events';
import type { HostFeed } from '../live/host';
import { Meter } from '../meter';
import { HostStatus } from '../status';

/** What a host says of itself once. */
interface About {
  system: string;
  boot: number | null; // milliseconds
  agent: string;
}

const nothing: About = { system: unknown, boot: null, agent: unknown };

function aboutOf(labelsOf: (metric: string) => Record<string, string> | undefined, boot: number | null): About {
  const uname = labelsOf('node_uname_info');
  return {
    system: uname ? [uname['sysname'], uname['release'], uname['machine']].filter(Boolean).join(' ') : unknown,
    boot: boot === null ? null : boot * 1000,
    agent: labelsOf('thump_agent_build_info')?.['version'] ?? unknown,
  };
}

/** From the stream, or from history for a host that is not heard. */
function useAbout(host: string, feed: HostFeed): About {
  const [old, setOld] = useState(nothing);
  const live = feed.series.named('node_uname_info').length > 0;
  useEffect(() => {
    setOld(nothing);
    if (live || !feed.ready) return;
    const abort = new AbortController();
    lastAbout(host, abort.signal).then(setOld, () => undefined); // the header shows a dash
    return () => abort.abort();
  }, [host, live, feed.ready]);
  if (!live) return old;
  return aboutOf((name) => feed.series.named(name)[0]?.labels, feed.series.value('node_boot_time_seconds'));
}

async function lastAbout(host: string, signal: AbortSignal): Promise<About> {
  const names = 'node_uname_info|thump_agent_build_info|node_boot_time_seconds';
  const found = await query(`last_over_time({__name__=~"${names}",instance=${JSON.stringify(host)}}[7d])`, signal);
  const named = (name: string) => found.find((s) => s.metric['__name__'] === name);
  const boot = named('node_boot_time_seconds')?.value[1];
  return aboutOf((name) => named(name)?.metric, boot === undefined ? null : Number(boot));
}

/** Name, state and the numbers of now. */
export function HostHeader({ name, row, feed, group }: { name: string; row: Row | null; feed: HostFeed; group: string }) {
  const { t } = useLocale();
  const about = useAbout(name, feed);
  const now = useNow(5);
  return (
    <header className="host-header">
      <Link href="/" className="back" aria-label={t('back')} title={t('back')}>
        <Back />
      </Link>
      <div className="host-title">
        <h1 data-testid="host-name">{name}</h1>
        {row && <HostStatus host={{ silent: row.silent, heard: true }} withText />}
        {group && <span className="group-badge">{group}</span>}
      </div>
      <dl className="about">
        <Fact name={t('kernel')} title="node_uname_info">
          {about.system}
          {row && row.cores > 0 && ` · ${t('cores', { n: row.cores })}`}
        </Fact>
        <Fact name={t('uptime')} title="node_boot_time_seconds">
          {about.boot === null ? unknown : duration(now - about.boot)}
        </Fact>
        <Fact name={t('agent')} title="thump_agent_build_info">
          {about.agent}
        </Fact>
      </dl>
    </header>
  );
}

function Fact({ name, title, children }: { name: string; title: string; children: ReactNode }) {
  return (
    <div title={title}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The numbers of the overview, large. */
export function HostFigures({ row }: { row: Row | null }) {
  const { t } = useLocale();
  return (
    <section className="totals figures" aria-label={t('status')}>
      <Figure id="cpu" name={t('cpu')} value={percent(row?.cpu)} ratio={row?.cpu ?? null} />
      <Figure id="memory" name={t('memory')} value={percent(row?.memory)} ratio={row?.memory ?? null} />
      <Figure id="disk" name={t('disk')} value={percent(row?.disk)} ratio={row?.disk ?? null} note={row?.disk_at} />
      <Figure id="load" name={t('load')} value={short(row?.load)} ratio={loadRatio(row)} />
      <div className="total panel" data-testid="figure-network">
        <span className="total-name">{t('network')}</span>
        <span className="total-value two num">
          <span data-testid="receive-value">
            <i aria-hidden="true">↓</i> {bytesPerSecond(row?.receive)}
          </span>
          <span data-testid="transmit-value">
            <i aria-hidden="true">↑</i> {bytesPerSecond(row?.transmit)}
          </span>
        </span>
      </div>
    </section>
  );
}

/** The load as a share of what the processors can do. */
function loadRatio(row: Row | null): number | null {
  return row?.load != null && row.cores > 0 ? row.load / row.cores : null;
}

interface FigureProps {
  id: string;
  name: string;
  value: string;
  ratio: number | null;
  note?: string | undefined;
}

function Figure({ id, name, value, ratio, note }: FigureProps) {
  return (
    <div className="total panel" data-testid={`figure-${id}`}>
      <span className="total-name">
        {name} {note && <span className="mono dim">{note}</span>}
      </span>
      <span className="total-value num" data-testid={`${id}-value`}>
        {value}
      </span>
      <Meter ratio={ratio} />
    </div>
  );
}
