/**
 * What a plot shows is said once, as an expression, and read in two ways: as
 * PromQL for history and as arithmetic over the live stream.
 */
import type { Series } from '../live/series';

export interface Selector {
  kind: 'metric';
  name: string;
  /** Labels that must match as a whole; with ! in front of the pattern, must not. */
  match: Record<string, string>;
  /** A counter, of which the rate per second is meant; or else a gauge. */
  counter: boolean;
  agg: 'sum' | 'avg' | 'max';
  by: string;
}

export type Expr = Selector | { kind: 'minus'; left: Expr; right: Expr };

type Options = Partial<Pick<Selector, 'match' | 'agg' | 'by'>>;

export function counter(name: string, options: Options = {}): Expr {
  return { kind: 'metric', name, match: {}, counter: true, agg: 'sum', by: '', ...options };
}

export function gauge(name: string, options: Options = {}): Expr {
  return { kind: 'metric', name, match: {}, counter: false, agg: 'sum', by: '', ...options };
}

export function minus(left: Expr, right: Expr): Expr {
  return { kind: 'minus', left, right };
}

/** The metrics that an expression reads. */
export function metricsOf(e: Expr): string[] {
  return e.kind === 'metric' ? [e.name] : [...metricsOf(e.left), ...metricsOf(e.right)];
}

const quote = (s: string): string => JSON.stringify(s);

/**
 * The expression as PromQL for one host. Gauges are read over the window too, so
 * that a host that fell silent leaves a gap rather than its last value.
 */
export function promql(e: Expr, instance: string, windowSeconds: number): string {
  if (e.kind === 'minus') {
    return `${promql(e.left, instance, windowSeconds)} - ${promql(e.right, instance, windowSeconds)}`;
  }
  const matchers = [`instance=${quote(instance)}`];
  for (const [label, pattern] of Object.entries(e.match)) {
    matchers.push(pattern.startsWith('!') ? `${label}!~${quote(pattern.slice(1))}` : `${label}=~${quote(pattern)}`);
  }
  const over = e.counter ? 'rate' : 'last_over_time';
  const vector = `${over}(${e.name}{${matchers.join(',')}}[${windowSeconds}s])`;
  return `${e.agg}${e.by ? ` by (${e.by})` : ''} (${vector})`;
}

/** Several expressions as one query, told apart by the label "line". */
export function promqlOfLines(lines: readonly Expr[], instance: string, windowSeconds: number): string {
  return lines
    .map((e, i) => `label_replace(${promql(e, instance, windowSeconds)}, "line", "${i}", "", "")`)
    .join(' or ');
}

/** What evaluation reads: the series of a metric and what each is worth now. */
export interface Source {
  named(name: string): readonly Series[];
  /** null if it has no value now. */
  rate(s: Series): number | null;
  latest(s: Series): number | null;
}

const patterns = new Map<string, RegExp>();

function matches(pattern: string, value: string): boolean {
  const negated = pattern.startsWith('!');
  let re = patterns.get(pattern);
  if (!re) {
    re = new RegExp(`^(?:${negated ? pattern.slice(1) : pattern})$`);
    patterns.set(pattern, re);
  }
  return re.test(value) !== negated;
}

/** The value now for each value of the label that the expression groups by. */
export function evaluate(e: Expr, source: Source): Map<string, number> {
  if (e.kind === 'minus') {
    const right = evaluate(e.right, source);
    const difference = new Map<string, number>();
    for (const [key, v] of evaluate(e.left, source)) {
      const w = right.get(key);
      if (w !== undefined) difference.set(key, v - w);
    }
    return difference;
  }
  const groups = new Map<string, number[]>();
  for (const s of source.named(e.name)) {
    if (!Object.entries(e.match).every(([label, p]) => matches(p, s.labels[label] ?? ''))) continue;
    const v = e.counter ? source.rate(s) : source.latest(s);
    if (v === null) continue;
    const key = s.labels[e.by] ?? '';
    groups.set(key, [...(groups.get(key) ?? []), v]);
  }
  return new Map([...groups].map(([key, vs]) => [key, aggregate(e.agg, vs)]));
}

function aggregate(agg: Selector['agg'], vs: number[]): number {
  if (agg === 'max') return Math.max(...vs);
  const sum = vs.reduce((a, b) => a + b, 0);
  return agg === 'avg' ? sum / vs.length : sum;
}
