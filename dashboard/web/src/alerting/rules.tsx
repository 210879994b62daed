import { Badge } from '@mantine/core';
import type { Rule, RuleGroup } from '../api';
import { clock } from '../format';
import { useLocale, type TextKey } from '../i18n';

/** Every rule with its state, by group. */
export function Rules({ groups }: { groups: RuleGroup[] }) {
  const { t } = useLocale();
  return (
    <section aria-labelledby="rules-title">
      <div className="toolbar">
        <h2 id="rules-title">{t('rules')}</h2>
        <span className="dim num">{groups.reduce((n, g) => n + g.rules.length, 0)}</span>
      </div>
      {groups.length === 0 && <p className="panel quiet dim">{t('noRules')}</p>}
      {groups.map((g) => (
        <Group key={`${g.file}\n${g.name}`} group={g} />
      ))}
    </section>
  );
}

function Group({ group }: { group: RuleGroup }) {
  const { t } = useLocale();
  return (
    <table className="panel rules" role="table" data-testid="rule-group">
      <caption>
        <strong>{group.name}</strong> <span className="dim mono">{group.file}</span>
      </caption>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader">{t('rule')}</th>
          <th role="columnheader">{t('state')}</th>
          <th role="columnheader">{t('health')}</th>
          <th role="columnheader">{t('evaluated')}</th>
          <th role="columnheader">{t('expression')}</th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {group.rules.map((r, i) => (
          <RuleRow key={`${r.name} ${i}`} rule={r} />
        ))}
      </tbody>
    </table>
  );
}

const states: Record<string, { text: TextKey; color: string }> = {
  firing: { text: 'ruleFiring', color: 'red' },
  pending: { text: 'rulePending', color: 'orange' },
  inactive: { text: 'ruleInactive', color: 'gray' },
  unknown: { text: 'ruleUnknown', color: 'gray' },
  recording: { text: 'ruleRecording', color: 'blue' },
};

function RuleRow({ rule }: { rule: Rule }) {
  const { t } = useLocale();
  const state = rule.type === 'recording' ? 'recording' : (rule.state ?? 'unknown');
  const { text, color } = states[state] ?? { text: 'ruleUnknown', color: 'gray' };
  const evaluated = Date.parse(rule.lastEvaluation);
  return (
    <tr role="row" data-testid="rule-row" data-rule={rule.name} data-state={state}>
      <th role="rowheader" scope="row">
        {rule.name}
      </th>
      <td role="cell">
        <Badge color={color} variant="light" size="sm" radius="sm">
          {t(text)}
        </Badge>
      </td>
      <td role="cell" data-health={rule.health} data-testid="rule-health">
        {rule.health}
      </td>
      <td role="cell" className="num dim">
        {evaluated > 0 ? clock(evaluated) : t('never')}
      </td>
      <td role="cell" className="expression">
        <code className="mono">{rule.query}</code>
        {rule.lastError && <p className="failed">{rule.lastError}</p>}
      </td>
    </tr>
  );
}
