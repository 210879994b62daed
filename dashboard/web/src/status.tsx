import { useLocale, type TextKey } from './i18n';
import { useConnection } from './live/connection';
import type { FleetHost } from './live/fleet';

export type HostState = 'up' | 'silent' | 'waiting';

export function stateOf(host: Pick<FleetHost, 'silent' | 'heard'>): HostState {
  if (host.silent) return 'silent';
  return host.heard ? 'up' : 'waiting';
}

/** The state of a host as a dot, read out as a word; while nothing flows it is only what it was. */
export function HostStatus({ host, withText = false }: { host: Pick<FleetHost, 'silent' | 'heard'>; withText?: boolean }) {
  const { t } = useLocale();
  const connection = useConnection();
  const own = stateOf(host);
  const state: HostState | 'stale' = own === 'up' && (connection === 'cut' || connection === 'offline') ? 'stale' : own;
  const text = t(state satisfies TextKey);
  return (
    <span className="status" data-state={state} data-testid="host-status" title={text}>
      <span className="dot" aria-hidden="true" />
      <span className={withText ? 'status-text' : 'sr-only'}>{text}</span>
    </span>
  );
}
