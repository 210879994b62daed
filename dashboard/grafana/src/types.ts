import type { DataQuery, DataSourceJsonData } from '@grafana/data';

/** What a panel asks; the names are those of Grafana's Prometheus data source. */
export interface ThumpQuery extends DataQuery {
  expr: string;
  range?: boolean;
  instant?: boolean;
  exemplar?: boolean;
  format?: 'time_series' | 'table' | 'heatmap';
  legendFormat?: string;
  interval?: string;
  editorMode?: 'builder' | 'code';
  utcOffsetSec?: number;
  /** Goes on with what passes, from the key group.host.probe. */
  live?: boolean;
  key?: string;
  noBoost?: boolean;
  /** Of the query type annotations. */
  alerts?: AlertFilter;
}

export const annotationType = 'annotations';

export interface AlertFilter {
  name?: string;
  severity?: string;
  group?: string;
  host?: string;
  pending?: boolean;
}

export interface ThumpOptions extends DataSourceJsonData {
  amqpUrl?: string;
  amqpUser?: string;
  timeInterval?: string;
  tlsAuth?: boolean;
  tlsAuthWithCACert?: boolean;
  tlsSkipVerify?: boolean;
  serverName?: string;
}

export interface ThumpSecrets {
  basicAuthPassword?: string;
  amqpPassword?: string;
  tlsCACert?: string;
  tlsClientCert?: string;
  tlsClientKey?: string;
}

/** What a variable lists. */
export interface VariableQuery extends DataQuery {
  list: 'hosts' | 'groups' | 'values' | 'metrics';
  group?: string;
  label?: string;
  match?: string;
  /** label_values(selector, label), as Grafana's Prometheus data source has it. */
  query?: string;
}

export interface Metric {
  name: string;
  type?: string;
  help?: string;
}

/** Where a live panel goes on; the backend says it. */
export interface LiveAddress {
  path: string;
  data: { request: string };
}
