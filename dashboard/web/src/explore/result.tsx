import { useMemo, useState } from 'react';
import { colorAt } from '../chart/colors';
import { Legend } from '../chart/legend';
import { Plot, type PlotLine } from '../chart/plot';
import { clock } from '../format';
import { useLocale } from '../i18n';
import { Scroll } from '../scroll';
import type { Answers } from './answers';
import { gridTimes, linesOn, seriesName, tallest } from './series';

/** More lines than this nobody can tell apart, and more rows nobody reads. */
const mostLines = 60;
const mostRows = 1000;

interface PlotResultProps {
  answers: Answers;
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
}

/** The lines of all queries in one plot. */
export function PlotResult({ answers, onZoom, onReset }: PlotResultProps) {
  const { t } = useLocale();
  const { list, from, to, step, loading } = answers;
  const [hovered, setHovered] = useState<number | null>(null);
  const times = useMemo(() => gridTimes(from, to, step), [from, to, step]);
  const { lines, left } = useMemo(() => drawn(answers, times), [answers.list, times]);
  const index = hovered === null ? -1 : times.indexOf(hovered);
  return (
    <section className="panel plot-panel explore-plot" aria-label={t('plot')} data-testid="explore-plot" data-loading={loading && list.length === 0}>
      <header>
        <span className="dim num" data-testid="series-count">
          {t('seriesCount', { n: lines.length + left })}
        </span>
        {hovered !== null && index >= 0 && <time className="dim num">{clock(hovered)}</time>}
      </header>
      <Plot
        label={t('plot')}
        times={times}
        lines={lines}
        unit="short"
        stacked={false}
        height={320}
        from={from}
        to={Math.max(to, from + step)}
        onZoom={onZoom}
        onReset={onReset}
        onHover={setHovered}
      />
      {left > 0 && <p className="dim">{t('linesLeftOut', { n: left, most: mostLines })}</p>}
      {lines.length > 0 ? <Legend lines={lines} index={index} unit="short" /> : !loading && <Nothing />}
    </section>
  );
}

/** Names may repeat between queries: each has its letter then. */
function drawn({ list, step }: Answers, times: number[]): { lines: PlotLine[]; left: number } {
  const asked = list.filter((a) => a.series.length > 0).length;
  const all = list.flatMap(({ series }, i) =>
    linesOn(times, step, series).map((l) => ({ ...l, label: asked > 1 ? `${String.fromCharCode(65 + i)} ${l.label}` : l.label })),
  );
  const { shown, left } = tallest(all, mostLines);
  return { lines: shown.map((l, i) => ({ ...l, color: colorAt(i) })), left };
}

function Nothing() {
  const { t } = useLocale();
  return (
    <div className="plot-message dim" role="status">
      {t('noData')}
    </div>
  );
}

/** The value of each series at the end of the range. */
export function TableResult({ answers: { list, loading } }: { answers: Answers }) {
  const { t } = useLocale();
  const series = list.flatMap((a) => a.series);
  if (series.length === 0) return <section className="panel empty dim">{loading ? '…' : t('noData')}</section>;
  return (
    <Scroll label={t('table')} className="panel" data-testid="explore-table">
      <table className="values">
        <thead>
          <tr>
            <th scope="col">{t('series')}</th>
            <th scope="col">{t('value')}</th>
          </tr>
        </thead>
        <tbody>
          {series.slice(0, mostRows).map(({ metric, values }, i) => (
            <tr key={i} data-testid="value-row">
              <th scope="row" className="mono">
                {seriesName(metric)}
              </th>
              <td className="num mono">{values.map(([at, v]) => (values.length > 1 ? `${v} @${at}` : v)).join('\n')}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {series.length > mostRows && <p className="dim values-left">{t('rowsLeftOut', { n: series.length - mostRows })}</p>}
    </Scroll>
  );
}
