import { LiveChannelScope, dataFrameToJSON, type DataFrame, type DataQueryRequest, type DataQueryResponse, type DataSourceInstanceSettings, type MetricFindValue, type ScopedVars, type TimeRange } from '@grafana/data';
import { DataSourceWithBackend, getGrafanaLiveSrv, getTemplateSrv } from '@grafana/runtime';
import { type Observable, merge, of, switchMap } from 'rxjs';
import { annotations } from './annotations';
import { selector, type Matcher } from './expression';
import { annotationType, type LiveAddress, type Metric, type ThumpOptions, type ThumpQuery, type VariableQuery } from './types';
import { Variables } from './variables';

const labelValues = /^label_values\(\s*(?:(.+?)\s*,\s*)?([a-zA-Z0-9_]+)\s*\)$/s;

/** The data source in the browser: the backend answers, Grafana Live goes on. */
export class ThumpDataSource extends DataSourceWithBackend<ThumpQuery, ThumpOptions> {
  constructor(settings: DataSourceInstanceSettings<ThumpOptions>) {
    super(settings);
    this.interval = settings.jsonData.timeInterval ?? '10s';
    this.annotations = annotations;
    this.variables = new Variables(this);
  }

  filterQuery(query: ThumpQuery): boolean {
    return !query.hide && (query.queryType === annotationType || Boolean(query.expr?.trim()));
  }

  getDefaultQuery(): Partial<ThumpQuery> {
    return { expr: '', range: true, editorMode: 'builder', legendFormat: '__auto' };
  }

  getQueryDisplayText(query: ThumpQuery): string {
    return query.expr;
  }

  /** Replaces variables; several values become a regular expression, in a matcher by regular expression. */
  applyTemplateVariables(query: ThumpQuery, scopedVars: ScopedVars): ThumpQuery {
    const templates = getTemplateSrv();
    // What the backend knows better stays as it is.
    const own = { ...scopedVars };
    for (const name of ['__interval', '__interval_ms', '__range', '__range_s', '__range_ms', '__rate_interval', '__rate_interval_ms']) {
      delete own[name];
      own[name] = { text: `$${name}`, value: `$${name}` };
    }
    const plain = (text?: string) => text && templates.replace(text, own);
    return {
      ...query,
      expr: templates.replace(query.expr ?? '', own, asPromQL),
      legendFormat: plain(query.legendFormat),
      interval: plain(query.interval),
      key: query.key && templates.replace(query.key, own, asWord),
      alerts: query.alerts && {
        ...query.alerts,
        name: plain(query.alerts.name), severity: plain(query.alerts.severity),
        group: query.alerts.group && templates.replace(query.alerts.group, own, asPromQL),
        host: query.alerts.host && templates.replace(query.alerts.host, own, asPromQL),
      },
    };
  }

  query(request: DataQueryRequest<ThumpQuery>): Observable<DataQueryResponse> {
    const live = request.targets.some((q) => q.live) ;
    const answer = super.query(request);
    return live ? answer.pipe(switchMap((response) => this.goOn(request, response))) : answer;
  }

  /** Lets the frames that the backend says are live go on. */
  private goOn(request: DataQueryRequest<ThumpQuery>, response: DataQueryResponse): Observable<DataQueryResponse> {
    const at = (f: DataFrame): LiveAddress | undefined => f.meta?.custom?.live;
    const streams = response.data.filter(at).map((f: DataFrame) => this.stream(request, f, at(f)!));
    const rest = response.data.filter((f: DataFrame) => !at(f));
    const others = rest.length || response.errors?.length || !streams.length ? [of({ ...response, data: rest })] : [];
    return merge(...streams, ...others);
  }

  private stream(request: DataQueryRequest<ThumpQuery>, frame: DataFrame, address: LiveAddress): Observable<DataQueryResponse> {
    return getGrafanaLiveSrv().getDataStream({
      key: `${request.requestId}.${frame.refId}`,
      addr: { scope: LiveChannelScope.DataSource, stream: this.uid, namespace: this.uid, path: address.path, data: address.data },
      buffer: this.streamOptionsProvider(request, frame),
      frame: dataFrameToJSON(frame),
    });
  }

  private between(range?: TimeRange) {
    return range ? { from: range.from.valueOf(), to: range.to.valueOf() } : {};
  }

  metrics(range?: TimeRange): Promise<Metric[]> {
    return this.getResource('metrics', this.between(range));
  }

  labels(metric: string, range?: TimeRange): Promise<string[]> {
    return this.getResource('labels', { ...this.between(range), ...(metric ? { match: metric } : {}) });
  }

  values(label: string, metric: string, others: Matcher[], range?: TimeRange): Promise<string[]> {
    const match = metric + selector(others.filter((m) => m.label !== label && m.value));
    return this.getResource('values', { ...this.between(range), label, ...(match ? { match } : {}) });
  }

  async list(query: VariableQuery, scopedVars?: ScopedVars, range?: TimeRange): Promise<MetricFindValue[]> {
    const templates = getTemplateSrv();
    const replaced = (text?: string) => (text ? templates.replace(text, scopedVars, asPromQL) : undefined);
    const label = labelValues.exec(query.query ?? ''); // of a dashboard made for Grafana's Prometheus data source
    const asked = label ? { list: 'values', label: label[2], match: label[1] } : { list: query.list ?? 'hosts', label: query.label, match: query.match };
    const params = { ...this.between(range), group: replaced(query.group), label: asked.label, match: replaced(asked.match) };
    const given = Object.fromEntries(Object.entries(params).filter(([, v]) => v !== undefined && v !== ''));
    const found: Array<string | Metric> = await this.getResource(asked.list, given);
    return found.map((v) => ({ text: typeof v === 'string' ? v : v.name }));
  }
}

/** Several values of a variable as a regular expression of PromQL. */
export function asPromQL(value: string | string[]): string {
  const escaped = (v: string) => v.replace(/[\\^$.*+?()[\]{}|]/g, '\\\\$&');
  return Array.isArray(value) ? (value.length === 1 ? value[0] : `(${value.map(escaped).join('|')})`) : value;
}

/** A value of a variable as one word of a routing key. */
export function asWord(value: string | string[]): string {
  const one = Array.isArray(value) ? (value.length === 1 ? value[0] : '*') : value;
  return one === '*' || one === '#' ? one : one.replace(/[^A-Za-z0-9_-]/g, '_');
}
