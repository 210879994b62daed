import { Button, Popover, SegmentedControl, TextInput } from '@mantine/core';
import { useState } from 'react';
import { clock } from '../format';
import { useLocale } from '../i18n';
import { fromLocal, ranges, toLocal, type TimeRange } from './timerange';

interface TimePickerProps {
  range: TimeRange;
  chosen: string | null;
  onChoose: (key: string) => void;
  onFix: (from: number, to: number) => void;
  onReset: () => void;
}

/** The last so long, or from a time to another one. */
export function TimePicker({ range, chosen, onChoose, onFix, onReset }: TimePickerProps) {
  const { t } = useLocale();
  return (
    <>
      <SegmentedControl
        aria-label={t('timeRange')}
        data-testid="time-range"
        size="sm"
        value={chosen ?? ''}
        onChange={onChoose}
        data={ranges.map((r) => ({ value: r.key, label: r.key === 'live' ? t('live') : r.key }))}
      />
      <FixedRange range={range} onFix={onFix} />
      {range.kind === 'fixed' ? (
        <>
          <span className="num dim">
            {clock(range.from)} – {clock(range.to)}
          </span>
          <Button size="sm" variant="light" onClick={onReset} data-testid="back-to-live">
            {t('backToLive')}
          </Button>
        </>
      ) : (
        <span className="dim zoom-hint">{t('zoomHint')}</span>
      )}
    </>
  );
}

/** Two times, in this browser's zone. */
function FixedRange({ range, onFix }: Pick<TimePickerProps, 'range' | 'onFix'>) {
  const { t } = useLocale();
  const [opened, setOpened] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const open = () => {
    const end = range.kind === 'fixed' ? range.to : Date.now();
    setFrom(toLocal(range.kind === 'fixed' ? range.from : end - range.length));
    setTo(toLocal(end));
    setOpened(!opened);
  };
  const [begin, end] = [fromLocal(from), fromLocal(to)];
  const valid = begin !== null && end !== null && begin < end;
  const apply = () => {
    if (!valid) return;
    onFix(begin, end);
    setOpened(false);
  };
  return (
    <Popover opened={opened} onChange={setOpened} trapFocus position="bottom-start" shadow="md">
      <Popover.Target>
        <Button size="sm" variant="default" data-testid="time-fixed" aria-expanded={opened} onClick={open}>
          {t('fromTo')}
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          className="fixed-range"
          onSubmit={(e) => {
            e.preventDefault();
            apply();
          }}
        >
          <TextInput type="datetime-local" step="1" label={t('from')} data-testid="time-from" value={from} onChange={(e) => setFrom(e.currentTarget.value)} />
          <TextInput
            type="datetime-local"
            step="1"
            label={t('to')}
            data-testid="time-to"
            value={to}
            onChange={(e) => setTo(e.currentTarget.value)}
            error={!valid && from && to ? t('fromBeforeTo') : undefined}
          />
          <Button type="submit" disabled={!valid} data-testid="time-apply">
            {t('apply')}
          </Button>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
