import type { Num } from './live/events';

export type Level = 'calm' | 'high' | 'full';

export const levelOf = (ratio: number): Level => (ratio >= 0.92 ? 'full' : ratio >= 0.8 ? 'high' : 'calm');

/**
 * A thin bar for a ratio; the number beside it is what is read out. Its first
 * value stands at once: it does not grow from nothing, which would show what is not so.
 */
export function Meter({ ratio }: { ratio: Num }) {
  const r = Math.min(1, Math.max(0, ratio ?? 0));
  return (
    <span className="meter" data-level={levelOf(r)} data-testid="meter" aria-hidden="true">
      <span key={ratio === null ? 'unknown' : 'known'} style={{ transform: `scaleX(${r.toFixed(3)})` }} />
    </span>
  );
}
