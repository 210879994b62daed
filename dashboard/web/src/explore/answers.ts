import { useEffect, useReducer, useState } from 'react';
import { instant, queryRange, type MatrixSeries } from '../api';
import { stepOf, windowAt, type TimeRange } from '../chart/timerange';
import { connection } from '../live/connection';
import type { View } from './address';

/** What one query gave. */
export interface Answer {
  series: MatrixSeries[];
  error: string | null;
}

export interface Answers {
  /** One for each query; an empty query has none. */
  list: Answer[];
  from: number; // milliseconds
  to: number;
  step: number;
  loading: boolean;
}

const nothing: Answers = { list: [], from: 0, to: 0, step: 1000, loading: false };

/** A moving range is asked for anew this often at most, in milliseconds. */
const refreshLeast = 5_000;

/** Between two points of a plot, in milliseconds, if the data were that dense. */
const densest = 1_000;

/** Asks each query, and again as time passes if the range moves. */
export function useAnswers(queries: readonly string[], range: TimeRange, view: View): Answers & { refresh: () => void } {
  const [answers, setAnswers] = useState(nothing);
  const [round, refresh] = useReducer((n: number) => n + 1, 0);
  const key = JSON.stringify(queries);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const run = async () => {
      if (!document.hidden) {
        setAnswers((a) => ({ ...a, loading: true }));
        const next = await askAll(JSON.parse(key) as string[], range, view, abort.signal);
        if (abort.signal.aborted) return;
        setAnswers(next);
      }
      if (range.kind === 'last' && !abort.signal.aborted) timer = setTimeout(run, Math.max(refreshLeast, range.length / 360));
    };
    void run();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [key, range, view, round]);
  return { ...answers, refresh };
}

async function askAll(queries: readonly string[], range: TimeRange, view: View, signal: AbortSignal): Promise<Answers> {
  const { from, to } = windowAt(range, connection.now(), 0);
  const step = stepOf(to - from, densest);
  const start = Math.ceil(from / step) * step;
  const end = Math.floor(to / step) * step;
  const ask = (q: string) => (view === 'plot' ? queryRange(q, start, end, step, signal) : instant(q, to, signal));
  const list = await Promise.all(queries.map((q) => (q.trim() === '' ? { series: [], error: null } : caught(ask(q)))));
  return { list, from: start, to: end, step, loading: false };
}

async function caught(asked: Promise<MatrixSeries[]>): Promise<Answer> {
  try {
    return { series: await asked, error: null };
  } catch (e) {
    return { series: [], error: e instanceof Error ? e.message : String(e) };
  }
}
