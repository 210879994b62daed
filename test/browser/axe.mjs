// What axe-core finds on a page: the faults that keep people from using it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';

const source = await readFile(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

/** Fails on each serious or critical fault of WCAG 2.1 A and AA. */
export async function accessible(page, place) {
  await page.evaluate(source);
  const found = await page.evaluate(async () => {
    const { violations } = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
    return violations
      .filter((v) => v.impact === 'serious' || v.impact === 'critical')
      .map((v) => `${v.id}: ${v.nodes.length} × ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.any[0]?.message ?? ''}`).join(' | ')}`);
  });
  assert.deepEqual(found, [], place);
}
