import { CustomVariableSupport, type DataQueryRequest, type DataQueryResponse, type QueryEditorProps } from '@grafana/data';
import { InlineField, Input, RadioButtonGroup } from '@grafana/ui';
import { type Observable, from, map } from 'rxjs';
import type { ThumpDataSource } from './datasource';
import type { ThumpOptions, ThumpQuery, VariableQuery } from './types';

/** Variables that list hosts, groups, metrics or the values of a label. */
export class Variables extends CustomVariableSupport<ThumpDataSource, VariableQuery> {
  editor = VariableEditor;

  constructor(private readonly source: ThumpDataSource) {
    super();
  }

  getDefaultQuery(): Partial<VariableQuery> {
    return { list: 'hosts' };
  }

  query(request: DataQueryRequest<VariableQuery>): Observable<DataQueryResponse> {
    return from(this.source.list(request.targets[0], request.scopedVars, request.range)).pipe(map((data) => ({ data })));
  }
}

const lists: Array<{ label: string; value: VariableQuery['list'] }> = [
  { label: 'Hosts', value: 'hosts' }, { label: 'Groups', value: 'groups' }, { label: 'Values of a label', value: 'values' }, { label: 'Metrics', value: 'metrics' },
];

export function VariableEditor({ query, onChange }: QueryEditorProps<ThumpDataSource, ThumpQuery, ThumpOptions, VariableQuery>) {
  const list = query.list ?? 'hosts';
  const change = (part: Partial<VariableQuery>) => onChange({ ...query, refId: query.refId || 'variable', list, ...part });
  const field = (name: 'group' | 'label' | 'match', label: string, placeholder: string) => (
    <InlineField label={label} labelWidth={14}>
      <Input width={40} aria-label={label} placeholder={placeholder} defaultValue={query[name] ?? ''} onBlur={(e) => change({ [name]: e.currentTarget.value })} />
    </InlineField>
  );
  return (
    <>
      <InlineField label="List" labelWidth={14}>
        <RadioButtonGroup options={lists} value={list} onChange={(value) => change({ list: value })} />
      </InlineField>
      {list === 'hosts' && field('group', 'Of group', 'any, e.g. web or $group')}
      {list === 'values' && field('label', 'Label', 'e.g. device')}
      {(list === 'values' || list === 'metrics') && field('match', 'Of series', 'any, e.g. node_disk_io_now{instance="$host"}')}
    </>
  );
}
