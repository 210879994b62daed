import { formatOf, type Unit } from '../format';
import { useLocale } from '../i18n';
import type { Num } from '../live/events';
import type { PlotLine } from './plot';

export interface Summary {
  last: Num;
  min: Num;
  avg: Num;
  max: Num;
}

/** What a line amounts to over the time shown; all null of one without a value. */
export function summaryOf(values: readonly Num[]): Summary {
  const known = values.filter((v): v is number => v !== null);
  if (known.length === 0) return { last: null, min: null, avg: null, max: null };
  return {
    last: values.at(-1) ?? values.at(-2) ?? null,
    min: known.reduce((a, b) => Math.min(a, b)),
    avg: known.reduce((a, b) => a + b) / known.length,
    max: known.reduce((a, b) => Math.max(a, b)),
  };
}

/** The lines of a plot: the value under the cursor or the last, and what they amount to. */
export function Legend({ lines, index, unit }: { lines: PlotLine[]; index: number; unit: Unit }) {
  const { t } = useLocale();
  const format = formatOf[unit];
  return (
    <div className="scroll">
      <table className="legend">
        <thead>
          <tr>
            <th scope="col">
              <span className="sr-only">{t('series')}</span>
            </th>
            <th scope="col">{t(index < 0 ? 'last' : 'atCursor')}</th>
            <th scope="col">{t('min')}</th>
            <th scope="col">{t('avg')}</th>
            <th scope="col">{t('max')}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((l) => {
            const { last, min, avg, max } = summaryOf(l.values);
            return (
              <tr key={l.label}>
                <th scope="row">
                  <span className="swatch" style={{ background: l.color }} aria-hidden="true" />
                  <span className="legend-name">{l.label}</span>
                </th>
                <td className="num" data-testid="legend-value">
                  {format(index < 0 ? last : l.values[index])}
                </td>
                <td className="num">{format(min)}</td>
                <td className="num">{format(avg)}</td>
                <td className="num">{format(max)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
