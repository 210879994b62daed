import { count, perSecond } from '../format';
import { useLocale, type Translate } from '../i18n';
import { Scroll } from '../scroll';
import type { Flow, Station } from './flow';

const [width, boxWidth, boxHeight, gap] = [1120, 232, 54, 16];
/** Where the four columns begin. */
const columnX = [0, 296, 592, width - boxWidth] as const;

/** The pipeline as a picture: publishers, exchange, queues, subscribers, with what flows between. */
export function FlowPicture({ flow }: { flow: Flow }) {
  const { t } = useLocale();
  const rows = Math.max(flow.branches.length, 1);
  const height = rows * (boxHeight + gap) - gap;
  const middle = height / 2 - boxHeight / 2;
  return (
    <Scroll label={t('flow')}>
      <svg className="flow" viewBox={`-1 -1 ${width + 2} ${height + 2}`} role="img" aria-label={t('flow')} data-testid="flow" style={{ minWidth: 760 }}>
        <Pipe column={0} fromY={middle} toY={middle} rate={flow.source.rate} />
        {flow.branches.map(({ station, reader }, i) => {
          const y = i * (boxHeight + gap);
          return (
            <g key={station.id}>
              <Pipe column={1} fromY={middle} toY={y} rate={station.rate} />
              <Pipe column={2} fromY={y} toY={y} rate={reader.rate} />
              <Box station={station} column={2} y={y} />
              <Box station={reader} column={3} y={y} />
            </g>
          );
        })}
        <Box station={flow.publishers} column={0} y={middle} />
        <Box station={flow.source} column={1} y={middle} />
      </svg>
      {flow.left > 0 && <p className="dim">{t('viewsLeftOut', { n: flow.left })}</p>}
    </Scroll>
  );
}

function Box({ station, column, y }: { station: Station; column: 0 | 1 | 2 | 3; y: number }) {
  const { t } = useLocale();
  return (
    <g transform={`translate(${columnX[column]} ${y})`} className="station" data-kind={station.kind} data-testid="station">
      <title>{nameOf(station, t)}</title>
      <rect width={boxWidth} height={boxHeight} rx="9" />
      <text x="14" y="22" className="station-name">
        {clipped(nameOf(station, t))}
      </text>
      <text x="14" y="41" className="station-state num">
        {stateOf(station, t)}
      </text>
    </g>
  );
}

/** As many letters as fit a box. */
const clipped = (name: string): string => (name.length > 24 ? `${name.slice(0, 23)}…` : name);

function nameOf({ kind, name }: Station, t: Translate): string {
  switch (kind) {
    case 'publishers':
      return t('publishers');
    case 'taps':
      return t('taps', { n: name });
    case 'subscriber':
      return name || t('nobodyReads');
    default:
      return name;
  }
}

function stateOf({ kind, rate, waiting }: Station, t: Translate): string {
  const passing = rate === null ? '' : perSecond(rate);
  if (kind === 'queue') return `${passing} · ${t('waitingN', { n: count(waiting) })}`;
  if (kind === 'subscriber') return `${passing} · ${t('unackedN', { n: count(waiting) })}`;
  return passing;
}

/** From the right side of a column's box to the left side of the next one's; thicker where more flows. */
function Pipe({ column, fromY, toY, rate }: { column: 0 | 1 | 2; fromY: number; toY: number; rate: number | null }) {
  const [x1, x2] = [columnX[column] + boxWidth, columnX[column + 1] ?? 0];
  const [y1, y2] = [fromY + boxHeight / 2, toY + boxHeight / 2];
  const bend = (x1 + x2) / 2;
  const path = `M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`;
  return <path className="pipe" data-flows={(rate ?? 0) > 0 || undefined} d={path} strokeWidth={1.5 + Math.min(4, Math.log10(1 + (rate ?? 0)))} />;
}
