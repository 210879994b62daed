import { Button, Popover, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Failed, useAction } from '../action';
import { addSilence, type Alert, type NewSilence } from '../api';
import { useLocale, type TextKey } from '../i18n';
import { connection } from '../live/connection';

const hour = 3_600_000;
const lengths: readonly { id: string; text: TextKey; n: number; length: number }[] = [
  { id: '1h', text: 'hours', n: 1, length: hour },
  { id: '4h', text: 'hours', n: 4, length: 4 * hour },
  { id: '1d', text: 'days', n: 1, length: 24 * hour },
];

/** A silence of this very alert, by all of its labels. It begins when the server takes it. */
export function silenceOf(alert: Alert, now: number, length: number, comment: string): NewSilence {
  return {
    matchers: Object.entries(alert.labels).map(([name, value]) => ({ name, value, isRegex: false, isEqual: true })),
    startsAt: new Date(now - 60_000).toISOString(), // the past counts as now, however the clocks differ
    endsAt: new Date(now + length).toISOString(),
    createdBy: 'dashboard',
    comment,
  };
}

/** Asks for how long, and why, then silences. */
export function SilenceButton({ alert, onDone }: { alert: Alert; onDone: () => void }) {
  const { t } = useLocale();
  const [open, setOpen] = useState(false);
  const [comment, setComment] = useState('');
  const action = useAction();
  const name = alert.labels['alertname'] ?? '';
  const silence = (length: number) =>
    action.run(
      () => addSilence(silenceOf(alert, connection.now(), length, comment.trim() || t('commentNone'))),
      () => {
        setOpen(false);
        onDone();
      },
    );
  return (
    <Popover opened={open} onChange={setOpen} position="bottom-end" width={264} shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Button size="xs" variant="default" className="line-action" data-testid="silence" onClick={() => setOpen(!open)}>
          {t('silence')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown className="silence-form" aria-label={t('silenceFor', { name })}>
        <TextInput
          size="xs"
          data-autofocus
          label={t('comment')}
          placeholder={t('commentHint')}
          data-testid="silence-comment"
          value={comment}
          onChange={(e) => setComment(e.currentTarget.value)}
        />
        <span className="dim">{t('silenceFor', { name })}</span>
        <Button.Group>
          {lengths.map(({ id, text, n, length }) => (
            <Button
              key={id}
              size="xs"
              variant="light"
              fullWidth
              disabled={action.busy}
              data-testid={`silence-${id}`}
              onClick={() => silence(length)}
            >
              {t(text, { n })}
            </Button>
          ))}
        </Button.Group>
        <Failed action={action} />
      </Popover.Dropdown>
    </Popover>
  );
}
