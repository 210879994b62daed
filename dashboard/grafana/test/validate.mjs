// Checks a plugin's folder against what Grafana asks of one: node test/validate.mjs FOLDER [os/arch…]
// The rules are those of Grafana's plugin.json reference for a data source with a backend.
import { access, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import Ajv from 'ajv';

const text = { type: 'string', minLength: 1 };
const schema = {
  type: 'object',
  required: ['type', 'name', 'id', 'info', 'dependencies', 'backend', 'executable'],
  additionalProperties: false,
  properties: {
    $schema: text,
    type: { const: 'datasource' },
    name: text,
    id: { type: 'string', pattern: '^[0-9a-z]+-([0-9a-z]+-)?(app|panel|datasource)$' },
    metrics: { type: 'boolean' }, annotations: { type: 'boolean' }, alerting: { const: true },
    streaming: { const: true }, backend: { const: true },
    executable: { type: 'string', pattern: '^gpx_[a-z0-9_-]+$' },
    info: {
      type: 'object',
      required: ['logos', 'version', 'updated', 'keywords'],
      properties: {
        author: { type: 'object', required: ['name'], properties: { name: text, email: text, url: text } },
        description: text,
        keywords: { type: 'array', items: text, minItems: 1 },
        logos: { type: 'object', required: ['small', 'large'], properties: { small: text, large: text }, additionalProperties: false },
        links: { type: 'array' }, screenshots: { type: 'array' },
        version: { type: 'string', pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?$' },
        updated: { type: 'string', pattern: '^\\d{4}-\\d{2}-\\d{2}$' },
      },
      additionalProperties: false,
    },
    dependencies: {
      type: 'object',
      required: ['grafanaDependency'],
      properties: { grafanaDependency: { type: 'string', pattern: '^(<=|>=|<|>|=|~|\\^)?([0-9]+)(\\.[0-9x*]+)(\\.[0-9x*]+)?(\\s(<=|>=|<|=>)?([0-9]+)(\\.[0-9x]+)(\\.[0-9x]+))?(-[0-9]+)?$' }, plugins: { type: 'array' } },
      additionalProperties: false,
    },
  },
};

/** Leading bytes of an executable, by system. */
const magic = { linux: '7f454c46', darwin: 'cffaedfe', windows: '4d5a' };

export async function problems(folder, targets = []) {
  const found = [];
  const plugin = JSON.parse(await readFile(join(folder, 'plugin.json'), 'utf8'));
  const check = new Ajv({ allErrors: true }).compile(schema);
  if (!check(plugin)) found.push(...check.errors.map((e) => `plugin.json${e.instancePath} ${e.message}`));
  for (const file of ['module.js', 'README.md', 'LICENSE', 'CHANGELOG.md', plugin.info.logos.small, plugin.info.logos.large]) {
    await access(join(folder, file)).catch(() => found.push(`${file} is missing`));
  }
  const module = await readFile(join(folder, 'module.js'), 'utf8').catch(() => '');
  if (!/^define\(\[/.test(module)) found.push('module.js is not AMD');
  for (const target of targets) {
    const [os, arch] = target.split('/');
    const file = `${plugin.executable}_${os}_${arch}${os === 'windows' ? '.exe' : ''}`;
    const head = await readFile(join(folder, file)).then((b) => b.subarray(0, 4).toString('hex'), () => '');
    if (!head.startsWith(magic[os])) found.push(`${file} is missing, or no executable of ${os}`);
    else if (os !== 'windows' && !((await stat(join(folder, file))).mode & 0o111)) found.push(`${file} may not be executed`);
  }
  return found;
}

if (process.argv[1] === import.meta.filename) {
  const [folder, ...targets] = process.argv.slice(2);
  const found = await problems(folder, targets);
  for (const p of found) console.error(p);
  console.log(found.length ? `${folder} is not a plugin` : `${folder} is a plugin as Grafana loads it, for ${targets.join(', ')}`);
  process.exit(found.length ? 1 : 0);
}
