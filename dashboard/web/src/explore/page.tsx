import { ActionIcon, Button, SegmentedControl } from '@mantine/core';
import { lazy, Suspense, useEffect } from 'react';
import './explore.css';
import { TimePicker } from '../chart/picker';
import { rangeOf, useStableRange } from '../chart/timerange';
import { useLocale } from '../i18n';
import { Cross } from '../icons';
import { useConnected } from '../live/stream';
import { go, useQuery } from '../route';
import { queriesOf, viewOf, withQueries } from './address';
import { useAnswers } from './answers';
import { csvOf, download } from './csv';
import { PlotResult, TableResult } from './result';

const Editor = lazy(() => import('./editor'));

/** More queries than this are not shown side by side. */
const mostQueries = 8;

/** PromQL over history: as a plot or a table, shared by its address. */
export default function ExplorePage() {
  const { t } = useLocale();
  useConnected();
  const [address, change] = useQuery();
  const queries = queriesOf(address);
  const view = viewOf(address);
  const { range, key } = rangeOf(address);
  const answers = useAnswers(queries, useStableRange(range), view);
  const setQueries = (next: string[]) => go(`${location.pathname}?${withQueries(address, next)}`, false);
  const fix = (from: number, to: number) => change({ from: String(from), to: String(to) }, true);
  const reset = () => change({ from: null, to: null });
  useEffect(() => {
    document.title = `thump · ${t('explore')}`;
  }, [t]);
  return (
    <>
      <section aria-label={t('queries')} className="queries">
        {queries.map((q, i) => (
          <QueryRow
            key={i}
            index={i}
            text={q}
            error={answers.list[i]?.error ?? null}
            onRun={(text) => (text === q ? answers.refresh() : setQueries(queries.with(i, text)))}
            onRemove={queries.length > 1 ? () => setQueries(queries.toSpliced(i, 1)) : undefined}
          />
        ))}
        <div className="toolbar">
          <Button
            variant="default"
            size="sm"
            disabled={queries.length >= mostQueries}
            data-testid="add-query"
            onClick={() => setQueries([...queries, ''])}
          >
            {t('addQuery')}
          </Button>
          <SegmentedControl
            aria-label={t('view')}
            data-testid="view"
            size="sm"
            value={view}
            onChange={(v) => change({ view: v === 'table' ? v : null })}
            data={[
              { value: 'plot', label: t('plot') },
              { value: 'table', label: t('table') },
            ]}
          />
          <TimePicker range={range} chosen={key} onChoose={(k) => change({ range: k, from: null, to: null })} onFix={fix} onReset={reset} />
          <span className="spacer" />
          <Button
            variant="default"
            size="sm"
            data-testid="csv"
            disabled={answers.list.every((a) => a.series.length === 0)}
            onClick={() => download('thump.csv', csvOf(answers.list.flatMap((a) => a.series)))}
          >
            CSV
          </Button>
        </div>
      </section>
      {view === 'plot' ? <PlotResult answers={answers} onZoom={fix} onReset={reset} /> : <TableResult answers={answers} />}
    </>
  );
}

interface QueryRowProps {
  index: number;
  text: string;
  error: string | null;
  onRun: (text: string) => void;
  onRemove: (() => void) | undefined;
}

function QueryRow({ index, text, error, onRun, onRemove }: QueryRowProps) {
  const { t } = useLocale();
  const label = t('queryN', { n: index + 1 });
  return (
    <div className="query panel" data-failed={error !== null || undefined}>
      <span className="query-letter num" aria-hidden="true">
        {String.fromCharCode(65 + index)}
      </span>
      <Suspense fallback={<span className="mono query-text">{text}</span>}>
        <Editor label={label} hint={t('queryHint')} value={text} onRun={onRun} />
      </Suspense>
      {onRemove && (
        <ActionIcon variant="subtle" color="gray" aria-label={t('removeQuery', { n: index + 1 })} data-testid="remove-query" onClick={onRemove}>
          <Cross />
        </ActionIcon>
      )}
      {error !== null && (
        <p className="failed" role="alert" data-testid="query-error">
          {error}
        </p>
      )}
    </div>
  );
}
