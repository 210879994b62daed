import { Button, Skeleton } from '@mantine/core';
import { useEffect, useState } from 'react';
import { knownHosts, type KnownHost } from '../api';
import { FilterInput } from '../filter';
import { useLocale } from '../i18n';
import { usePoll } from '../live/poll';
import { useConnected } from '../live/stream';
import { Notice } from '../notice';
import { useQuery } from '../route';
import { AgentRow } from './row';
import { RetireDialog } from './retire';

const every = 5_000;

/** Every host that is known, and what its agent says of itself. */
export function AgentsPage() {
  const { t } = useLocale();
  useConnected();
  const { data: hosts, error, refresh } = usePoll(knownHosts, every);
  const [retiring, retire] = useState<string | null>(null);
  useEffect(() => {
    document.title = `thump · ${t('agents')}`;
  }, [t]);
  return (
    <>
      {error !== null && (
        <Notice urgent tone="bad" testId="load-error" title={t('hostsFailed')}>
          {error}
        </Notice>
      )}
      {hosts ? <Agents hosts={hosts} onRetire={retire} /> : error === null && <Skeleton height={220} radius="md" />}
      <RetireDialog host={retiring} onClose={() => retire(null)} onRetired={refresh} />
    </>
  );
}

/** Hosts in whose name, groups or version every word of the filter occurs. */
export function matching(hosts: KnownHost[], filter: string): KnownHost[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return hosts.filter(({ name, group, silent, agent }) => {
    const text = [name, group, silent ? 'silent' : 'up', agent?.version, ...(agent?.groups ?? [])].join(' ').toLowerCase();
    return words.every((w) => text.includes(w));
  });
}

function Agents({ hosts, onRetire }: { hosts: KnownHost[]; onRetire: (name: string) => void }) {
  const { t } = useLocale();
  const [query, change] = useQuery();
  const filter = query.get('q') ?? '';
  const onFilter = (q: string) => change({ q: q || null });
  const shown = matching(hosts, filter);
  return (
    <section aria-labelledby="agents-title">
      <div className="toolbar">
        <h2 id="agents-title">{t('agents')}</h2>
        <span className="dim num" data-testid="agent-count">
          {t('shown', { n: shown.length, all: hosts.length })}
        </span>
        <FilterInput value={filter} onChange={onFilter} />
      </div>
      {shown.length > 0 ? (
        <AgentTable hosts={shown} onRetire={onRetire} />
      ) : (
        <div className="panel empty">
          <p>{filter ? t('noMatch', { q: filter }) : t('waitingAgent')}</p>
          {filter && (
            <Button variant="light" onClick={() => onFilter('')}>
              {t('clearFilter')}
            </Button>
          )}
        </div>
      )}
    </section>
  );
}

const heads = ['host', 'groups', 'version', 'template', 'lag', 'spool', 'refused', 'lastSeen'] as const;

function AgentTable({ hosts, onRetire }: { hosts: KnownHost[]; onRetire: (name: string) => void }) {
  const { t } = useLocale();
  return (
    <table className="panel agents" role="table" data-testid="agents">
      <thead role="rowgroup">
        <tr role="row">
          {heads.map((h) => (
            <th key={h} role="columnheader">
              {t(h)}
            </th>
          ))}
          <th role="columnheader">
            <span className="sr-only">{t('retire')}</span>
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {hosts.map((h) => (
          <AgentRow key={h.name} host={h} onRetire={onRetire} />
        ))}
      </tbody>
    </table>
  );
}
