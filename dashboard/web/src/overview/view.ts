import type { FleetHost } from '../live/fleet';
import type { Num } from '../live/events';

/** How the overview shows hosts. */
export const views = ['table', 'tiles', 'heat'] as const;
export type View = (typeof views)[number];

/** Reads the view from an address: ?view=tiles. */
export const viewOf = (text: string | null): View => views.find((v) => v === text) ?? 'table';

/** What the cells of a heat map can tell. */
export const heats = ['cpu', 'memory', 'disk', 'load'] as const;
export type Heat = (typeof heats)[number];

/** Reads it from an address: ?heat=memory. */
export const heatOf = (text: string | null): Heat => heats.find((h) => h === text) ?? 'cpu';

/** How much of a host is used, from 0 to 1; a load may be above. Null: not known. */
export function heatRatio(host: FleetHost, heat: Heat): Num {
  if (heat !== 'load') return host[heat];
  return host.load !== null && host.cores > 0 ? host.load / host.cores : null;
}

/** The hosts of each group, in the order in which they come; groups by name. */
export function grouped(hosts: readonly FleetHost[]): [string, FleetHost[]][] {
  const groups = new Map<string, FleetHost[]>();
  for (const h of hosts) {
    const group = groups.get(h.group);
    if (group) group.push(h);
    else groups.set(h.group, [h]);
  }
  return [...groups].sort(([a], [b]) => a.localeCompare(b, undefined, { numeric: true }));
}
