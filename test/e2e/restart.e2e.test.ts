/** `npm start` over and over on the same data: after Ctrl-C, after kill -9 of everything, after a reboot. Each goes on where the last one stopped. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { identityOf, isAlive } from '../../dev/parts/identity.ts';
import { type ProcessEntry, readRunFile } from '../../dev/supervisor/run-file.ts';
import { testEnvironment } from '../../dev/tests/run-tests.ts';
import { runRole, until } from './roles.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const COPIED = ['bin', 'connectors', 'dashboard', 'dev', 'processors', 'schemas', 'simulators', 'topology'];
const FILES = ['package.json', 'package-lock.json', 'tsconfig.json', 'docker-compose.yml'];
const START_MS = 120_000;
const END_MS = 20_000;
/** With hours before it that are over, whatever the minute at which this runs; and with logins for the few attacks that three short lives have. */
const TRAFFIC = ['--history', '6h', '--rate', '40', '--logins', '10', '--seed', '11'];
const MORE = 400;
const AHEAD_MS = 110 * 60_000;

/** A clone of its own: a run's data lies in the clone's folder. */
async function makeClone(): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), 'sluice-restart-')), 'a clone with spaces');
  await mkdir(join(folder, 'test'), { recursive: true });
  for (const name of COPIED) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  for (const name of FILES) await cp(join(ROOT, name), join(folder, name));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** What the senders say that they have reached, ms. The collector believes no more than an hour ahead. */
async function setClock(env: Readonly<Record<string, string>>, ms: number): Promise<void> {
  const mysql = await createConnection({ uri: env['SLUICE_MYSQL'] ?? '' });
  await mysql.query('update sluice_clock set now_ms = ? where id = 1', [ms]);
  await mysql.end();
  await until('the collector', START_MS, async () => {
    const headers = {
      'content-type': 'application/json',
      authorization: 'Bearer dev',
      'x-sluice-clock': String(ms - AHEAD_MS / 2),
    };
    const answer = await fetch(`${env['SLUICE_COLLECTOR']}/v1/events`, { method: 'POST', headers, body: '[]' }).catch(
      () => undefined,
    );
    return answer?.ok === true;
  });
}

/** One `sluice start`. */
class Start {
  output = '';
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | string>;

  constructor(clone: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const node = ['--disable-warning=ExperimentalWarning', join(clone, 'bin', 'main.ts')];
    const cache = process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice');
    this.#child = spawn(process.execPath, [...node, 'start', ...args], {
      cwd: clone,
      // As brokers of tests do: see kafkaPart().
      env: {
        ...testEnvironment(),
        XDG_CACHE_HOME: join(cache, '..'),
        JDK_JAVA_OPTIONS: '-XX:TieredStopAtLevel=1',
        SLUICE_LAKE_LINGER: '2s',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.#exited = new Promise(
      (resolve) => void this.#child.once('exit', (code, signal) => resolve(code ?? signal ?? '')),
    );
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async interrupt(): Promise<number | string> {
    this.#child.kill('SIGINT');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), END_MS);
    const how = await this.#exited;
    clearTimeout(late);
    return how;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

describe('npm start again and again', { timeout: 10 * 60_000 }, () => {
  let clone = '';
  let last: Start | undefined;
  const dir = (): string => join(clone, '.sluice');

  before(async () => {
    clone = await makeClone();
  });

  after(async () => {
    if (last?.running === true) await last.interrupt();
    for (const entry of readRunFile(dir()).processes.filter(isAlive)) process.kill(-entry.pid, 'SIGKILL');
    if (process.env['SLUICE_TEST_KEEP'] === undefined) await rm(join(clone, '..'), { recursive: true, force: true });
    else process.stderr.write(`restart: ${clone}\n`);
  });

  async function begin(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Start> {
    const start = new Start(clone, args, env);
    last = start;
    await until('the roles', START_MS, () => {
      assert.ok(start.running, `npm start has ended:\n${start.output}`);
      return /\n +logs: /.test(start.output) && ['sources', 'run', 'sinks'].every((name) => alive(name) !== undefined);
    });
    return start;
  }

  const alive = (name: string): ProcessEntry | undefined =>
    readRunFile(dir()).processes.find((entry) => entry.name === name && isAlive(entry));

  /** The variables of the roles, with the password that the file of addresses leaves out. */
  async function environment(): Promise<Record<string, string>> {
    const password = (await readFile(join(dir(), 'data', 'postgres', 'password'), 'utf8')).trim();
    const { addresses } = readRunFile(dir());
    return Object.fromEntries(
      Object.entries(addresses).map(([name, value]) => [name, value.replace(':***@', `:${password}@`)]),
    );
  }

  /** What the hourly table counts in all: it grows with the traffic at once, and never shrinks. */
  async function counted(): Promise<number> {
    const client = new Client({ connectionString: (await environment())['SLUICE_POSTGRES'] });
    try {
      await client.connect();
      const { rows } = await client.query<{ n: string }>(
        'select coalesce(sum(registrations), 0) as n from gold.registrations_hourly',
      );
      return Number(rows[0]?.n);
    } catch {
      return 0;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  async function countedMore(than: number): Promise<number> {
    let total = 0;
    await until(`${MORE} more than ${than} in PostgreSQL`, START_MS, async () => {
      total = await counted();
      return total >= than + MORE;
    });
    return total;
  }

  let total = 0;

  test('after Ctrl-C nothing runs, and the next start has what was there', async () => {
    const start = await begin(TRAFFIC);
    total = await countedMore(0);
    const { processes } = readRunFile(dir());
    assert.ok(processes.length >= 7, 'four servers and four roles');
    assert.equal(await start.interrupt(), 0, start.output);
    assert.deepEqual(processes.filter(isAlive), []);
    assert.match(start.output, /the next start goes on from there/);

    await begin(TRAFFIC);
    await until('PostgreSQL', START_MS, async () => (await counted()) > 0);
    assert.ok((await counted()) >= total, 'what was counted is gone');
    total = await countedMore(total);
  });

  test('after kill -9 of everything and a reboot, when other processes have the pids', async () => {
    assert.ok(last?.running === true);
    await last.kill();
    const { processes } = readRunFile(dir());
    for (const entry of processes.filter(isAlive)) process.kill(-entry.pid, 'SIGKILL');
    await until('the end of all', END_MS, () => processes.every((entry) => !isAlive(entry)));
    const stranger = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
    const strange = identityOf(stranger.pid ?? 0);
    const file = join(dir(), 'run.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replaceAll(/"pid": \d+/g, `"pid": ${stranger.pid}`));

    try {
      await begin(TRAFFIC);
      total = await countedMore(total);
      assert.ok(isAlive(strange), 'a process that was not ours has been ended');
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  test('every row of all lives is as the oracles say', async () => {
    assert.equal(await last?.interrupt(), 0, last?.output);
    // Without traffic and with the senders' clock time stands still, so that nothing moves under the oracles; far ahead, so that windows close.
    const start = await begin(['--no-simulator'], { SLUICE_CLOCK: 'sender' });
    const env = await environment();
    await setClock(env, Date.now() + AHEAD_MS);
    const verified = await runRole('verify', ['--timeout', '300'], env);
    process.stderr.write(`${verified.output}\n`);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');
    assert.equal(await start.interrupt(), 0, start.output);
  });
});
