import { Button } from '@mantine/core';
import { useId, useState, type ReactNode } from 'react';
import type { Agent, KnownHost, Refusal } from '../api';
import { bytes, clock, duration, unknown } from '../format';
import { useLocale, type TextKey } from '../i18n';
import { Ascending, Descending } from '../icons';
import { Link } from '../link';
import { useNow } from '../live/clock';
import { hostPath } from '../route';
import { HostStatus } from '../status';

/** One host; below it, when asked for, what its agent refused. */
export function AgentRow({ host, onRetire }: { host: KnownHost; onRetire: (name: string) => void }) {
  const { t } = useLocale();
  const [open, setOpen] = useState(false);
  const details = useId();
  const { name, agent } = host;
  const refused = agent?.template.refused ?? [];
  return (
    <>
      <tr role="row" data-testid="agent-row" data-host={name} data-state={host.silent ? 'silent' : 'up'}>
        <th role="rowheader" scope="row">
          <HostStatus host={{ silent: host.silent, heard: true }} withText={host.silent} />{' '}
          <Link href={hostPath(name)} className="agent-name">
            {name}
          </Link>
          <OverLimit host={host} />
        </th>
        <Cell name="groups">{agent?.groups.join(', ') || host.group || unknown}</Cell>
        <Cell name="version">{agent ? <Version agent={agent} /> : <span className="dim">{t('noAgent')}</span>}</Cell>
        <Cell name="template">{agent ? <Template agent={agent} /> : unknown}</Cell>
        <Cell name="lag">{seconds(host.lag_seconds)}</Cell>
        <Cell name="spool">{agent ? <Spool agent={agent} /> : unknown}</Cell>
        <Cell name="refused">
          {refused.length === 0 ? (
            <span className="dim">{agent ? 0 : unknown}</span>
          ) : (
            <button
              type="button"
              className="unfold"
              aria-expanded={open}
              aria-controls={details}
              aria-label={`${refused.length}: ${t('refusedBy', { name })}`}
              data-testid="refusals-toggle"
              onClick={() => setOpen(!open)}
            >
              {refused.length} {open ? <Ascending /> : <Descending />}
            </button>
          )}
        </Cell>
        <LastSeen host={host} />
        <td role="cell" className="agent-action">
          <Button
            size="compact-xs"
            variant="subtle"
            color="gray"
            aria-label={t('retireHost', { name })}
            data-testid="retire"
            onClick={() => onRetire(name)}
          >
            {t('retire')}
          </Button>
        </td>
      </tr>
      {refused.length > 0 && (
        <tr role="row" id={details} hidden={!open} className="refusals" data-testid="refusals">
          <td role="cell" colSpan={9}>
            <Refusals refused={refused} />
          </td>
        </tr>
      )}
    </>
  );
}

/** For how long a refusal of history is shown, in milliseconds. */
const refusedShown = 300_000;

/** A mark while history refuses something of the host. */
function OverLimit({ host }: { host: KnownHost }) {
  const { t } = useLocale();
  const now = useNow(5);
  const { refused } = host;
  if (!refused || now - Date.parse(refused.last) > refusedShown) return null;
  const reasons = Object.entries(refused.samples).map(([reason, n]) => `${reason} ${n}`);
  return (
    <span className="differs" data-testid="over-limit" title={reasons.join(', ')}>
      {t('overLimit')}
    </span>
  );
}

/** A cell with its column's name, which is seen on cards. */
function Cell({ name, title, children }: { name: TextKey & string; title?: string; children: ReactNode }) {
  const { t } = useLocale();
  return (
    <td role="cell" data-testid={`agent-${name}`} title={title}>
      <span className="caption">{t(name)}</span>
      {children}
    </td>
  );
}

function Version({ agent }: { agent: Agent }) {
  return (
    <>
      {agent.version || unknown}{' '}
      <span className="dim mono">
        {agent.os}/{agent.arch}
      </span>
    </>
  );
}

function Template({ agent }: { agent: Agent }) {
  const { t } = useLocale();
  const { revision, wanted } = agent.template;
  return (
    <>
      <code className="mono">{revision || unknown}</code>
      {wanted && wanted !== revision && <span className="differs mono">{t('templateWanted', { revision: wanted })}</span>}
    </>
  );
}

function Spool({ agent }: { agent: Agent }) {
  const { t } = useLocale();
  const { batches, bytes: size, dropped } = agent.spool;
  return (
    <span className="num" title={bytes(size)}>
      {batches > 0 ? `${t('batches', { n: batches })}, ${bytes(size)}` : t('spoolEmpty')}
      {dropped > 0 && <span className="differs">{t('dropped', { n: dropped })}</span>}
    </span>
  );
}

function LastSeen({ host }: { host: KnownHost }) {
  const { t } = useLocale();
  const now = useNow(1);
  const seen = Date.parse(host.last_seen);
  if (!(seen > 0)) return <Cell name="lastSeen">{unknown}</Cell>;
  return (
    <Cell name="lastSeen" title={clock(seen)}>
      <span className="num">{t('ago', { t: duration(now - seen) })}</span>
    </Cell>
  );
}

function Refusals({ refused }: { refused: Refusal[] }) {
  const { t } = useLocale();
  return (
    <ul>
      {refused.map((r) => (
        <li key={`${r.name} ${r.line}`}>
          <strong>{r.name}</strong> {r.line > 0 && <span className="dim">{t('line', { n: r.line })}</span>} {r.reason}
        </li>
      ))}
    </ul>
  );
}

const seconds = (s: number): string => (s < 60 ? `${s.toFixed(1)}\u202fs` : duration(s * 1000));
