import type { AnnotationSupport, QueryEditorProps } from '@grafana/data';
import { InlineField, InlineSwitch, Input } from '@grafana/ui';
import type { ThumpDataSource } from './datasource';
import { annotationType, type AlertFilter, type ThumpOptions, type ThumpQuery } from './types';

const fields: Array<{ name: 'name' | 'severity' | 'group' | 'host'; label: string; placeholder: string }> = [
  { name: 'name', label: 'Alert', placeholder: 'any, e.g. Disk.*' },
  { name: 'severity', label: 'Severity', placeholder: 'any, e.g. critical|warning' },
  { name: 'group', label: 'Group', placeholder: 'any, e.g. $group' },
  { name: 'host', label: 'Host', placeholder: 'any, e.g. $host' },
];

export function AnnotationEditor({ query, onChange, onRunQuery }: QueryEditorProps<ThumpDataSource, ThumpQuery, ThumpOptions>) {
  const alerts = query.alerts ?? {};
  const change = (part: AlertFilter) => onChange({ ...query, queryType: annotationType, expr: '', alerts: { ...alerts, ...part } });
  return (
    <>
      {fields.map((f) => (
        <InlineField key={f.name} label={f.label} labelWidth={14} tooltip="A regular expression; empty is any">
          <Input
            width={40} aria-label={f.label} placeholder={f.placeholder} value={alerts[f.name] ?? ''}
            onChange={(e) => change({ [f.name]: e.currentTarget.value })} onBlur={onRunQuery}
          />
        </InlineField>
      ))}
      <InlineField label="Pending too" labelWidth={14}>
        <InlineSwitch aria-label="Pending too" value={alerts.pending ?? false} onChange={(e) => { change({ pending: e.currentTarget.checked }); onRunQuery(); }} />
      </InlineField>
    </>
  );
}

export const annotations: AnnotationSupport<ThumpQuery> = {
  QueryEditor: AnnotationEditor as AnnotationSupport<ThumpQuery>['QueryEditor'],
  getDefaultQuery: () => ({ queryType: annotationType, expr: '', alerts: {} }),
  prepareQuery: (anno) => ({ ...(anno.target as ThumpQuery), refId: anno.target?.refId || 'alerts', queryType: annotationType, expr: '' }),
};
