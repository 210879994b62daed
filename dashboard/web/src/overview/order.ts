import type { FleetHost } from '../live/fleet';

export type Column = 'name' | 'cpu' | 'memory' | 'disk' | 'network' | 'load' | 'alerts' | 'seen';

export const columns: readonly Column[] = ['name', 'cpu', 'memory', 'disk', 'network', 'load', 'alerts', 'seen'];

export interface Order {
  column: Column;
  descending: boolean;
}

const standard: Order = { column: 'name', descending: false };

/** Reads the order from an address: ?sort=cpu, or ?sort=-cpu for the largest first. */
export function orderOf(text: string | null): Order {
  const descending = text?.startsWith('-') ?? false;
  const column = columns.find((c) => c === (descending ? text?.slice(1) : text));
  return column ? { column, descending } : standard;
}

export function orderText({ column, descending }: Order): string | null {
  const text = (descending ? '-' : '') + column;
  return text === standard.column ? null : text;
}

/** The order after a click on a column's head: numbers begin with the largest. */
export function clicked(order: Order, column: Column): Order {
  if (order.column !== column) return { column, descending: column !== 'name' };
  return { column, descending: !order.descending };
}

type AlertCounts = ReadonlyMap<string, number>;

/** What hosts are compared by; null, not known, stands last either way. */
function valueOf(h: FleetHost, column: Column, alerts: AlertCounts): number | null {
  switch (column) {
    case 'network':
      return h.receive === null && h.transmit === null ? null : (h.receive ?? 0) + (h.transmit ?? 0);
    case 'alerts':
      return alerts.get(h.name) ?? 0;
    case 'name':
      return null;
    default:
      return h[column];
  }
}

const byName = new Intl.Collator(undefined, { numeric: true }).compare;

export function sorted(hosts: FleetHost[], { column, descending }: Order, alerts: AlertCounts): FleetHost[] {
  const sign = descending ? -1 : 1;
  return hosts.sort((a, b) => {
    if (column === 'name') return sign * byName(a.name, b.name);
    const [v, w] = [valueOf(a, column, alerts), valueOf(b, column, alerts)];
    if (v === null || w === null) return Number(v === null) - Number(w === null) || byName(a.name, b.name);
    return sign * (v - w) || byName(a.name, b.name);
  });
}

/**
 * Hosts in whose name, group, state or labels every word of the filter occurs:
 * web, silent, group=web, state=up, site=fra1.
 */
export function filtered(hosts: FleetHost[], filter: string, labelsOf: (name: string) => Record<string, string>): FleetHost[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return hosts;
  return hosts.filter((h) => {
    const labels = Object.entries(labelsOf(h.name)).map(([k, v]) => `${k}=${v}`);
    const text = [h.name, `group=${h.group}`, `state=${h.silent ? 'silent' : 'up'}`, ...labels].join(' ').toLowerCase();
    return words.every((w) => text.includes(w));
  });
}
