/** What the local parts have in common: ports, processes, logs, waiting, data. Without a server of theirs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { appendFile, chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { onPath, run } from '../../dev/parts/command.ts';
import { prepareData } from '../../dev/parts/data-dir.ts';
import {
  accepts,
  isAlive,
  lastLines,
  type PartContext,
  rotateLog,
  type ServerProcess,
  signalGroup,
  spawnServer,
  startTimeOf,
  stopGroup,
  takePorts,
  ended,
} from '../../dev/parts/index.ts';
import { adopted, type Answering, untilReady } from '../../dev/parts/ready.ts';

const DEADLINE_MS = 10_000;
const SPAWNED: ServerProcess[] = [];

let folder: string;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice parts-'));
});

after(async () => {
  for (const server of SPAWNED) await stopGroup(server, 0);
  await rm(folder, { recursive: true, force: true });
});

function fileOf(name: string): string {
  return path.join(folder, name);
}

async function spawnScript(script: string, logFile: string): Promise<ServerProcess> {
  const server = await spawnServer({ command: process.execPath, args: ['-e', script], cwd: folder, logFile });
  SPAWNED.push(server);
  return server;
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function contextOf(overrides: Partial<PartContext> = {}): PartContext {
  return {
    dataDir: fileOf('data'),
    logFile: fileOf('server.log'),
    cacheDir: fileOf('cache'),
    diskBytes: 1,
    ports: {},
    progress: () => {},
    signal: new AbortController().signal,
    ...overrides,
  };
}

function never(overrides: Partial<Answering> = {}): Answering {
  return {
    name: 'kafka',
    address: 'nowhere',
    ports: {},
    timeoutMs: DEADLINE_MS,
    answers: () => Promise.resolve(false),
    ...overrides,
  };
}

describe('ports', () => {
  test('a wished port is taken when it is free, another when it is in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    assert.equal(await accepts(address.port), true);
    const other = await takePorts(['client'], { client: address.port });
    assert.notEqual(other.client, address.port);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await accepts(address.port), false);
    assert.deepEqual(await takePorts(['client'], { client: address.port }), { client: address.port });
  });

  test('one that listens on all addresses is in the way, too', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    assert.notEqual((await takePorts(['client'], { client: address.port })).client, address.port);
    server.close();
  });

  test('those taken together differ, also when the same one is wished twice', async () => {
    const { a } = await takePorts(['a']);
    const ports = await takePorts(['a', 'b', 'c'], { a, b: a });
    assert.equal(new Set(Object.values(ports)).size, 3);
  });
});

describe('processes', () => {
  test('a start time is of one process, and none is left when it has ended', async () => {
    const own = startTimeOf(process.pid);
    assert.ok(own !== undefined);
    assert.equal(startTimeOf(process.pid), own);
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    assert.equal(startTimeOf(child.pid ?? 0), undefined);
    for (const none of [0, -1, 1.5, Number.NaN]) assert.equal(startTimeOf(none), undefined);
  });

  test('a command whose name looks like the fields of its state', { skip: process.platform !== 'linux' }, async () => {
    const script = fileOf('a) Z 1 (b');
    await writeFile(script, '#!/bin/sh\nread line\n');
    await chmod(script, 0o755);
    const child = spawn(script, [], { stdio: ['pipe', 'ignore', 'ignore'] });
    await once(child, 'spawn');
    assert.match(startTimeOf(child.pid ?? 0) ?? '', /:\d+$/);
    child.stdin.end();
    await once(child, 'exit');
  });

  test('one that has ended and was not waited for', { skip: process.platform !== 'linux' }, async () => {
    // `sleep` takes the shell's place and never asks for its child's exit.
    const parent = spawn('/bin/sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    try {
      const [text] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(text.toString());
      await until('it ends', async () => startTimeOf(pid) === undefined);
      assert.match(await readFile(`/proc/${pid}/stat`, 'utf8'), /\) Z /);
    } finally {
      parent.kill('SIGKILL');
    }
  });

  test('a signal and a stop reach only the process with that start time', async () => {
    const server = await spawnScript('setInterval(() => {}, 1000)', fileOf('a.log'));
    const stranger = { pid: server.pid, startTime: 'another' };
    assert.equal(isAlive(stranger), false);
    signalGroup(stranger, 'SIGKILL');
    await stopGroup(stranger, 0);
    assert.equal(isAlive(server), true);
    await stopGroup(server, DEADLINE_MS);
    assert.equal(isAlive(server), false);
    assert.equal(await server.exited, 'SIGTERM');
    await stopGroup(server, DEADLINE_MS);
  });

  test('one that does not end is killed, with its children', async () => {
    const log = fileOf('stubborn.log');
    const child = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);`;
    const server = await spawnScript(
      `${child} const c = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(
        `${child} console.log('child ' + process.pid)`,
      )}], { stdio: 'inherit' });`,
      log,
    );
    await until('the child runs', async () => (await lastLines(log)).some((line) => line.startsWith('child ')));
    const pid = Number((await lastLines(log)).find((line) => line.startsWith('child '))?.slice(6));
    const grandchild = { pid, startTime: startTimeOf(pid) ?? '' };
    assert.equal(isAlive(grandchild), true);
    await stopGroup(server, 100);
    assert.equal(await server.exited, 'SIGKILL');
    assert.equal(await ended(grandchild, DEADLINE_MS), true);
  });

  test('children that a leader leaves behind are ended with it', async () => {
    const log = fileOf('orphan.log');
    const server = await spawnScript(
      `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(
        `process.on('SIGTERM', () => {}); console.log('child ' + process.pid); setInterval(() => {}, 1000)`,
      )}], { stdio: 'inherit' }); setInterval(() => {}, 1000)`,
      log,
    );
    await until('the child runs', async () => (await lastLines(log)).some((line) => line.startsWith('child ')));
    const pid = Number((await lastLines(log)).find((line) => line.startsWith('child '))?.slice(6));
    const orphan = { pid, startTime: startTimeOf(pid) ?? '' };
    await stopGroup(server, DEADLINE_MS);
    assert.equal(await server.exited, 'SIGTERM');
    assert.equal(await ended(orphan, DEADLINE_MS), true);
  });

  test('a command that is not there', async () => {
    await assert.rejects(spawnServer({ command: fileOf('none'), args: [], cwd: folder, logFile: fileOf('none.log') }), {
      code: 'ENOENT',
    });
    assert.equal((await run(fileOf('none'), [])).code, -1);
    assert.equal(onPath('none', [folder]), undefined);
  });

  test('a command that takes too long is ended together with what it started', async () => {
    const { code } = await run('/bin/sh', ['-c', 'sleep 1000 & wait'], { timeoutMs: 100 });
    assert.equal(code, 128);
  });

  test('a command is ended when its caller gives up, also before it began', async () => {
    const { code } = await run('/bin/sh', ['-c', 'sleep 1000'], { signal: AbortSignal.abort() });
    assert.equal(code, 128);
  });
});

describe('logs', () => {
  test('the last lines: all, some, none, without a file, long ones, from a position', async () => {
    const file = fileOf('lines.log');
    assert.deepEqual(await lastLines(file), []);
    await writeFile(file, '');
    assert.deepEqual(await lastLines(file), []);
    await writeFile(file, 'a\r\nb\n\nc');
    assert.deepEqual(await lastLines(file), ['a', 'b', '', 'c']);
    assert.deepEqual(await lastLines(file, 2), ['', 'c']);
    await appendFile(file, '\nd\n');
    assert.deepEqual(await lastLines(file, 1), ['d']);
    assert.deepEqual(await lastLines(file, 20, 7), ['', 'd']);
    // Rotated since: shorter than where its lines began.
    assert.deepEqual(await lastLines(file, 1, 1_000), ['d']);
    await writeFile(file, `${'x'.repeat(100_000)}\nend\n`);
    const [long, end] = await lastLines(file);
    assert.equal(end, 'end');
    assert.ok(long !== undefined && long.length <= 64 * 1024);
  });

  test('a rotation keeps one older generation, and the writer goes on', async () => {
    const log = fileOf('rotated.log');
    const server = await spawnScript(`setInterval(() => console.log('tick'), 5)`, log);
    await until('it writes', async () => (await lastLines(log)).length > 3);
    await rotateLog(log, 1_000_000);
    assert.equal(existsSync(`${log}.1`), false);
    await rotateLog(log, 1);
    assert.match(await readFile(`${log}.1`, 'utf8'), /^tick\n/);
    await until('it goes on', async () => (await stat(log)).size > 0);
    await stopGroup(server, DEADLINE_MS);
    assert.match(await readFile(log, 'utf8'), /^(tick\n)+$/, 'no hole of zeros at its front');
  });
});

describe('waiting for a server', () => {
  test('one that dies at once: its exit, its own last lines and the file are in the error', async () => {
    const logFile = fileOf('dies.log');
    await writeFile(logFile, 'line of an earlier start\n');
    const script = `for (let i = 0; i < 30; i++) console.error('line ' + i); process.exit(3)`;
    const server = await spawnScript(script, logFile);
    await assert.rejects(untilReady(server, contextOf({ logFile }), never()), (error: Error & { code: string }) => {
      assert.equal(error.code, 'SLC_PART_START');
      assert.match(error.message, /^kafka has ended at its start \(exit code 3\)\n/);
      assert.ok(error.message.includes(logFile));
      const lines = error.message.split('\n').filter((line) => line.startsWith('  line'));
      assert.deepEqual([lines.length, lines[0], lines.at(-1)], [20, '  line 10', '  line 29']);
      return true;
    });
  });

  test('one that never answers is ended', async () => {
    const logFile = fileOf('silent.log');
    const server = await spawnScript('setInterval(() => {}, 1000)', logFile);
    await assert.rejects(untilReady(server, contextOf({ logFile }), never({ timeoutMs: 50 })), {
      code: 'SLC_PART_START',
      message: /does not answer after 0.05 s\n {2}Nothing is in /,
    });
    assert.equal(isAlive(server), false);
  });

  test('one whose start is given up is ended', async () => {
    const logFile = fileOf('given-up.log');
    const server = await spawnScript('setInterval(() => {}, 1000)', logFile);
    const abort = new AbortController();
    const waiting = untilReady(server, contextOf({ logFile, signal: abort.signal }), never());
    abort.abort();
    await assert.rejects(waiting, { code: 'SLC_PART_START', message: /was given up/ });
    assert.equal(isAlive(server), false);
  });

  test('what answers in place of a server that has ended does not count', async () => {
    const logFile = fileOf('impostor.log');
    const server = await spawnScript('process.exit(1)', logFile);
    await server.exited;
    const answering = never({ answers: () => Promise.resolve(true) });
    await assert.rejects(untilReady(server, contextOf({ logFile }), answering), { code: 'SLC_PART_START' });
  });

  test('a server of an earlier start is taken over while it runs, and can be stopped', async () => {
    const logFile = fileOf('earlier.log');
    const { pid, startTime } = await spawnScript('setInterval(() => {}, 1000)', logFile);
    const answering = never({ answers: () => Promise.resolve(true) });
    const part = await adopted({ pid, startTime }, contextOf({ logFile }), answering);
    assert.deepEqual([part?.pid, part?.startTime, part?.address], [pid, startTime, 'nowhere']);
    await part?.stop(DEADLINE_MS);
    assert.equal(await adopted({ pid, startTime }, contextOf({ logFile }), answering), undefined);
  });
});

describe('data', () => {
  const layout = (dataDir: string, version: string, calls: string[], fails = false) => ({
    name: 'kafka' as const,
    dataDir,
    version,
    exists: () => existsSync(path.join(dataDir, 'made')),
    create: async () => {
      calls.push(version);
      if (fails) throw new Error('interrupted');
      await writeFile(path.join(dataDir, 'made'), '');
    },
  });

  test('is made once, again after an interruption or when it was deleted, and refused for another version', async () => {
    const dataDir = fileOf('versioned');
    const calls: string[] = [];
    await assert.rejects(prepareData(layout(dataDir, '4', calls, true)), /interrupted/);
    await prepareData(layout(dataDir, '4', calls));
    await prepareData(layout(dataDir, '4', calls));
    assert.equal(calls.length, 2);
    assert.equal(await readFile(path.join(dataDir, 'VERSION'), 'utf8'), '4\n');
    await assert.rejects(prepareData(layout(dataDir, '5', calls)), { code: 'SLC_PART_VERSION' });
    await rm(path.join(dataDir, 'made'));
    await prepareData(layout(dataDir, '4', calls));
    assert.equal(calls.length, 3);
  });
});
