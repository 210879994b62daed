// A headless chromium whose pages report every console error.
import { mkdir } from 'node:fs/promises';
import { chromium } from 'playwright-core';

const args = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

export const desktop = { width: 1280, height: 860 };
export const phone = { width: 390, height: 844 };

export async function launch() {
  await mkdir('artifacts', { recursive: true });
  return chromium.launch({ executablePath: process.env.CHROMIUM, args });
}

/** Opens an address in a browser profile of its own; page.complaints gathers errors. */
export async function open(browser, url, { viewport = desktop, colorScheme = 'light', locale = 'en-US' } = {}) {
  const context = await browser.newContext({ viewport, colorScheme, locale });
  const page = await context.newPage();
  page.complaints = [];
  page.on('console', (m) => {
    if (['error', 'warning'].includes(m.type())) page.complaints.push(`${m.type()}: ${m.text()}`);
  });
  page.on('pageerror', (e) => page.complaints.push(`uncaught: ${e.message}`));
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  return page;
}

/** Takes a picture; what is moving is shown at its end. */
export const shot = (page, name, fullPage = false) =>
  page.screenshot({ path: `artifacts/${name}.png`, fullPage, animations: 'disabled' });

/** Ends a page; requests that a test still holds back are let go. */
export async function close(page) {
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await page.context().close();
}
