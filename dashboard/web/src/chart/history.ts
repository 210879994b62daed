import { useCallback, useEffect, useMemo, useReducer, useState } from 'react';
import { queryRange } from '../api';
import { connection } from '../live/connection';
import type { HostFeed } from '../live/host';
import { gridOf, joined, type Columns } from './columns';
import { promqlOfLines, type Expr } from './expr';
import type { Panel } from './panels';
import { Tail } from './tail';
import { stepOf, windowOf, type TimeRange } from './timerange';

const nothing: Columns = { times: [], lines: new Map() };

export interface PanelData {
  columns: Columns;
  loading: boolean;
  error: string | null;
  retry: () => void;
}

interface History {
  columns: Columns;
  loading: boolean;
  error: string | null;
}

/** What a panel shows of a host: history, moved on by the live stream if the range does. */
export function usePanelData(panel: Panel, host: string, feed: HostFeed, range: TimeRange, interval: number): PanelData {
  const lines = useMemo(() => panel.lines.map((l) => l.expr), [panel]);
  const length = range.kind === 'last' ? range.length : range.to - range.from;
  const fixedFrom = range.kind === 'fixed' ? range.from : null;
  const step = stepOf(length, interval);
  const [tries, reload] = useReducer((n: number) => n + 1, 0);
  const [history, setHistory] = useState<History>({ columns: nothing, loading: true, error: null });
  const tail = useTail(lines, feed, fixedFrom === null, interval, step, length, reload);

  useEffect(() => {
    const abort = new AbortController();
    setHistory((h) => ({ ...h, loading: true }));
    const to = fixedFrom === null ? connection.now() : fixedFrom + length;
    load(lines, host, to - length, to, step, windowOf(step, interval), abort.signal).then(
      (columns) => setHistory({ columns, loading: false, error: null }),
      (e: unknown) => {
        if (abort.signal.aborted) return;
        setHistory({ columns: nothing, loading: false, error: e instanceof Error ? e.message : String(e) });
      },
    );
    return () => abort.abort();
  }, [lines, host, length, fixedFrom, step, interval, tries]);

  const columns = useMemo(() => joined(history.columns, tail), [history, tail]);
  return { columns, loading: history.loading, error: history.error, retry: useCallback(() => reload(), []) };
}

async function load(
  lines: readonly Expr[],
  host: string,
  from: number,
  to: number,
  step: number,
  window: number,
  signal: AbortSignal,
): Promise<Columns> {
  const start = Math.ceil(from / step) * step;
  const end = Math.floor(to / step) * step;
  const matrix = await queryRange(promqlOfLines(lines, host, window), start, end, step, signal);
  return gridOf(matrix, lines.map(groupLabel), start, end, step);
}

const groupLabel = (e: Expr): string => (e.kind === 'metric' ? e.by : groupLabel(e.left));

/** The live points of a panel. Whenever the stream begins anew, history fills what was missed. */
function useTail(
  lines: readonly Expr[],
  feed: HostFeed,
  moving: boolean,
  interval: number,
  step: number,
  length: number,
  reload: () => void,
): readonly Tail['points'][number][] {
  const [points, setPoints] = useState<Tail['points']>([]);
  useEffect(() => {
    setPoints([]);
    if (!moving) return;
    const tail = new Tail(lines, interval, step, length);
    tail.rebase(feed.series);
    return feed.subscribe((e) => {
      if (e.kind === 'snapshot') {
        tail.rebase(feed.series);
        reload();
      }
      if (e.kind === 'samples' && tail.take(feed.series, e.time, e.names)) setPoints(tail.points);
    });
  }, [lines, feed, moving, interval, step, length, reload]);
  return points;
}
