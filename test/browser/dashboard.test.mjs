import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { after, before, test } from 'node:test';
import { accessible } from './axe.mjs';
import { close, desktop, launch, open, phone, shot } from './browser.mjs';
import { Pipeline } from './pipeline.mjs';

const host = hostname();
let pipeline, browser;

const rules = `
groups:
- name: browser
  rules:
  - alert: AlwaysFiring
    expr: vector(1) > 0
    labels: {severity: warning, instance: "${host}", team: web}
    annotations: {summary: "This one fires always"}
  - {record: "browser:one", expr: vector(1)}
  - {alert: NeverFiring, expr: vector(1) < 0}
`;

before(async () => {
  pipeline = await Pipeline.start({ rules });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await pipeline?.close();
});

/** Waits until the element shows a number, and returns its text. */
async function number(page, locator) {
  await locator.waitFor();
  const element = await locator.elementHandle();
  await page.waitForFunction((e) => /\d/.test(e.textContent), element);
  return locator.textContent();
}

/** Waits until the text of an element, or of one of those named within it, is another one, without a reload. */
async function changes(page, locator, within = [], limit = 30_000) {
  const read = ([e, names]) =>
    names.length === 0 ? e.textContent : names.map((n) => e.querySelector(`[data-testid="${n}"]`)?.textContent).join('|');
  const element = await locator.elementHandle();
  const before = await page.evaluate(read, [element, within]);
  const deadline = Date.now() + limit;
  while ((await page.evaluate(read, [element, within])) === before) {
    if (Date.now() > deadline) assert.fail(`it stays ${before}`);
    await page.waitForTimeout(100);
  }
}

test('the overview shows this host and its values move', async () => {
  const page = await open(browser, pipeline.url);
  const row = page.locator(`[data-testid="host-row"][data-host="${host}"]`);
  await number(page, row.getByTestId('cpu-value'));
  await number(page, row.getByTestId('memory-value'));
  await number(page, row.getByTestId('disk-value'));
  await number(page, row.getByTestId('load-value'));
  assert.equal(await row.getAttribute('data-state'), 'up');
  // Any of them: the processor of a busy machine may stand at 100 % for long.
  await changes(page, row, ['cpu-value', 'memory-value', 'load-value', 'receive-value', 'transmit-value']);
  await shot(page, 'overview-light');
  assert.deepEqual(page.complaints, []);
  await close(page);
});

test('a filter stays in the address', async () => {
  const page = await open(browser, pipeline.url);
  await page.locator(`[data-host="${host}"]`).waitFor();
  const filter = page.getByTestId('host-filter');
  await filter.fill('no such host');
  await page.locator(`[data-host="${host}"]`).waitFor({ state: 'detached' });
  await page.reload();
  assert.equal(await filter.inputValue(), 'no such host');
  assert.equal(await page.locator('[data-testid="host-row"]').count(), 0);
  await filter.fill(host);
  await page.locator(`[data-host="${host}"]`).waitFor();
  assert.deepEqual(page.complaints, []);
  await close(page);
});

test('the page of a host draws history and moves on', async () => {
  const page = await open(browser, pipeline.url, { colorScheme: 'dark' });
  await page.locator(`[data-host="${host}"] a`).click();
  await page.waitForURL(`**/hosts/${encodeURIComponent(host)}`);
  assert.equal(await page.getByTestId('host-name').textContent(), host);
  const legend = page.getByTestId('panel-cpu').getByTestId('legend-value').first();
  await number(page, legend);
  await changes(page, legend);
  for (const panel of ['cpu', 'memory', 'load', 'filesystems']) {
    assert.ok(await page.getByTestId(`panel-${panel}`).count(), `panel ${panel}`);
  }
  await drawn(page, 'cpu');
  assert.ok(await page.getByTestId('filesystem-row').count(), 'file systems');
  await shot(page, 'host-dark', true);
  assert.deepEqual(page.complaints, []);
  await close(page);
});

/** Waits until a panel's canvas has more than one colour in it. */
const drawn = (page, panel) => drawnIn(page, page.getByTestId(`panel-${panel}`));

async function drawnIn(page, place) {
  const canvas = place.locator('canvas').first();
  await canvas.waitFor();
  await page.waitForFunction((c) => {
    const pixels = new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer);
    return new Set(pixels).size > 10;
  }, await canvas.elementHandle());
}

for (const [name, view] of Object.entries({
  'phone-light': { viewport: phone, colorScheme: 'light' },
  'phone-dark': { viewport: phone, colorScheme: 'dark' },
  'desktop-light': { viewport: desktop, colorScheme: 'light' },
  'desktop-dark': { viewport: desktop, colorScheme: 'dark' },
})) {
  test(`readable on ${name}`, async () => {
    const page = await open(browser, pipeline.url, view);
    await number(page, page.locator(`[data-host="${host}"]`).getByTestId('cpu-value'));
    await fits(page);
    await accessible(page, 'overview');
    await shot(page, `overview-${name}`);
    await page.goto(`${pipeline.url}/hosts/${encodeURIComponent(host)}`);
    await drawn(page, 'cpu');
    await fits(page);
    await accessible(page, 'host');
    await shot(page, `host-${name}`, true);
    for (const [place, shown] of [['alerts', 'rule-row'], ['agents', 'agent-row'], ['explore?q=node_load1', 'legend-value'], ['broker', 'station']]) {
      await page.goto(`${pipeline.url}/${place}`);
      await page.getByTestId(shown).first().waitFor();
      await fits(page);
      await accessible(page, place);
      await shot(page, `${place.split('?')[0]}-${name}`, true);
    }
    assert.deepEqual(page.complaints, []);
    await close(page);
  });
}

/** No page is wider than its window. */
async function fits(page) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(over <= 0, `${over} px too wide`);
}

test('a meter is as long as its number says from its first frame on', async () => {
  const page = await open(browser, `${pipeline.url}/agents`, { viewport: phone });
  await page.route('**/api/live', async (r) => { // the host is named before its numbers come
    await page.locator(`[data-testid="host-row"][data-host="${host}"][data-state="waiting"]`)
      .waitFor({ timeout: 5_000 }).catch(() => {}); // its numbers are known already
    await r.continue();
  });
  await page.getByTestId('nav-hosts').click();
  const seen = await page.waitForFunction((name) => {
    const value = document.querySelector(`[data-host="${name}"] [data-testid="disk-value"]`);
    if (!/\d/.test(value?.textContent)) return null;
    const meter = value.parentElement.querySelector('[data-testid="meter"]');
    const width = (e) => e.getBoundingClientRect().width;
    return { text: value.textContent, ratio: width(meter.firstChild) / width(meter) };
  }, host);
  const { text, ratio } = await seen.jsonValue();
  assert.ok(Math.abs(Number.parseFloat(text) / 100 - ratio) < 0.02, `${text} is drawn as ${ratio}`);
  await close(page);
});

test('the header leads to hosts, alerts and agents', async () => {
  const page = await open(browser, `${pipeline.url}/hosts/${encodeURIComponent(host)}`);
  const present = page.locator('nav [aria-current]');
  assert.equal(await present.textContent(), 'Hosts');
  for (const [place, path] of [['alerts', '/alerts'], ['agents', '/agents'], ['hosts', '/']]) {
    await page.getByTestId(`nav-${place}`).press('Enter');
    await page.waitForURL(pipeline.url + path);
    assert.equal(await present.count(), 1);
    assert.equal(await present.getAttribute('data-testid'), `nav-${place}`);
  }
  await page.goBack();
  await page.getByTestId('agents').waitFor();
  assert.deepEqual(page.complaints, []);
  await close(page);
});

test('an alert is shown, silenced by keyboard, and heard again', async () => {
  const page = await open(browser, `${pipeline.url}/alerts`);
  const row = page.locator('[data-testid="alert-row"][data-alertname="AlwaysFiring"]');
  await row.and(page.locator('[data-state="active"]')).waitFor();
  assert.equal(await row.getAttribute('data-severity'), 'warning');
  assert.match(await row.textContent(), /This one fires always.*team=web/s);
  assert.equal(await row.locator('a').getAttribute('href'), `/hosts/${encodeURIComponent(host)}`);
  await page.locator('[data-rule="AlwaysFiring"][data-state="firing"]').waitFor();
  await page.locator('[data-rule="NeverFiring"][data-state="inactive"]').waitFor();
  await page.locator('[data-rule="browser:one"][data-state="recording"] [data-health="ok"]').waitFor();

  await row.getByTestId('silence').press('Enter');
  const comment = page.getByTestId('silence-comment');
  await comment.and(page.locator(':focus')).waitFor();
  await page.keyboard.type('being moved');
  await shot(page, 'alerts-silence');
  await page.getByTestId('silence-4h').press('Enter');
  await row.and(page.locator('[data-state="silenced"]')).waitFor({ timeout: 4_000 }); // sooner than the next poll
  const [silence] = (await (await fetch(`${pipeline.url}/api/v2/silences`)).json()).filter((s) => s.status.state === 'active');
  assert.equal(silence.comment, 'being moved');
  assert.equal(silence.matchers.length, 4);
  assert.ok(Math.abs(Date.parse(silence.endsAt) - Date.now() - 4 * 3600_000) < 60_000, silence.endsAt);
  await page.getByTestId('silence-row').filter({ hasText: 'being moved' }).waitFor();
  await shot(page, 'alerts-silenced', true);

  await page.getByTestId('expire').click();
  await row.and(page.locator('[data-state="active"]')).waitFor({ timeout: 4_000 });
  await page.getByTestId('silence-row').waitFor({ state: 'detached' });
  assert.deepEqual(page.complaints, []);
  await close(page);
});

test('what the server refuses is said', async () => {
  const page = await open(browser, `${pipeline.url}/alerts`);
  await page.route('**/api/v2/silences', (r) =>
    r.request().method() === 'POST' ? r.fulfill({ status: 400, json: 'bad matcher' }) : r.continue());
  await page.getByTestId('silence').click();
  await page.getByTestId('silence-1h').click();
  assert.match(await page.getByTestId('failed').textContent(), /bad matcher/);
  await page.route('**/api/v1/rules*', (r) => r.fulfill({ status: 503, json: { error: 'no rules here' } }));
  await page.getByTestId('load-error').filter({ hasText: 'no rules here' }).waitFor();
  await close(page);
});

test('agents are listed, with what they refused, and retired', async () => {
  await pipeline.ghost('ghost');
  const page = await open(browser, pipeline.url);
  await page.route('**/api/hosts', async (r) => { // no host of this test refuses anything by itself
    const response = await r.fetch();
    const hosts = await response.json();
    for (const h of hosts.filter((h) => h.name === 'ghost')) {
      h.agent.template.refused = [{ name: 'check shop', line: 7, reason: 'not in agent.exec' }];
    }
    await r.fulfill({ response, json: hosts });
  });
  await page.getByTestId('nav-agents').click();
  const row = page.locator(`[data-testid="agent-row"][data-host="${host}"]`);
  await row.waitFor();
  assert.equal(await row.getAttribute('data-state'), 'up');
  assert.match(await row.getByTestId('agent-template').textContent(), /[0-9a-f]{12}/);
  assert.match(await row.getByTestId('agent-spool').textContent(), /empty|batches/);
  assert.match(await row.getByTestId('agent-version').textContent(), /linux/);

  const ghost = page.locator('[data-testid="agent-row"][data-host="ghost"]');
  await ghost.getByTestId('refusals-toggle').press('Enter');
  assert.match(await page.getByTestId('refusals').textContent(), /check shop.*line 7.*not in agent\.exec/);
  await shot(page, 'agents-refusals');

  await ghost.getByTestId('retire').click();
  await page.getByTestId('retire-cancel').click();
  assert.ok((await pipeline.hosts()).some((h) => h.name === 'ghost'), 'retired without a yes');
  await page.getByTestId('retire-confirm').waitFor({ state: 'detached' });
  await ghost.getByTestId('retire').click();
  await page.getByTestId('retire-confirm').waitFor();
  await shot(page, 'agents-retire');
  await page.getByTestId('retire-confirm').click();
  await ghost.waitFor({ state: 'detached', timeout: 4_000 });
  assert.ok(!(await pipeline.hosts()).some((h) => h.name === 'ghost'), 'still listed');
  assert.deepEqual(page.complaints, []);
  await close(page);
});

test('Chinese for those who read it', async () => {
  const page = await open(browser, pipeline.url, { locale: 'zh-CN' });
  await number(page, page.locator(`[data-host="${host}"]`).getByTestId('cpu-value'));
  assert.match(await page.locator('body').textContent(), /主机/);
  await shot(page, 'overview-chinese');
  await page.goto(`${pipeline.url}/alerts`);
  await page.getByTestId('rule-row').first().waitFor();
  assert.match(await page.locator('body').textContent(), /静默/);
  await shot(page, 'alerts-chinese');
  await close(page);
});

test('an unknown host and an unknown page say so', async () => {
  const page = await open(browser, `${pipeline.url}/hosts/nobody`);
  await page.getByTestId('unknown-host').waitFor();
  await close(page);
});

test('a cut stream is shown and taken up again without a reload', async () => {
  const page = await open(browser, pipeline.url);
  const state = page.getByTestId('stream-state');
  const row = page.locator(`[data-host="${host}"]`);
  await number(page, row.getByTestId('cpu-value'));
  await pipeline.stop();
  await page.waitForFunction((e) => e.dataset.state !== 'live', await state.elementHandle());
  await shot(page, 'stream-cut');
  await pipeline.run();
  await page.waitForFunction((e) => e.dataset.state === 'live', await state.elementHandle(), { timeout: 30_000 });
  // Any of them: the processor of a busy machine may stand at 100 % for long.
  await changes(page, row, ['cpu-value', 'memory-value', 'load-value', 'receive-value', 'transmit-value']);
  await close(page);
});

test('explore completes, plots, tabulates and keeps its queries in the address', async () => {
  const page = await open(browser, `${pipeline.url}/explore`);
  const editor = page.getByRole('textbox', { name: 'Query 1, PromQL' });
  await editor.click();
  await page.keyboard.type('node_loa', { delay: 40 });
  await page.locator('.cm-tooltip-autocomplete', { hasText: 'node_load15' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.type('d1{instance="' + host + '"');
  await page.keyboard.press('Enter');
  await page.getByTestId('explore-plot').getByTestId('legend-value').first().waitFor();
  assert.equal(new URL(page.url()).searchParams.get('q'), `node_load1{instance="${host}"}`);

  await page.getByTestId('add-query').click();
  await page.getByRole('textbox', { name: 'Query 2, PromQL' }).fill('vector(-2.5)');
  await page.keyboard.press('Enter');
  await page.getByTestId('explore-plot').getByText('B {}').waitFor();
  await drawnIn(page, page.getByTestId('explore-plot'));
  await shot(page, 'explore-plot', true);

  await page.getByText('Table', { exact: true }).click();
  // The plot's answer stands there until that of one moment has come.
  const value = page.getByTestId('value-row').last().locator('td');
  await value.filter({ hasText: /^-2\.5$/ }).waitFor();
  assert.deepEqual(await value.allTextContents(), ['-2.5']);
  await page.reload();
  await value.filter({ hasText: /^-2\.5$/ }).waitFor();
  await shot(page, 'explore-table', true);

  const [file] = await Promise.all([page.waitForEvent('download'), page.getByTestId('csv').click()]);
  const csv = (await readFile(await file.path(), 'utf8')).split('\r\n');
  assert.equal(csv[0], 'time,series,value');
  assert.match(csv.at(-2), /^\d{4}-\d\d-\d\dT[\d:.]+Z,\{\},-2\.5$/);
  assert.deepEqual(page.complaints, []);
  await close(page);
});

test('explore says what is wrong with a query and shows the others', async () => {
  const page = await open(browser, `${pipeline.url}/explore?q=${encodeURIComponent('rate(node_load1')}&q=vector(1)`);
  await page.getByTestId('query-error').getByText('unclosed left parenthesis').waitFor();
  await page.getByTestId('explore-plot').getByTestId('legend-value').waitFor();
  await close(page);
});

test('a time range of its own is asked for, kept and left again', async () => {
  const page = await open(browser, `${pipeline.url}/explore?q=vector(1)`);
  await page.getByTestId('time-fixed').click();
  await page.getByTestId('time-from').fill('2026-01-01T00:00');
  await page.getByTestId('time-to').fill('2025-01-01T00:00');
  assert.ok(await page.getByTestId('time-apply').isDisabled(), 'it ends before it begins');
  await page.getByTestId('time-to').fill('2026-01-01T06:00');
  await page.getByTestId('time-apply').click();
  await page.getByTestId('back-to-live').waitFor();
  const { searchParams } = new URL(page.url());
  assert.equal(searchParams.get('to') - searchParams.get('from'), 6 * 3600_000);
  await page.getByTestId('back-to-live').click();
  assert.equal(new URL(page.url()).searchParams.get('from'), null);
  assert.deepEqual(page.complaints, []);
  await close(page);
});

test('the broker shows its flow, its queues and who is connected', async () => {
  const page = await open(browser, `${pipeline.url}/broker`);
  const stations = page.getByTestId('flow').getByTestId('station');
  await stations.locator('.station-name', { hasText: 'thump-collector' }).waitFor();
  await page.waitForFunction(() => {
    const queue = [...document.querySelectorAll('[data-testid="station"]')].find((s) => s.textContent.includes('thump.history'));
    return /^(?!0\/s)[\d.]+\/s/.test(queue?.querySelector('.station-state').textContent);
  });
  const row = page.getByTestId('table-queues').getByTestId('listing-row').filter({ hasText: 'thump.alerting' });
  assert.equal(await row.locator('td').nth(5).textContent(), '1', 'consumers');
  await shot(page, 'broker', true);
  for (const [tab, text] of [['Exchanges', 'thump.metrics.topic'], ['Bindings', 'thump.history'], ['Connections', 'thump-dashboard'], ['Channels', 'guest']]) {
    await page.getByTestId('broker-tab').getByText(tab).click();
    await page.getByTestId('listing-row').filter({ hasText: text }).first().waitFor();
    assert.equal(new URL(page.url()).searchParams.get('tab'), tab.toLowerCase());
  }
  assert.deepEqual(page.complaints, []);
  await close(page);
});

test('hosts are shown as tiles and as a heat map, kept in the address', async () => {
  const page = await open(browser, pipeline.url);
  await page.getByTestId('host-view').getByText('Tiles').click();
  const tile = page.locator(`[data-testid="host-row"][data-host="${host}"]`);
  await number(page, tile.getByTestId('cpu-value'));
  assert.ok(await page.getByTestId('order-select').isVisible(), 'tiles have no head to click on');
  await shot(page, 'overview-tiles');
  await page.getByTestId('host-view').getByText('Heat map').click();
  await page.getByTestId('heat-by').getByText('Memory').click();
  const cell = page.locator(`[data-testid="heat-cell"][data-host="${host}"]`);
  await page.waitForFunction((e) => /Memory [\d.]+/.test(e.getAttribute('aria-label')), await cell.elementHandle());
  assert.equal(new URL(page.url()).search, '?view=heat&heat=memory');
  await page.reload();
  await cell.waitFor();
  await page.getByTestId('host-filter').fill('state=silent');
  await cell.waitFor({ state: 'detached' });
  await page.getByTestId('host-filter').fill('group=default state=up');
  await cell.waitFor();
  await shot(page, 'overview-heat');
  await cell.click();
  await page.getByTestId('host-name').waitFor();
  assert.deepEqual(page.complaints, []);
  await close(page);
});
