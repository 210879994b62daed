/** The expressions that the builder can show, and nothing else. */
export interface Built {
  metric: string;
  labels: Matcher[];
  fn: '' | 'rate' | 'increase' | 'irate' | 'delta' | 'avg_over_time' | 'max_over_time' | 'min_over_time';
  window: string;
  aggregate: '' | 'sum' | 'avg' | 'min' | 'max' | 'count';
  by: string[];
}

export interface Matcher {
  label: string;
  op: '=' | '!=' | '=~' | '!~';
  value: string;
}

export const functions: Array<Exclude<Built['fn'], ''>> = ['rate', 'increase', 'irate', 'delta', 'avg_over_time', 'max_over_time', 'min_over_time'];
export const aggregates: Array<Exclude<Built['aggregate'], ''>> = ['sum', 'avg', 'min', 'max', 'count'];
export const operators: Array<Matcher['op']> = ['=', '!=', '=~', '!~'];

export const nothing: Built = { metric: '', labels: [], fn: '', window: '$__rate_interval', aggregate: '', by: [] };

/** write is the PromQL of what was built. */
export function write(b: Built): string {
  if (!b.metric) {
    return '';
  }
  let expr = b.metric + selector(b.labels);
  if (b.fn) {
    expr = `${b.fn}(${expr}[${b.window}])`;
  }
  if (b.aggregate) {
    expr = `${b.aggregate}${b.by.length ? ` by (${b.by.join(', ')}) ` : ''}(${expr})`;
  }
  return expr;
}

export function selector(labels: Matcher[]): string {
  const whole = labels.filter((m) => m.label);
  return whole.length ? `{${whole.map((m) => `${m.label}${m.op}${JSON.stringify(m.value)}`).join(', ')}}` : '';
}

const name = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const aggregation = new RegExp(`^(${aggregates.join('|')})\\s*(?:by\\s*\\(([^()]*)\\)\\s*)?\\((.*)\\)$`, 's');
const call = new RegExp(`^(${functions.join('|')})\\s*\\((.*)\\[([^\\[\\]]+)\\]\\s*\\)$`, 's');
const vector = new RegExp(`^(${name})\\s*(?:\\{(.*)\\})?$`, 's');
const matcher = new RegExp(`^\\s*(${name})\\s*(=~|!~|!=|=)\\s*("(?:[^"\\\\]|\\\\.)*")\\s*(?:,|$)`);

/** read is the reverse of write; undefined for what the builder cannot show. */
export function read(expr: string): Built | undefined {
  const built: Built = { ...nothing, labels: [], by: [] };
  let rest = expr.trim();
  const outer = aggregation.exec(rest);
  if (outer) {
    built.aggregate = outer[1] as Built['aggregate'];
    built.by = (outer[2] ?? '').split(',').map((l) => l.trim()).filter(Boolean);
    rest = outer[3].trim();
  }
  const inner = call.exec(rest);
  if (inner) {
    built.fn = inner[1] as Built['fn'];
    built.window = inner[3].trim();
    rest = inner[2].trim();
  }
  if (rest === '') {
    return expr.trim() === '' ? built : undefined;
  }
  const plain = vector.exec(rest);
  if (!plain) {
    return undefined;
  }
  built.metric = plain[1];
  const labels = matchers(plain[2] ?? '');
  return labels && { ...built, labels };
}

function matchers(text: string): Matcher[] | undefined {
  const all: Matcher[] = [];
  let rest = text;
  while (rest.trim() !== '') {
    const m = matcher.exec(rest);
    if (!m) {
      return undefined;
    }
    try {
      all.push({ label: m[1], op: m[2] as Matcher['op'], value: JSON.parse(m[3]) });
    } catch {
      return undefined; // an escape that PromQL knows and JSON does not
    }
    rest = rest.slice(m[0].length);
  }
  return all;
}

/** What can be completed at a place in an expression. */
export type Completion =
  | { kind: 'metric'; word: string }
  | { kind: 'label'; word: string; metric: string }
  | { kind: 'value'; word: string; metric: string; label: string };

export function completion(expr: string, cursor: number): Completion | undefined {
  const before = expr.slice(0, cursor);
  const braces = /([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*\{([^{}]*)$/.exec(before);
  if (braces) {
    const metric = braces[1] ?? '';
    const value = /([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(braces[2]);
    if (value) {
      return { kind: 'value', metric, label: value[1], word: value[2] };
    }
    const label = /(?:^|,)\s*([a-zA-Z0-9_]*)$/.exec(braces[2]);
    return label ? { kind: 'label', metric, word: label[1] } : undefined;
  }
  const by = /\b(?:by|without|on|ignoring)\s*\(\s*(?:[a-zA-Z0-9_]+\s*,\s*)*([a-zA-Z0-9_]*)$/.exec(before);
  if (by) {
    return { kind: 'label', metric: '', word: by[1] };
  }
  const word = /[a-zA-Z_:][a-zA-Z0-9_:]*$/.exec(before);
  return word && word[0].length > 1 ? { kind: 'metric', word: word[0] } : undefined;
}
