import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProcess, identityOf, isAlive } from '../../dev/parts/identity.ts';
import { registryPart } from '../../dev/supervisor/registry-part.ts';
import { readRunFile } from '../../dev/supervisor/run-file.ts';
import type { Plan } from './fixtures/supervised.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const ROLES: Plan['roles'] = [
  { name: 'simulate', tier: 'traffic' },
  { name: 'sinks', tier: 'sink' },
  { name: 'run', tier: 'topology' },
];
const PARTS: Plan['parts'] = ['kafka', 'mysql', 'registry'];

let folder = '';
let dir = '';
let starters: Starter[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice supervisor '));
  dir = join(folder, '.sluice');
  mkdirSync(join(folder, 'notes'));
});

afterEach(async () => {
  for (const starter of starters) starter.child.kill('SIGKILL');
  for (const pid of processesOf(folder)) await endProcess(identityOf(pid), 'SIGKILL', 2_000);
  starters = [];
  rmSync(folder, { recursive: true, force: true });
});

interface Starter {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  text(): string;
}

function start(plan: Plan): Starter {
  const child = spawn(process.execPath, [join(FIXTURES, 'supervised.ts'), dir, JSON.stringify(plan)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stdout.on('data', (data: Buffer) => (text += data.toString()));
  child.stderr.on('data', (data: Buffer) => (text += data.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const starter = { child, ended, text: () => text };
  starters.push(starter);
  return starter;
}

async function until(what: string, holds: () => boolean | Promise<boolean>, starter?: Starter): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}\n${starter?.text() ?? ''}`);
    await sleep(20);
  }
}

/** All processes that have this folder in their command line. */
function processesOf(path: string): number[] {
  const table = execFileSync('ps', ['-eo', 'pid=,stat=,args='], { encoding: 'utf8', maxBuffer: 2 ** 24 });
  return table
    .split('\n')
    .filter((line) => line.includes(path) && !/^\s*\d+\s+Z/.test(line))
    .map((line) => Number.parseInt(line, 10));
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function notes(name: string): string[] {
  const file = join(folder, 'notes', name);
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}

/** Each role has spoken, so that it hears signals, too. */
const isUp = (starter: Starter) => ROLES.every(({ name }) => starter.text().includes(`stage of ${name}`));

describe('supervisor', () => {
  test('a second start says that one runs and touches nothing', async () => {
    const first = start({ roles: ROLES, parts: PARTS });
    await until('the first is up', () => isUp(first), first);
    const before = readRunFile(dir);
    const second = start({ roles: ROLES, parts: PARTS });
    assert.equal(await second.ended, 1);
    assert.match(second.text(), new RegExp(`runs already \\(pid ${first.child.pid}\\)`));
    assert.deepEqual(readRunFile(dir), before);
    assert.ok(before.processes.length === 6 && before.processes.every(isAlive));
  });

  test('of two starts in the same moment one runs', async () => {
    const both = [start({ roles: ROLES, parts: PARTS }), start({ roles: ROLES, parts: PARTS })];
    const code = await Promise.race(both.map((one) => one.ended));
    assert.equal(code, 1);
    const [runs] = both.filter((one) => one.child.exitCode === null);
    await until('the other is up', () => isUp(runs!), runs);
  });

  test('Ctrl-C ends producers, topology, sinks, registry, databases and Kafka in this order; nothing is left', async () => {
    assert.deepEqual(processesOf(folder), []);
    const starter = start({ roles: [{ name: 'sources', tier: 'source' }, ...ROLES], parts: PARTS });
    await until('it is up', () => isUp(starter) && starter.text().includes('stage of sources'), starter);
    const { processes } = readRunFile(dir);
    const ports = processes.flatMap((entry) => Object.values(entry.ports ?? {}));
    assert.equal(ports.length, 3);
    assert.deepEqual(await Promise.all(ports.map(listens)), [true, true, true]);
    assert.equal(processesOf(folder).length, 8);
    starter.child.kill('SIGINT');
    assert.equal(await starter.ended, 0);
    assert.deepEqual(notes('order'), ['simulate', 'sources', 'run', 'sinks', 'registry', 'mysql', 'kafka']);
    assert.deepEqual(processesOf(folder), []);
    assert.deepEqual(await Promise.all(ports.map(listens)), [false, false, false]);
    assert.match(starter.text(), /data stays in/);
    assert.deepEqual(readRunFile(dir).processes, []);
  });

  test('the next start takes the ports of the last one again', async () => {
    const ports: object[] = [];
    for (const _ of [1, 2]) {
      const starter = start({ roles: ROLES, parts: PARTS });
      await until('it is up', () => isUp(starter), starter);
      ports.push(readRunFile(dir).ports);
      starter.child.kill('SIGTERM');
      assert.equal(await starter.ended, 0);
    }
    assert.deepEqual(ports[0], ports[1]);
  });

  test('a role that does not end is killed, and all is over within 10 s', async () => {
    const starter = start({ roles: [...ROLES, { name: 'sources', tier: 'source', how: 'stubborn' }], parts: PARTS });
    await until('it is up', () => isUp(starter) && notes('begins').includes('sources'), starter);
    const begun = Date.now();
    starter.child.kill('SIGINT');
    assert.equal(await starter.ended, 0);
    assert.ok(Date.now() - begun < 10_000);
    assert.match(starter.text(), /sources does not end: killed/);
    assert.deepEqual(processesOf(folder), []);
  });

  test('a message on its way does not bring a stopped role back', async () => {
    const starter = start({
      roles: [...ROLES, { name: 'sources', tier: 'source', how: 'ready-at-end' }],
      parts: PARTS,
    });
    await until('it is up', () => isUp(starter) && notes('begins').includes('sources'), starter);
    starter.child.kill('SIGINT');
    assert.equal(await starter.ended, 0);
    assert.equal(notes('begins').filter((name) => name === 'sources').length, 1);
  });

  test('Ctrl-C twice kills all at once', async () => {
    const starter = start({ roles: [...ROLES, { name: 'sources', tier: 'source', how: 'stubborn' }], parts: PARTS });
    await until('it is up', () => isUp(starter) && notes('begins').includes('sources'), starter);
    starter.child.kill('SIGINT');
    await until('it stops', () => notes('order').includes('simulate'), starter);
    // The same press passed on by a wrapper does not count; pressed until it is heard.
    await until(
      'it is killed',
      () => {
        starter.child.kill('SIGINT');
        return starter.text().includes('killing all');
      },
      starter,
    );
    assert.equal(await starter.ended, 130);
    assert.ok(!notes('order').includes('kafka'));
    assert.deepEqual(processesOf(folder), []);
  });

  test('after kill -9 of the starter the next start takes the parts over and ends the roles', async () => {
    const first = start({ roles: ROLES, parts: PARTS });
    await until('the first is up', () => isUp(first), first);
    const before = readRunFile(dir).processes;
    const [mysql] = before.filter(({ name }) => name === 'mysql');
    first.child.kill('SIGKILL');
    await first.ended;
    await endProcess(mysql!, 'SIGKILL', 2_000);
    const second = start({ roles: ROLES, parts: PARTS });
    await until('the second is up', () => isUp(second), second);
    const after = new Map(readRunFile(dir).processes.map((entry) => [entry.name, entry]));
    for (const { name, pid, kind } of before) {
      const isSame = kind === 'part' && name !== 'mysql';
      assert.equal(after.get(name)?.pid === pid, isSame, name);
    }
    assert.match(second.text(), /kafka +ready runs since .*: taken over/);
    assert.equal(processesOf(folder).length, 7);
    second.child.kill('SIGINT');
    assert.equal(await second.ended, 0);
    assert.deepEqual(processesOf(folder), []);
  });

  test('a pid that another process has by now is left alone', async () => {
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)', folder], { stdio: 'ignore' });
    mkdirSync(dir, { recursive: true });
    const entry = { name: 'kafka', kind: 'part', command: 'kafka', since: '2026-01-01T00:00:00Z' };
    const id = { pid: stranger.pid, startTime: 'another boot:1' };
    writeFileSync(join(dir, 'starter.lock'), JSON.stringify(id));
    writeFileSync(
      join(dir, 'run.json'),
      JSON.stringify({ version: 1, processes: [{ ...entry, ...id, ports: { client: 1 } }], addresses: {}, ports: {} }),
    );
    const starter = start({ roles: ROLES, parts: PARTS });
    await until('it is up', () => isUp(starter), starter);
    starter.child.kill('SIGINT');
    assert.equal(await starter.ended, 0);
    assert.equal(stranger.exitCode ?? stranger.signalCode, null);
    stranger.kill('SIGKILL');
  });

  test('a role that ends is started again', async () => {
    const starter = start({
      roles: [...ROLES, { name: 'sources', tier: 'source', how: 'dies-once' }],
      parts: PARTS,
    });
    await until('it began twice', () => notes('begins').filter((name) => name === 'sources').length === 2, starter);
    await until('the view tells', () => /sources: started again 1 times/.test(starter.text()), starter);
    assert.match(starter.text(), /sources ended \(exit code 1\); starting again in 0.02 s/);
  });

  test('a role that fails five times is given up with its last 20 lines; the others go on; exit code 1', async () => {
    const starter = start({ roles: [...ROLES, { name: 'sources', tier: 'source', how: 'fails' }], parts: PARTS });
    await until('it is given up', () => /sources is given up/.test(starter.text()), starter);
    await until('the others run', () => isUp(starter), starter);
    assert.equal(notes('begins').filter((name) => name === 'sources').length, 5);
    const words = starter.text().match(/\| last words \d+/g);
    assert.equal(words?.length, 20);
    assert.deepEqual([words[0], words.at(-1)], ['| last words 11', '| last words 30']);
    starter.child.kill('SIGINT');
    assert.equal(await starter.ended, 1);
  });

  test('a role that refuses its configuration is not started again', async () => {
    const starter = start({ roles: [...ROLES, { name: 'sources', tier: 'source', how: 'refuses' }], parts: PARTS });
    await until('it is given up', () => /refuses its configuration/.test(starter.text()), starter);
    assert.equal(notes('begins').filter((name) => name === 'sources').length, 1);
  });

  test('a part that ends is started again on its port', async () => {
    const starter = start({ roles: ROLES, parts: PARTS });
    await until('it is up', () => isUp(starter), starter);
    const entry = () => readRunFile(dir).processes.find(({ name }) => name === 'mysql');
    const before = entry();
    await endProcess(before!, 'SIGKILL', 2_000);
    await until('it runs again', () => entry()?.pid !== before!.pid, starter);
    assert.equal(entry()?.address, before!.address);
    assert.ok(await listens(entry()!.ports!['client']!));
  });

  test('a part that cannot start ends the others and the start', async () => {
    const starter = start({ roles: ROLES, parts: PARTS, brokenPart: 'mysql' });
    assert.equal(await starter.ended, 1);
    assert.match(starter.text(), /mysql is broken/);
    assert.deepEqual(notes('begins'), []);
    assert.deepEqual(processesOf(folder), []);
  });

  test('a bounded run begins with empty data, ends with its work and its exit code', async () => {
    mkdirSync(join(dir, 'data', 'kafka'), { recursive: true });
    writeFileSync(join(dir, 'data', 'kafka', 'old'), '');
    const roles = [{ name: 'simulate', tier: 'traffic', how: 'finishes' }, ...ROLES.slice(1)] as const;
    for (const work of [0, 1]) {
      const starter = start({ roles, parts: PARTS, fresh: true, work });
      assert.equal(await starter.ended, work, starter.text());
      assert.match(starter.text(), /simulated 7 and 3/);
      assert.ok(!existsSync(join(dir, 'data', 'kafka', 'old')));
      assert.deepEqual(processesOf(folder), []);
    }
  });

  test('a bounded run in which a role is given up fails', async () => {
    const roles = [...ROLES, { name: 'sources', tier: 'source', how: 'refuses' }] as const;
    const starter = start({ roles, parts: PARTS, work: 0 });
    assert.equal(await starter.ended, 1);
    assert.deepEqual(processesOf(folder), []);
  });

  test('a registry that fails shows its last 20 lines and the file', async (t) => {
    const broker = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    t.after(() => broker.close());
    await once(broker, 'listening');
    const { port } = broker.address() as AddressInfo;
    appendFileSync(join(folder, 'registry.log'), 'of an earlier start\n');
    const script = 'for (let i = 1; i <= 30; i++) console.log("line " + i); process.exit(1)';
    const part = registryPart([process.execPath, '-e', script], `127.0.0.1:${port}`);
    const context = {
      dataDir: folder,
      logFile: join(folder, 'registry.log'),
      cacheDir: folder,
      diskBytes: 0,
      ports: {},
      progress: () => undefined,
      signal: new AbortController().signal,
    };
    await assert.rejects(part.start(context), ({ message }: Error) => {
      assert.match(message, /Last lines of .*registry\.log/);
      assert.equal(message.match(/line \d+/g)?.length, 20);
      assert.match(message, /line 30$/);
      return true;
    });
  });
});
