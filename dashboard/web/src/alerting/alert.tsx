import { Badge } from '@mantine/core';
import { bySeverity, hostOf, severityColors } from '../alerts';
import type { Alert, Silence } from '../api';
import { clock, duration } from '../format';
import { useLocale } from '../i18n';
import { Link } from '../link';
import { useNow } from '../live/clock';
import { hostPath } from '../route';
import { SilenceButton } from './silence';

type SilencesById = ReadonlyMap<string, Silence>;

interface AlertRowsProps {
  alerts: Alert[];
  silences: SilencesById;
  onChange: () => void;
}

const isSilenced = (a: Alert): boolean => a.status.silencedBy.length > 0;
const isInhibited = (a: Alert): boolean => a.status.inhibitedBy.length > 0;
const isMuted = (a: Alert): boolean => isSilenced(a) || isInhibited(a);

/** Every alert that fires; those that nobody hears of stand last. */
export function AlertRows({ alerts, silences, onChange }: AlertRowsProps) {
  const { t } = useLocale();
  const listed = bySeverity(alerts).sort((a, b) => Number(isMuted(a)) - Number(isMuted(b)));
  const silenced = alerts.filter(isSilenced).length;
  return (
    <section aria-labelledby="alerts-title">
      <div className="toolbar">
        <h2 id="alerts-title">{t('firingNow')}</h2>
        <span className="dim num" data-testid="alert-counts">
          {t('counts', { n: alerts.length - silenced, silenced })}
        </span>
      </div>
      {listed.length === 0 ? (
        <p className="panel quiet dim" data-testid="no-alerts">
          {t('noAlerts')}
        </p>
      ) : (
        <ul className="panel lines" data-testid="alert-rows">
          {listed.map((a) => (
            <AlertRow key={a.fingerprint} alert={a} silences={silences} onChange={onChange} />
          ))}
        </ul>
      )}
    </section>
  );
}

function AlertRow({ alert, silences, onChange }: { alert: Alert; silences: SilencesById; onChange: () => void }) {
  const { t } = useLocale();
  const now = useNow(5);
  const since = Date.parse(alert.startsAt);
  const name = alert.labels['alertname'] ?? '';
  const severity = alert.labels['severity'] ?? 'none';
  const host = hostOf(alert);
  const state = isSilenced(alert) ? 'silenced' : isInhibited(alert) ? 'inhibited' : 'active';
  return (
    <li className="line alert" data-testid="alert-row" data-alertname={name} data-severity={severity} data-state={state}>
      <Badge color={severityColors[severity] ?? 'gray'} variant="light" size="sm" radius="sm" className="severity">
        {severity}
      </Badge>
      <div className="line-main">
        <div className="line-title">
          <strong>{name}</strong>
          {host && <Link href={hostPath(host)}>{host}</Link>}
          <time className="dim num" dateTime={alert.startsAt} title={t('since', { t: clock(since) })} data-testid="alert-since">
            {t('since', { t: clock(since) })} · {duration(now - since)}
          </time>
        </div>
        <p>{alert.annotations['summary'] ?? alert.annotations['description']}</p>
        <Labels labels={alert.labels} />
        <Muted alert={alert} silences={silences} />
      </div>
      {!isSilenced(alert) && <SilenceButton alert={alert} onDone={onChange} />}
    </li>
  );
}

/** The labels that the line does not say otherwise. */
function Labels({ labels }: { labels: Record<string, string> }) {
  const rest = Object.entries(labels).filter(([k]) => !['alertname', 'instance', 'severity'].includes(k));
  return (
    <div className="labels">
      {rest.map(([k, v]) => (
        <code key={k} className="label">
          {k}={v}
        </code>
      ))}
    </div>
  );
}

/** Says that nobody is told, and until when. */
function Muted({ alert, silences }: { alert: Alert; silences: SilencesById }) {
  const { t } = useLocale();
  const by = alert.status.silencedBy.map((id) => silences.get(id)).filter((s) => s !== undefined);
  const last = Math.max(...by.map((s) => Date.parse(s.endsAt)));
  if (isSilenced(alert)) {
    return (
      <div className="muted" data-testid="silenced">
        <Badge color="gray" variant="outline" size="sm" radius="sm">
          {t('silenced')}
        </Badge>
        {by.length > 0 && (
          <span className="dim">
            {t('until', { t: clock(last) })} · {by.map((s) => s.comment).join(', ')}
          </span>
        )}
      </div>
    );
  }
  if (!isInhibited(alert)) return null;
  return (
    <div className="muted">
      <Badge color="gray" variant="outline" size="sm" radius="sm">
        {t('inhibited')}
      </Badge>
    </div>
  );
}
