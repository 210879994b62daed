import { NativeSelect } from '@mantine/core';
import { Fragment } from 'react';
import { Ascending, Descending } from '../icons';
import { useLocale, type TextKey } from '../i18n';
import type { FleetHost } from '../live/fleet';
import { clicked, columns, orderOf, type Column, type Order } from './order';
import { HostRow } from './row';

const names: Record<Column, TextKey> = {
  name: 'host',
  cpu: 'cpu',
  memory: 'memory',
  disk: 'disk',
  network: 'network',
  load: 'load',
  alerts: 'alerts',
  seen: 'lastSeen',
};

/** From here on rows out of sight are not laid out. */
const many = 60;

interface TableProps {
  hosts: FleetHost[];
  alerts: ReadonlyMap<string, number>;
  order: Order;
  onOrder: (order: Order) => void;
  /** Cards instead of rows. */
  cards: boolean;
}

/** The hosts. The roles are said since the layout of a grid takes them from the elements. */
export function HostTable({ hosts, alerts, order, onOrder, cards }: TableProps) {
  const { t } = useLocale();
  return (
    <table role="table" className="hosts panel" aria-label={t('hosts')} data-many={hosts.length > many || undefined} data-cards={cards || undefined}>
      <thead role="rowgroup">
        <tr role="row" className="row head">
          {columns.map((c) => (
            <Fragment key={c}>
              <Head column={c} order={order} onOrder={onOrder} />
              {c === 'cpu' && (
                <th role="columnheader" scope="col" className="c-spark">
                  <span className="sr-only">{t('cpu')}, </span>
                  {t('last5m')}
                </th>
              )}
            </Fragment>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {hosts.map((h) => (
          <HostRow key={h.name} name={h.name} alerts={alerts.get(h.name) ?? 0} />
        ))}
      </tbody>
    </table>
  );
}

function Head({ column, order, onOrder }: { column: Column; order: Order; onOrder: (o: Order) => void }) {
  const { t } = useLocale();
  const active = order.column === column;
  const Arrow = order.descending ? Descending : Ascending;
  return (
    <th
      role="columnheader"
      scope="col"
      className={`c-${column}`}
      aria-sort={active ? (order.descending ? 'descending' : 'ascending') : 'none'}
    >
      <button type="button" data-testid={`sort-${column}`} onClick={() => onOrder(clicked(order, column))}>
        {t(names[column])}
        <Arrow width={12} height={12} className={active ? 'arrow active' : 'arrow'} />
      </button>
    </th>
  );
}

/** The order, where there is no head to click on. */
export function OrderSelect({ order, onOrder, always }: Pick<TableProps, 'order' | 'onOrder'> & { always: boolean }) {
  const { t } = useLocale();
  return (
    <NativeSelect
      className={always ? 'order-select always' : 'order-select'}
      aria-label={t('sortBy')}
      data-testid="order-select"
      value={order.column}
      onChange={(e) => onOrder({ ...orderOf(e.currentTarget.value), descending: e.currentTarget.value !== 'name' })}
      data={columns.map((c) => ({ value: c, label: `${t('sortBy')}: ${t(names[c])}` }))}
    />
  );
}
