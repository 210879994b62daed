import { memo } from 'react';
import { percent } from '../format';
import { useLocale } from '../i18n';
import { Link } from '../link';
import { useFleetHost, type FleetHost } from '../live/fleet';
import { levelOf } from '../meter';
import { hostPath } from '../route';
import { stateOf } from '../status';
import { grouped, heatRatio, type Heat } from './view';

interface HeatMapProps {
  hosts: FleetHost[];
  alerts: ReadonlyMap<string, number>;
  heat: Heat;
}

/** Hundreds of hosts at once: a cell for each, the fuller the darker, by group. */
export function HeatMap({ hosts, alerts, heat }: HeatMapProps) {
  return (
    <div className="panel heat" data-testid="heat">
      {grouped(hosts).map(([group, members]) => (
        <section key={group} aria-label={group}>
          <h3>
            {group} <span className="dim num">{members.length}</span>
          </h3>
          <div className="cells">
            {members.map((h) => (
              <Cell key={h.name} name={h.name} heat={heat} alerts={alerts.get(h.name) ?? 0} />
            ))}
          </div>
        </section>
      ))}
    </div>
  );
}

const Cell = memo(function Cell({ name, heat, alerts }: { name: string; heat: Heat; alerts: number }) {
  const { t } = useLocale();
  const host = useFleetHost(name);
  if (!host) return null;
  const ratio = heatRatio(host, heat);
  const state = stateOf(host);
  const text = [name, `${t(heat)} ${percent(ratio)}`, state === 'up' ? '' : t(state), alerts > 0 ? `${t('alerts')} ${alerts}` : ''];
  const label = text.filter(Boolean).join(', ');
  return (
    <Link
      href={hostPath(name)}
      className="cell"
      title={label}
      aria-label={label}
      data-testid="heat-cell"
      data-host={name}
      data-state={state}
      data-level={ratio === null ? 'unknown' : levelOf(ratio)}
      data-alerts={alerts > 0 || undefined}
      style={{ '--fill': `${Math.round(Math.min(1, ratio ?? 0) * 100)}%` } as React.CSSProperties}
    />
  );
});
