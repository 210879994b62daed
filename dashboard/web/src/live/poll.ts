import { useEffect, useMemo, useReducer, useState } from 'react';

/** What a repeated request last gave; data stays when a later one fails. */
export interface Polled<T> {
  data: T | null;
  error: string | null;
  /** Asks now. */
  refresh: () => void;
}

/** Asks at once and then every so many milliseconds, while the page is visible. */
export function usePoll<T>(ask: (signal: AbortSignal) => Promise<T>, every: number): Polled<T> {
  const [state, setState] = useState<Omit<Polled<T>, 'refresh'>>({ data: null, error: null });
  const [round, refresh] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const run = async () => {
      if (!document.hidden) {
        try {
          const data = await ask(abort.signal);
          if (abort.signal.aborted) return;
          setState({ data, error: null });
        } catch (e) {
          if (abort.signal.aborted) return;
          setState((s) => ({ data: s.data, error: e instanceof Error ? e.message : String(e) }));
        }
      }
      if (!abort.signal.aborted) timer = setTimeout(run, every);
    };
    void run();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [ask, every, round]);
  return useMemo(() => ({ ...state, refresh }), [state]);
}
