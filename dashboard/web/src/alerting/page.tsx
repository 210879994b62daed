import { Skeleton } from '@mantine/core';
import { useEffect, useMemo } from 'react';
import { useAlerts } from '../alerts';
import { allAlerts, ruleGroups, silences, type Silence } from '../api';
import { useLocale, type TextKey } from '../i18n';
import { usePoll } from '../live/poll';
import { useConnected } from '../live/stream';
import { Notice } from '../notice';
import { AlertRows } from './alert';
import { Rules } from './rules';
import { SilenceList } from './silences';

const every = 5_000;

/** What fires, what is silenced, and the rules behind it. */
export function AlertsPage() {
  const { t } = useLocale();
  useConnected();
  const alerts = usePoll(allAlerts, every);
  const silenced = usePoll(silences, every);
  const rules = usePoll(ruleGroups, every);
  const { refresh: refreshCounts } = useAlerts();
  useEffect(() => {
    document.title = `thump · ${t('alerts')}`;
  }, [t]);
  const byId = useMemo(() => new Map((silenced.data ?? []).map((s) => [s.id, s])), [silenced.data]);
  const changed = () => {
    alerts.refresh();
    silenced.refresh();
    refreshCounts();
  };
  return (
    <>
      <LoadError title="alertsUnavailable" error={alerts.error} />
      <LoadError title="silencesFailed" error={silenced.error} />
      {alerts.data ? (
        <AlertRows alerts={alerts.data} silences={byId} onChange={changed} />
      ) : (
        alerts.error === null && <Skeleton height={160} radius="md" />
      )}
      <SilenceList silences={inForce(silenced.data ?? [])} onChange={changed} />
      <LoadError title="rulesFailed" error={rules.error} />
      {rules.data && <Rules groups={rules.data} />}
    </>
  );
}

/** The silences that are not over, the first to end first. */
function inForce(all: Silence[]): Silence[] {
  return all.filter((s) => s.status.state !== 'expired').sort((a, b) => Date.parse(a.endsAt) - Date.parse(b.endsAt));
}

function LoadError({ title, error }: { title: TextKey; error: string | null }) {
  const { t } = useLocale();
  if (error === null) return null;
  return (
    <Notice urgent tone="bad" testId="load-error" title={t(title)}>
      {error}
    </Notice>
  );
}
