import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completion, nothing, read, write } from './built/expression.mjs';

const built = [
  ['', nothing],
  ['up', { ...nothing, metric: 'up' }],
  ['up{job="node", instance=~"web.*"}', { ...nothing, metric: 'up', labels: [{ label: 'job', op: '=', value: 'node' }, { label: 'instance', op: '=~', value: 'web.*' }] }],
  ['rate(node_cpu_seconds_total{mode!="idle"}[$__rate_interval])', { ...nothing, metric: 'node_cpu_seconds_total', labels: [{ label: 'mode', op: '!=', value: 'idle' }], fn: 'rate' }],
  ['sum by (instance, mode) (rate(node_cpu_seconds_total[5m]))', { ...nothing, metric: 'node_cpu_seconds_total', fn: 'rate', window: '5m', aggregate: 'sum', by: ['instance', 'mode'] }],
  ['max(node_load1)', { ...nothing, metric: 'node_load1', aggregate: 'max' }],
  ['x{a="q\\"}, {b"}', { ...nothing, metric: 'x', labels: [{ label: 'a', op: '=', value: 'q"}, {b' }] }],
];

test('what is written is read again', () => {
  for (const [expr, b] of built) {
    assert.equal(write(b), expr);
    assert.deepEqual(read(expr), b);
  }
});

test('what the builder cannot show is left to code', () => {
  for (const expr of ['a + b', 'sum(a) / sum(b)', 'rate(rate(a[1m])[5m])', 'topk(5, a)', 'a{b}', 'a offset 5m', 'histogram_quantile(0.9, a)', '42', 'sum(rate(a[1m])) by (b)']) {
    assert.equal(read(expr), undefined, expr);
  }
});

test('completion knows where it is', () => {
  const at = (text) => completion(text.replace('|', ''), text.indexOf('|'));
  assert.deepEqual(at('rate(node_l|'), { kind: 'metric', word: 'node_l' });
  assert.deepEqual(at('up{jo|}'), { kind: 'label', metric: 'up', word: 'jo' });
  assert.deepEqual(at('up{job="node", ins|'), { kind: 'label', metric: 'up', word: 'ins' });
  assert.deepEqual(at('up{job=~"no|"}'), { kind: 'value', metric: 'up', label: 'job', word: 'no' });
  assert.deepEqual(at('sum by (instance, mo|'), { kind: 'label', metric: '', word: 'mo' });
  assert.equal(at('up{job="node"} |'), undefined);
});
