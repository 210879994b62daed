import { useEffect, useState, type ReactNode } from 'react';
import { useAlerts } from '../alerts';
import { short, unknown } from '../format';
import { useLocale } from '../i18n';
import { useConnection } from '../live/connection';
import type { FleetHost } from '../live/fleet';
import type { Pulse } from '../live/events';

/** Where pulses of the stream are heard. */
export type Pulses = (f: (p: Pulse) => void) => () => void;

/** The state of everything in four numbers. */
export function Totals({ hosts, pulses }: { hosts: FleetHost[]; pulses: Pulses }) {
  const { t } = useLocale();
  const { data: alerts, error } = useAlerts();
  const silent = hosts.filter((h) => h.silent).length;
  const up = hosts.filter((h) => h.heard && !h.silent).length;
  const count = (severity: string) => (alerts ?? []).filter((a) => a.labels['severity'] === severity).length;
  const [critical, warning, firing] = [count('critical'), count('warning'), alerts?.length ?? 0];
  return (
    <section className="totals" aria-label={t('overview')}>
      <Total
        id="up"
        name={t('hostsUp')}
        value={up}
        hint={t('ofHosts', { n: hosts.length })}
        tone={up > 0 ? 'good' : 'none'}
      />
      <Total
        id="silent"
        name={t('silent')}
        value={silent}
        hint={t(silent > 0 ? 'silentHint' : 'noneSilent')}
        tone={silent > 0 ? 'bad' : 'none'}
      />
      <Total
        id="firing"
        name={t('firing')}
        value={alerts ? firing : unknown}
        hint={error ? t('alertsUnavailable') : firing ? t('bySeverity', { critical, warning }) : t('noneFiring')}
        tone={critical > 0 ? 'bad' : firing > 0 ? 'warn' : 'none'}
      />
      <Ingest pulses={pulses} />
    </section>
  );
}

/** It listens by itself, so that the totals are not drawn anew every second. */
function Ingest({ pulses }: { pulses: Pulses }) {
  const { t } = useLocale();
  const [rate, setRate] = useState<number | null>(null);
  const connection = useConnection();
  useEffect(() => pulses((p) => setRate(p.samples_per_second)), [pulses]);
  const flowing = connection === 'live';
  const value = flowing ? whole(rate) : unknown;
  return <Total id="ingest" name={t('ingest')} value={value} hint={t('samplesPerSecond')} tone="none" />;
}

const whole = (v: number | null): string => (v === null ? unknown : v < 1000 && v >= 10 ? v.toFixed(0) : short(v));

interface TotalProps {
  id: string;
  name: string;
  value: ReactNode;
  hint: string;
  tone: 'none' | 'good' | 'warn' | 'bad';
}

function Total({ id, name, value, hint, tone }: TotalProps) {
  return (
    <div className="total panel" data-tone={tone} data-testid={`total-${id}`}>
      <span className="total-name">{name}</span>
      <span className="total-value num" data-testid={`total-${id}-value`}>
        {value}
      </span>
      <span className="total-hint">{hint}</span>
    </div>
  );
}
