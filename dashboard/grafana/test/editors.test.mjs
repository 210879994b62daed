// Walks through the editors of the built module in a real browser.
import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { problems } from './validate.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const missing = !existsSync(executablePath);
if (missing && process.env.CI) throw new Error(`${executablePath} is missing: apt-get install chromium`);
const options = { skip: missing && `${executablePath} is missing` };

let browser;
let page;
after(() => browser?.close());

/** A page with the plugin loaded; Grafana's packages take their time, so that there is one for all tests. */
before(async () => {
  if (missing) return;
  await mkdir('test/artifacts', { recursive: true });
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
  page = await browser.newPage({ viewport: { width: 1100, height: 700 } });
  page.errors = [];
  page.on('pageerror', (e) => page.errors.push(e.message));
  page.setDefaultTimeout(60_000);
  await page.route('http://grafana.test/', (r) => r.fulfill({ contentType: 'text/html', body: '<!doctype html><body><div id="root"></div></body>' }));
  await page.goto('http://grafana.test/');
  await page.evaluate('window.grafanaBootData = { settings: { featureToggles: {}, buildInfo: {}, theme2: {} }, user: {}, navTree: [] }; window.__grafana_public_path__ = "/public/"; window.process = { env: {} }');
  await page.addScriptTag({ path: 'test/built/harness.js' });
  await page.waitForFunction('window.ready');
  await page.addScriptTag({ content: await readFile('dist/module.js', 'utf8') });
  page.value = () => page.evaluate('window.value');
});

/** Shows one editor, with answers as the backend gives them. */
async function open(kind, value, answer = 'null') {
  page.errors = [];
  await page.evaluate(`window.answer = async (request) => (${answer})`);
  await page.evaluate(([k, v]) => window.show(k, v), [kind, value]);
  return page;
}

const backend = `request.url.endsWith('/metrics') ? [{ name: 'node_load1', help: '1m load average.' }, { name: 'node_cpu_seconds_total' }]
  : request.url.endsWith('/labels') ? ['instance', 'mode']
  : request.url.endsWith('/values') ? ['web01', 'web02']
  : request.url.endsWith('/hosts') ? ['web01', 'web02'] : []`;

test('the folder is a plugin', async () => assert.deepEqual(await problems('dist'), []));

test('a query is built by pieces', options, async () => {
  const page = await open('query', { refId: 'A', expr: '', range: true, editorMode: 'builder' }, backend);
  await page.getByRole('combobox', { name: 'Metric' }).click();
  await page.getByRole('combobox', { name: 'Metric' }).fill('cpu');
  await page.getByRole('option', { name: 'node_cpu_seconds_total' }).click();
  await page.getByRole('button', { name: 'Matcher' }).click();
  await page.getByRole('combobox', { name: 'Label 1' }).click();
  await page.getByRole('option', { name: 'instance' }).click();
  await page.getByRole('combobox', { name: 'Value 1' }).click();
  await page.getByRole('option', { name: 'web02' }).click();
  await page.getByRole('combobox', { name: 'Function' }).click();
  await page.getByRole('option', { name: 'rate', exact: true }).click();
  await page.getByRole('combobox', { name: 'Aggregate' }).click();
  await page.getByRole('option', { name: 'sum' }).click();
  await page.getByLabel('By', { exact: true }).fill('mode');
  await page.getByLabel('Legend').fill('{{mode}}');
  const want = 'sum by (mode) (rate(node_cpu_seconds_total{instance="web02"}[$__rate_interval]))';
  await page.getByTestId('expression').getByText(want).waitFor();
  const { expr, legendFormat } = await page.value();
  assert.deepEqual({ expr, legendFormat }, { expr: want, legendFormat: '{{mode}}' });
  assert.ok(await page.evaluate('window.runs') > 0, 'the query was run');
  await page.screenshot({ path: 'test/artifacts/builder.png' });
  assert.deepEqual(page.errors, []);
});

test('a query is typed, completed and made live', options, async () => {
  const page = await open('query', { refId: 'A', expr: '', range: true, editorMode: 'builder' }, backend);
  await page.getByRole('radio', { name: 'Code' }).check({ force: true });
  const area = page.getByLabel('PromQL');
  await area.pressSequentially('max(node_l');
  await page.getByRole('option', { name: 'node_load1' }).waitFor();
  await area.press('Tab');
  await area.pressSequentially('{inst');
  await page.getByRole('option', { name: 'instance' }).click();
  await area.pressSequentially('="web0');
  await page.getByRole('option', { name: 'web02' }).click();
  await area.pressSequentially('"})');
  await page.getByLabel('Live', { exact: true }).click({ force: true });
  await page.getByLabel('Key').fill('*.web02.load');
  await page.getByLabel('Key').blur();
  const { expr, live, key } = await page.value();
  assert.deepEqual({ expr, live, key }, { expr: 'max(node_load1{instance="web02"})', live: true, key: '*.web02.load' });
  await page.screenshot({ path: 'test/artifacts/code.png' });
  assert.deepEqual(page.errors, []);
});

test('the settings keep secrets apart', options, async () => {
  const page = await open('config', { url: '', jsonData: {}, secureJsonFields: { amqpPassword: true }, secureJsonData: {} });
  await page.getByLabel('URL', { exact: true }).fill('http://collector:8420');
  await page.getByLabel('AMQP URL').fill('amqps://broker:5671/');
  await page.getByLabel('AMQP user').fill('grafana');
  await page.getByRole('button', { name: 'Reset' }).first().click();
  await page.getByLabel('AMQP password').fill('secret');
  await page.getByLabel('CA certificate').click({ force: true });
  await page.getByLabel('Authority').fill('-----BEGIN CERTIFICATE-----');
  const value = await page.value();
  assert.equal(value.url, 'http://collector:8420');
  assert.deepEqual(value.jsonData, { amqpUrl: 'amqps://broker:5671/', amqpUser: 'grafana', tlsAuthWithCACert: true });
  assert.deepEqual(value.secureJsonData, { amqpPassword: 'secret', tlsCACert: '-----BEGIN CERTIFICATE-----' });
  await page.screenshot({ path: 'test/artifacts/config.png', fullPage: true });
  assert.deepEqual(page.errors, []);
});

test('a variable lists hosts of a group', options, async () => {
  const page = await open('variable', { refId: 'variable', list: 'groups' }, backend);
  await page.getByRole('radio', { name: 'Hosts' }).check({ force: true });
  await page.getByLabel('Of group').fill('web');
  await page.getByLabel('Of group').blur();
  const value = await page.value();
  assert.deepEqual([value.list, value.group], ['hosts', 'web']);
  assert.deepEqual(await page.evaluate((q) => window.source.list(q), value), [{ text: 'web01' }, { text: 'web02' }]);
  assert.deepEqual(await page.evaluate('window.asked.at(-1).params'), { group: 'web' });
  assert.deepEqual(page.errors, []);
});

test('an annotation chooses alerts', options, async () => {
  const page = await open('annotation', { refId: 'alerts', expr: '', queryType: 'annotations' });
  await page.getByLabel('Alert').fill('Disk.*');
  await page.getByLabel('Host').fill('$hosts');
  await page.getByLabel('Pending too').click({ force: true });
  const value = await page.value();
  assert.deepEqual(value.alerts, { name: 'Disk.*', host: '$hosts', pending: true });
  const sent = await page.evaluate((q) => window.source.applyTemplateVariables(q, {}), value);
  assert.equal(sent.alerts.host, '(a\\\\.b|c)');
  assert.deepEqual(page.errors, []);
});

test('a live panel goes on from its past, and says what is wrong', options, async () => {
  const field = (values, labels) => ({ name: '{instance="web01"}', type: 'number', typeInfo: { frame: 'float64', nullable: true }, labels, config: { displayNameFromDS: 'web01' } });
  const schema = (meta) => ({ refId: 'A', meta: { type: 'timeseries-wide', ...meta }, fields: [{ name: 'Time', type: 'time', typeInfo: { frame: 'time.Time' } }, field([], { instance: 'web01' })] });
  const past = { schema: schema({ custom: { live: { path: 'live/abc', data: { request: '{}' } } } }), data: { values: [[1000, 2000], [1, 2]] } };
  const page = await open('query', { refId: 'A', expr: 'up', live: true, editorMode: 'code' }, `({ results: { A: { status: 200, frames: [${JSON.stringify(past)}] } } })`);
  await page.evaluate(() => window.query([{ refId: 'A', expr: 'x{instance="$host"}[$__interval]', live: true, key: '*.$host.load' }]));
  await page.waitForFunction('window.responses.length === 1');
  const [sent] = await page.evaluate('window.asked.at(-1).data.queries');
  assert.deepEqual([sent.expr, sent.key], ['x{instance="web.01"}[$__interval]', '*.web_01.load']);
  assert.deepEqual(await page.evaluate('window.subscribed'), [{ scope: 'ds', stream: 'u1', namespace: 'u1', path: 'live/abc', data: { request: '{}' } }]);
  const series = () => page.evaluate('(() => { const f = window.responses.at(-1).data[0]; return { n: f.fields.length, values: [...f.fields[1].values], notices: f.meta.notices ?? [] } })()');
  const push = (packet) => page.evaluate((p) => window.push(p), packet);
  await push({ schema: schema({}), data: { values: [[3000], [3]] } });
  assert.deepEqual(await series(), { n: 2, values: [1, 2, 3], notices: [] });
  const trouble = [{ severity: 'error', text: 'nothing arrives live' }];
  await push({ schema: schema({ notices: trouble }), data: { values: [[], []] } });
  assert.deepEqual(await series(), { n: 2, values: [1, 2, 3], notices: trouble });
  await push({ schema: schema({}), data: { values: [[4000], [4]] } });
  assert.deepEqual(await series(), { n: 2, values: [1, 2, 3, 4], notices: [] });
  assert.deepEqual(page.errors, []);
});
