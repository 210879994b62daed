// A running `thump up` for tests: real agent, real broker, real history.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export class Pipeline {
  /** Starts with further arguments; rules is the text of a rule file. */
  static async start({ args = [], rules } = {}) {
    const p = new Pipeline();
    p.args = args;
    p.data = await mkdtemp(join(tmpdir(), 'thump-browser-'));
    p.http = await freePort();
    p.amqp = await freePort();
    p.url = `http://127.0.0.1:${p.http}`;
    if (rules) {
      const file = join(p.data, 'test-rules.yml');
      await writeFile(file, rules);
      p.args = [...args, '--rules', file];
    }
    await p.run();
    return p;
  }

  async run() {
    this.log = '';
    this.process = spawn(process.env.THUMP_BIN, [
      'up', '--data-dir', this.data, '--http', `127.0.0.1:${this.http}`, '--amqp', `127.0.0.1:${this.amqp}`, '--management', '127.0.0.1:0',
      ...this.args,
    ]);
    this.ended = new Promise((done) => this.process.once('exit', done));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on('data', (text) => { this.log += text; });
    }
    await this.until('ready', async () => (await fetch(`${this.url}/readyz`)).ok);
  }

  /** Runs an agent of another name until the host is listed, then kills it. */
  async ghost(name) {
    const bus = `amqp://guest:guest@127.0.0.1:${this.amqp}/`;
    const agent = spawn(process.env.THUMP_BIN, ['agent', '--host', name, '--bus', bus, '--data-dir', join(this.data, name)], { stdio: 'ignore' });
    const ended = new Promise((done) => agent.once('exit', done));
    try {
      await this.until(`${name} listed`, async () => (await this.hosts()).some((h) => h.name === name && h.agent));
    } finally {
      agent.kill('SIGKILL');
      await ended;
    }
  }

  async hosts() {
    return (await fetch(`${this.url}/api/hosts`)).json();
  }

  async query(expr) {
    const answer = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(expr)}`);
    return (await answer.json()).data.result;
  }

  async until(what, condition, limit = 20_000) {
    const deadline = Date.now() + limit;
    for (;;) {
      if (await condition().catch(() => false)) return;
      if (Date.now() > deadline) throw new Error(`${what}: not within ${limit} ms\n${this.log}`);
      await wait(50);
    }
  }

  async stop() {
    this.process.kill('SIGTERM');
    await this.ended;
  }

  async close() {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }
}
