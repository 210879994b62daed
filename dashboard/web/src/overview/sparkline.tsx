import { memo } from 'react';
import { sparkPoints, sparkStep, type Spark } from '../live/fleet';

const height = 28;

/**
 * The path of the line, the newest value at the right end. It is broken where
 * more than a few reports in a row are missing.
 */
export function sparkPath({ values }: Spark, top: number, interval: number): string {
  const offset = sparkPoints - values.length;
  const bridged = Math.ceil((3 * interval) / sparkStep);
  let path = '';
  let last = Number.NEGATIVE_INFINITY;
  values.forEach((v, i) => {
    if (v === null) return;
    const y = height - 2 - (Math.min(v, top) / top) * (height - 4);
    path += `${i - last > bridged ? 'M' : 'L'}${offset + i} ${y.toFixed(1)}`;
    last = i;
  });
  return path;
}

interface SparklineProps {
  spark: Spark;
  /** How often the host reports, in milliseconds. */
  interval: number;
  label: string;
}

/** The last five minutes of a ratio; its scale ends at the largest value, or 20 %. */
export const Sparkline = memo(function Sparkline({ spark, interval, label }: SparklineProps) {
  const top = Math.max(0.2, ...spark.values.map((v) => v ?? 0));
  return (
    <svg className="spark" viewBox={`0 0 ${sparkPoints - 1} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path className="spark-base" d={`M0 ${height - 1.5}H${sparkPoints - 1}`} />
      <path d={sparkPath(spark, top, interval)} />
    </svg>
  );
});
