import { Button, Combobox, type ComboboxOption, InlineField, InlineFieldRow, Input } from '@grafana/ui';
import { aggregates, functions, operators, type Built, type Matcher } from './expression';

interface Props {
  built: Built;
  onChange: (b: Built) => void;
  metrics: () => Promise<ComboboxOption[]>;
  labels: () => Promise<string[]>;
  values: (label: string) => Promise<string[]>;
}

const choices = (all: readonly string[], none?: string): ComboboxOption[] =>
  (none === undefined ? [] : [{ label: none, value: '' }]).concat(all.map((value) => ({ label: value, value })));

/** those that hold what is typed. */
const matching = (all: ComboboxOption[], typed: string) => {
  const words = typed.toLowerCase().split(/\s+/);
  return all.filter((o) => words.every((w) => o.value.toLowerCase().includes(w))).slice(0, 500);
};

/** The query by pieces: a metric, matchers, a function over time, an aggregation. */
export function Builder({ built, onChange, metrics, labels, values }: Props) {
  const change = (part: Partial<Built>) => onChange({ ...built, ...part });
  const matcher = (i: number, part: Partial<Matcher>) => change({ labels: built.labels.map((m, n) => (n === i ? { ...m, ...part } : m)) });
  return (
    <>
      <InlineFieldRow>
        <InlineField label="Metric" labelWidth={12}>
          <Combobox
            width={44} aria-label="Metric" placeholder="choose a metric" createCustomValue value={built.metric || null}
            options={async (typed) => matching(await metrics(), typed)} onChange={(o) => change({ metric: o.value })}
          />
        </InlineField>
      </InlineFieldRow>
      {built.labels.map((m, i) => (
        <InlineFieldRow key={i}>
          <InlineField label={i === 0 ? 'Where' : 'and'} labelWidth={12}>
            <Combobox
              width={22} aria-label={`Label ${i + 1}`} createCustomValue value={m.label || null}
              options={async (typed) => matching(choices(await labels()), typed)} onChange={(o) => matcher(i, { label: o.value })}
            />
          </InlineField>
          <Combobox width={10} aria-label={`Operator ${i + 1}`} value={m.op} options={choices(operators)} onChange={(o) => matcher(i, { op: o.value as Matcher['op'] })} />
          <Combobox
            width={30} aria-label={`Value ${i + 1}`} createCustomValue value={m.value || null}
            options={async (typed) => matching(choices(await values(m.label)), typed)} onChange={(o) => matcher(i, { value: o.value })}
          />
          <Button variant="secondary" icon="trash-alt" aria-label={`Remove ${i + 1}`} onClick={() => change({ labels: built.labels.filter((_, n) => n !== i) })} />
        </InlineFieldRow>
      ))}
      <InlineFieldRow>
        <Button variant="secondary" icon="plus" onClick={() => change({ labels: [...built.labels, { label: '', op: '=', value: '' }] })}>Matcher</Button>
      </InlineFieldRow>
      <InlineFieldRow>
        <InlineField label="Function" labelWidth={12}>
          <Combobox width={22} aria-label="Function" value={built.fn} options={choices(functions, 'none')} onChange={(o) => change({ fn: o.value as Built['fn'] })} />
        </InlineField>
        {built.fn && (
          <InlineField label="over">
            <Input width={20} aria-label="Window" value={built.window} onChange={(e) => change({ window: e.currentTarget.value })} />
          </InlineField>
        )}
        <InlineField label="Aggregate">
          <Combobox width={14} aria-label="Aggregate" value={built.aggregate} options={choices(aggregates, 'none')} onChange={(o) => change({ aggregate: o.value as Built['aggregate'] })} />
        </InlineField>
        {built.aggregate && (
          <InlineField label="by">
            <Input width={24} aria-label="By" placeholder="instance, mode" defaultValue={built.by.join(', ')} onBlur={(e) => change({ by: e.currentTarget.value.split(',').map((l) => l.trim()).filter(Boolean) })} />
          </InlineField>
        )}
      </InlineFieldRow>
    </>
  );
}
