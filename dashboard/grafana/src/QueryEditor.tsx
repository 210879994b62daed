import type { QueryEditorProps } from '@grafana/data';
import { Alert, InlineField, InlineFieldRow, InlineSwitch, Input, RadioButtonGroup } from '@grafana/ui';
import { useState } from 'react';
import { Builder } from './Builder';
import { Code } from './Code';
import type { ThumpDataSource } from './datasource';
import { nothing, read, write, type Completion } from './expression';
import type { ThumpOptions, ThumpQuery } from './types';

type Props = QueryEditorProps<ThumpDataSource, ThumpQuery, ThumpOptions>;

const modes = [{ label: 'Builder', value: 'builder' as const }, { label: 'Code', value: 'code' as const }];
const kinds = [{ label: 'Range', value: 'range' }, { label: 'Instant', value: 'instant' }, { label: 'Both', value: 'both' }];
const formats: Array<{ label: string; value: NonNullable<ThumpQuery['format']> }> = [
  { label: 'Time series', value: 'time_series' }, { label: 'Table', value: 'table' }, { label: 'Heatmap', value: 'heatmap' },
];

export function QueryEditor({ query, onChange, onRunQuery, datasource, range }: Props) {
  const [built, setBuilt] = useState(() => read(query.expr ?? ''));
  const mode = query.editorMode ?? (built ? 'builder' : 'code');
  const change = (part: Partial<ThumpQuery>) => onChange({ ...query, ...part });
  const run = (part: Partial<ThumpQuery>) => { change(part); onRunQuery(); };

  const complete = async (c: Completion) => {
    switch (c.kind) {
      case 'metric': return (await datasource.metrics(range)).map((m) => m.name);
      case 'label': return datasource.labels(c.metric, range);
      case 'value': return datasource.values(c.label, c.metric, [], range);
    }
  };
  return (
    <>
      <InlineFieldRow>
        <RadioButtonGroup
          aria-label="Editor" options={modes} value={mode}
          onChange={(editorMode) => { setBuilt(read(query.expr ?? '')); change({ editorMode }); }}
        />
      </InlineFieldRow>
      {mode === 'code' && <Code expr={query.expr ?? ''} onChange={(expr) => change({ expr })} onRun={onRunQuery} complete={complete} />}
      {mode === 'builder' && !built && (
        <Alert severity="info" title="The builder cannot show this expression">Go on as code, or begin anew with an empty one.</Alert>
      )}
      {mode === 'builder' && built && (
        <Builder
          built={built ?? nothing} onChange={(b) => { setBuilt(b); run({ expr: write(b) }); }}
          metrics={async () => (await datasource.metrics(range)).map((m) => ({ label: m.name, value: m.name, description: m.help }))}
          labels={() => datasource.labels(built.metric, range)}
          values={(label) => datasource.values(label, built.metric, built.labels, range)}
        />
      )}
      {mode === 'builder' && query.expr && <code data-testid="expression">{query.expr}</code>}
      <InlineFieldRow>
        <InlineField label="Legend" tooltip="e.g. {{instance}} {{mode}}; __auto leaves it to Grafana">
          <Input width={24} aria-label="Legend" value={query.legendFormat ?? ''} onChange={(e) => change({ legendFormat: e.currentTarget.value })} onBlur={onRunQuery} />
        </InlineField>
        <InlineField label="Min step" tooltip="The least time between two points, e.g. 15s; live: between two frames">
          <Input width={12} aria-label="Min step" placeholder="auto" value={query.interval ?? ''} onChange={(e) => change({ interval: e.currentTarget.value })} onBlur={onRunQuery} />
        </InlineField>
        <InlineField label="Live" tooltip="The panel goes on with what passes">
          <InlineSwitch aria-label="Live" value={query.live ?? false} onChange={(e) => run({ live: e.currentTarget.checked })} />
        </InlineField>
        {query.live && (
          <>
            <InlineField label="Key" tooltip="group.host.probe; * is one word, # any number. Empty: what the expression names">
              <Input width={24} aria-label="Key" placeholder="by the expression" value={query.key ?? ''} onChange={(e) => change({ key: e.currentTarget.value })} onBlur={onRunQuery} />
            </InlineField>
            <InlineField label="Boost" tooltip="The host measures every second while somebody looks">
              <InlineSwitch aria-label="Boost" value={!query.noBoost} onChange={(e) => run({ noBoost: !e.currentTarget.checked })} />
            </InlineField>
          </>
        )}
      </InlineFieldRow>
      {!query.live && (
        <InlineFieldRow>
          <InlineField label="Type">
            <RadioButtonGroup
              aria-label="Type" options={kinds} value={query.instant ? (query.range ? 'both' : 'instant') : 'range'}
              onChange={(kind) => run({ range: kind !== 'instant', instant: kind !== 'range' })}
            />
          </InlineField>
          <InlineField label="Format">
            <RadioButtonGroup aria-label="Format" options={formats} value={query.format ?? 'time_series'} onChange={(format) => run({ format })} />
          </InlineField>
          <InlineField label="Exemplars">
            <InlineSwitch aria-label="Exemplars" value={query.exemplar ?? false} onChange={(e) => run({ exemplar: e.currentTarget.checked })} />
          </InlineField>
        </InlineFieldRow>
      )}
    </>
  );
}
