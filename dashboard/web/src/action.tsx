import { useState } from 'react';
import { useLocale } from './i18n';

export interface Action {
  busy: boolean;
  error: string | null;
  /** Does it, unless it is being done; then calls done. */
  run: (act: () => Promise<void>, done: () => void) => void;
  forget: () => void;
}

/** Something that a person does and the server may refuse. */
export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const run = (act: () => Promise<void>, done: () => void) => {
    if (busy) return;
    setBusy(true);
    setError(null);
    act()
      .then(done, (e: unknown) => setError(e instanceof Error ? e.message : String(e)))
      .finally(() => setBusy(false));
  };
  return { busy, error, run, forget: () => setError(null) };
}

/** Why the last try failed. */
export function Failed({ action }: { action: Action }) {
  const { t } = useLocale();
  if (action.error === null) return null;
  return (
    <p className="failed" role="alert" data-testid="failed">
      {t('failed', { reason: action.error })}
    </p>
  );
}
