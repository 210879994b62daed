import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Num } from '../live/events';
import { formatOf, type Unit } from '../format';
import { stacked as pileUp } from './columns';

export interface PlotLine {
  label: string;
  color: string;
  values: Num[];
}

export interface PlotProps {
  label: string;
  times: number[]; // milliseconds
  lines: PlotLine[];
  unit: Unit;
  stacked: boolean;
  height?: number; // pixels
  from: number;
  to: number;
  onZoom: (from: number, to: number) => void;
  onReset: () => void;
  /** The time under the cursor, or null. */
  onHover: (time: number | null) => void;
}

const usualHeight = 168;

/** The least upper end of an axis, so that noise does not look like load. */
const leastMax: Record<Unit, number> = { percent: 0.1, bytes: 1024, bytesPerSecond: 1000, perSecond: 1, short: 1 };

/** A time series plot whose cursor is shared by all on the page. */
export function Plot(props: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const dark = useComputedColorScheme('light') === 'dark';
  const height = props.height ?? usualHeight;
  const identity = props.lines.map((l) => l.label + l.color).join('\n');

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const u = new uPlot(optionsOf(latest, element.clientWidth, height, dark), dataOf(latest.current), element);
    plot.current = u;
    setWindow(u, latest.current);
    const resize = new ResizeObserver(() => u.setSize({ width: element.clientWidth, height }));
    resize.observe(element);
    return () => {
      resize.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [identity, dark, height, props.stacked, props.unit]);

  useEffect(() => {
    const u = plot.current;
    if (!u || u.series.length !== props.lines.length + 1) return;
    u.batch(() => {
      u.setData(dataOf(props), false);
      setWindow(u, props);
    });
  });

  return <div ref={box} className="plot" style={{ height }} role="img" aria-label={props.label} />;
}

function setWindow(u: uPlot, { from, to }: PlotProps): void {
  u.setScale('x', { min: from / 1000, max: to / 1000 });
}

function dataOf({ times, lines, stacked }: PlotProps): uPlot.AlignedData {
  const values = lines.map((l) => l.values);
  return [times.map((t) => t / 1000), ...(stacked ? pileUp(values) : values)] as uPlot.AlignedData;
}

function optionsOf(latest: { current: PlotProps }, width: number, height: number, dark: boolean): uPlot.Options {
  const { lines, stacked, unit } = latest.current;
  return {
    width,
    height,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    scales: { x: { time: true, auto: false }, y: { range: (_, min, max) => yRange(min, max, unit) } },
    axes: axesOf(unit, dark),
    series: [{}, ...lines.map((l, i) => seriesOf(l, stacked, i))],
    bands: stacked ? lines.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as [number, number] })) : [],
    cursor: cursorOf(latest),
    hooks: {
      setSelect: [(u) => zoom(u, latest.current)],
      setCursor: [(u) => latest.current.onHover(hovered(u, latest.current.times))],
    },
  };
}

function seriesOf({ color, label }: PlotLine, stacked: boolean, index: number): uPlot.Series {
  return {
    label,
    stroke: color,
    width: stacked ? 1 : 1.5,
    points: { show: false },
    ...(stacked ? { fill: `${color}b0` } : index === 0 ? { fill: `${color}1c` } : {}),
  };
}

/** From zero on, or from below where there are values below. */
function yRange(min: number | null, max: number | null, unit: Unit): [number, number] {
  const least = leastMax[unit];
  if (min === null || max === null || !Number.isFinite(max) || !Number.isFinite(min)) return [0, least];
  const top = max <= 0 && min < 0 ? 0 : Math.max(max * 1.1, least);
  return [Math.min(0, min * 1.1), unit === 'percent' && max <= 1.02 ? Math.min(top, 1.02) : top];
}

function hovered(u: uPlot, times: number[]): number | null {
  const inside = (u.cursor.left ?? -1) >= 0;
  return inside && u.cursor.idx != null ? (times[u.cursor.idx] ?? null) : null;
}

/** Steps of an axis of bytes: powers of two, so that labels are round. */
const binarySteps = Array.from({ length: 54 }, (_, i) => 2 ** i);

function axesOf(unit: Unit, dark: boolean): uPlot.Axis[] {
  const stroke = dark ? '#8d96a3' : '#6b7480';
  const grid = { stroke: dark ? '#ffffff12' : '#0b1b2b12', width: 1 };
  const font = '11px system-ui, sans-serif';
  const format = formatOf[unit];
  return [
    { stroke, grid: { show: false }, ticks: { stroke: grid.stroke, size: 4 }, font, space: 64, size: 28, values: clockLabels },
    {
      stroke,
      grid,
      ticks: { show: false },
      font,
      size: 72,
      space: 30,
      values: (_, splits) => splits.map((v) => (v === 0 ? '0' : format(v).replace(/\.0+(?=\D|$)/, ''))),
      ...(unit === 'bytes' ? { incrs: binarySteps } : {}),
    },
  ];
}

const two = (n: number): string => String(n).padStart(2, '0');

/** Labels of the time axis: the date where a day begins, or else the time. */
function clockLabels(_: uPlot, splits: number[], __: number, ___: number, increment: number): string[] {
  return splits.map((s) => {
    const d = new Date(s * 1000);
    const midnight = d.getHours() === 0 && d.getMinutes() === 0 && d.getSeconds() === 0;
    if (midnight || increment >= 86400) return `${d.getMonth() + 1}-${two(d.getDate())}`;
    const time = `${two(d.getHours())}:${two(d.getMinutes())}`;
    return increment < 60 ? `${time}:${two(d.getSeconds())}` : time;
  });
}

/** Plots of a page share where the cursor is, but each is zoomed by its own drag. */
const shared = (type: string): boolean => type === 'mousemove' || type === 'mouseleave';

function cursorOf(latest: { current: PlotProps }): uPlot.Cursor {
  return {
    y: false,
    drag: { x: true, y: false, setScale: false },
    focus: { prox: -1 },
    points: { size: 6 },
    sync: { key: 'host', setSeries: false, scales: ['x', null], filters: { pub: shared, sub: shared } },
    bind: {
      dblclick: () => () => {
        latest.current.onReset();
        return null;
      },
    },
  };
}

function zoom(u: uPlot, { onZoom }: PlotProps): void {
  const { left, width } = u.select;
  if (width < 6) return;
  const from = u.posToVal(left, 'x') * 1000;
  const to = u.posToVal(left + width, 'x') * 1000;
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onZoom(Math.round(from), Math.round(to));
}
