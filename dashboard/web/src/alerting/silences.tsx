import { Button } from '@mantine/core';
import { Failed, useAction } from '../action';
import { expireSilence, type Matcher, type Silence } from '../api';
import { clock } from '../format';
import { useLocale } from '../i18n';

/** The silences in force or to come. */
export function SilenceList({ silences, onChange }: { silences: Silence[]; onChange: () => void }) {
  const { t } = useLocale();
  if (silences.length === 0) return null;
  return (
    <section aria-labelledby="silences-title">
      <div className="toolbar">
        <h2 id="silences-title">{t('silences')}</h2>
      </div>
      <ul className="panel lines" data-testid="silence-rows">
        {silences.map((s) => (
          <SilenceRow key={s.id} silence={s} onChange={onChange} />
        ))}
      </ul>
    </section>
  );
}

function SilenceRow({ silence, onChange }: { silence: Silence; onChange: () => void }) {
  const { t } = useLocale();
  const action = useAction();
  const pending = silence.status.state === 'pending';
  return (
    <li className="line" data-testid="silence-row" data-state={silence.status.state}>
      <div className="line-main">
        <div className="line-title">
          <strong>{silence.comment}</strong>
          <span className="dim num">
            {pending && `${t('pendingSilence', { t: clock(Date.parse(silence.startsAt)) })} `}
            {t('until', { t: clock(Date.parse(silence.endsAt)) })}
          </span>
          <span className="dim">{t('by', { name: silence.createdBy })}</span>
        </div>
        <div className="labels">
          {silence.matchers.map((m) => (
            <code key={m.name + m.value} className="label">
              {m.name}
              {operatorOf(m)}
              {m.value}
            </code>
          ))}
        </div>
        <Failed action={action} />
      </div>
      <Button
        size="xs"
        variant="default"
        className="line-action"
        aria-label={t('expireThis', { comment: silence.comment })}
        data-testid="expire"
        disabled={action.busy}
        onClick={() => action.run(() => expireSilence(silence.id), onChange)}
      >
        {t('expire')}
      </Button>
    </li>
  );
}

const operatorOf = ({ isEqual, isRegex }: Matcher): string => (isEqual ? (isRegex ? '=~' : '=') : isRegex ? '!~' : '!=');
