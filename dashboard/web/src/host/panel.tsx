import { Button, Tooltip } from '@mantine/core';
import { useEffect, useMemo, useState } from 'react';
import { lineKey, lineOf, type Columns, type LineKey } from '../chart/columns';
import { colorOf } from '../chart/colors';
import { metricsOf } from '../chart/expr';
import { usePanelData } from '../chart/history';
import type { Panel } from '../chart/panels';
import { Legend } from '../chart/legend';
import { Plot, type PlotLine } from '../chart/plot';
import { windowAt, type TimeRange } from '../chart/timerange';
import { clock } from '../format';
import { useLocale, type Translate } from '../i18n';
import { useNow } from '../live/clock';
import type { HostFeed } from '../live/host';

/** More lines than this nobody can tell apart; those with the largest peaks are shown. */
const mostLines = 16;

interface PanelProps {
  panel: Panel;
  host: string;
  feed: HostFeed;
  range: TimeRange;
  interval: number;
  /** When the data of the page begins, and what tells it of this panel's. */
  earliest: number;
  onEarliest: (panel: string, time: number) => void;
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
}

/** A plot with its title and legend. */
export function PanelView({ panel, host, feed, range, interval, earliest, onEarliest, onZoom, onReset }: PanelProps) {
  const { t } = useLocale();
  const { columns, loading, error, retry } = usePanelData(panel, host, feed, range, interval);
  const [hovered, setHovered] = useState<number | null>(null);
  const lines = useMemo(() => linesOf(panel, columns, t), [panel, columns, t]);
  const title = t(panel.title);
  const first = columns.times[0];
  useEffect(() => {
    if (first !== undefined) onEarliest(panel.id, first);
  }, [panel, first, onEarliest]);
  const missing = panel.zero && lines.length > 0 && lines.every((l) => l.values.every((v) => !v));
  const index = hovered === null ? -1 : columns.times.indexOf(hovered);
  return (
    <section className="panel plot-panel" aria-label={title} data-testid={`panel-${panel.id}`} data-loading={loading}>
      <header>
        <Tooltip label={<MetricNames panel={panel} />} multiline openDelay={300} events={{ hover: true, focus: true, touch: false }}>
          <h3>{title}</h3>
        </Tooltip>
        {hovered !== null && index >= 0 && <time className="dim num">{clock(hovered)}</time>}
      </header>
      <MovingPlot
        label={title}
        times={columns.times}
        lines={lines}
        unit={panel.unit}
        stacked={panel.stacked ?? false}
        range={range}
        earliest={earliest}
        onZoom={onZoom}
        onReset={onReset}
        onHover={setHovered}
      />
      {lines.length > 0 && !missing && <Legend lines={lines} index={index} unit={panel.unit} />}
      {panel.zero && missing && <div className="plot-message dim">{t(panel.zero)}</div>}
      {lines.length === 0 && !loading && (
        <div className="plot-message dim" role="status">
          {error ? `${t('historyFailed')}: ${error}` : t('noData')}
          {error && (
            <Button size="compact-sm" variant="light" onClick={retry}>
              {t('retry')}
            </Button>
          )}
        </div>
      )}
    </section>
  );
}

type MovingPlotProps = Omit<Parameters<typeof Plot>[0], 'from' | 'to'> & { range: TimeRange; earliest: number };

/** A plot whose right end is now, if the range is one that moves. */
function MovingPlot({ range, earliest, ...rest }: MovingPlotProps) {
  const now = useNow(range.kind === 'last' ? Math.max(1, Math.floor(range.length / 600_000)) : 60);
  return <Plot {...rest} {...windowAt(range, now, earliest)} />;
}

function MetricNames({ panel }: { panel: Panel }) {
  return [...new Set(panel.lines.flatMap((l) => metricsOf(l.expr)))].map((name) => (
    <div key={name} className="mono">
      {name}
    </div>
  ));
}

/** The lines in the order of the panel, named and coloured. */
function linesOf(panel: Panel, columns: Columns, t: Translate): PlotLine[] {
  const keys = loudest(busy([...columns.lines.keys()], columns), columns).sort(comparator(panel));
  return keys.map((key, i) => {
    const { line, group } = lineOf(key);
    const spec = panel.lines[line];
    const name = spec?.plain ?? (spec?.text ? t(spec.text) : '');
    return {
      label: [group, name].filter(Boolean).join(' '),
      color: colorOf(panel.id, line, group, i),
      values: columns.lines.get(lineKey(line, group)) ?? [],
    };
  });
}

/** Without the devices on which nothing happened, if there are others. */
function busy(keys: LineKey[], columns: Columns): LineKey[] {
  const idle = new Set<string>();
  for (const group of new Set(keys.map((k) => lineOf(k).group))) {
    const own = keys.filter((k) => lineOf(k).group === group);
    if (group && own.every((k) => columns.lines.get(k)?.every((v) => !v))) idle.add(group);
  }
  const left = keys.filter((k) => !idle.has(lineOf(k).group));
  return left.length > 0 ? left : keys;
}

function loudest(keys: LineKey[], columns: Columns): LineKey[] {
  if (keys.length <= mostLines) return keys;
  const peak = (key: LineKey) => (columns.lines.get(key) ?? []).reduce<number>((max, v) => Math.max(max, v ?? 0), 0);
  return keys
    .map((key) => ({ key, peak: peak(key) }))
    .sort((a, b) => b.peak - a.peak)
    .slice(0, mostLines)
    .map(({ key }) => key);
}

const comparator =
  ({ order }: Panel) =>
  (a: LineKey, b: LineKey): number => {
    const [x, y] = [lineOf(a), lineOf(b)];
    const rank = (group: string) => {
      const i = order?.indexOf(group) ?? -1;
      return i < 0 ? Number.MAX_SAFE_INTEGER : i;
    };
    return rank(x.group) - rank(y.group) || x.group.localeCompare(y.group, undefined, { numeric: true }) || x.line - y.line;
  };
