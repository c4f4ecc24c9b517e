/** The start of Kafka that is prepared once: on jars of the cache and folders of its own. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaPart, type PartContext } from '../../dev/parts/index.ts';

const STOP_MS = 10_000;
const GONE_MS = 30_000;
const JARS = 'kafka-4.1.1-jars';
const realCache =
  process.env['SLUICE_TEST_CACHE'] ??
  path.join(process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'sluice');

let folder: string;
let cacheDir: string;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice prepared-'));
  cacheDir = path.join(folder, 'cache');
  await cacheWithJars(cacheDir);
});

after(() => rm(folder, { recursive: true, force: true }));

async function cacheWithJars(cache: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  await symlink(path.join(realCache, JARS), path.join(cache, JARS));
}

interface Started {
  readonly told: readonly string[];
  readonly clusterId: string | undefined;
  readonly args: string;
}

async function start(name: string, cache = cacheDir): Promise<Started> {
  const told: string[] = [];
  const dataDir = path.join(folder, name);
  const context: PartContext = {
    dataDir,
    logFile: path.join(folder, `${name}.log`),
    cacheDir: cache,
    diskBytes: 2 ** 30,
    ports: {},
    progress: (text) => told.push(text),
    signal: new AbortController().signal,
  };
  const part = await kafkaPart({ heapMb: 384, isShortLived: true }).start(context);
  try {
    const meta = await readFile(path.join(dataDir, 'data', 'meta.properties'), 'utf8');
    const args = execFileSync('ps', ['-o', 'args=', '-p', String(part.pid)], { encoding: 'utf8' });
    return { told, clusterId: /^cluster\.id=(.+)$/m.exec(meta)?.[1], args };
  } finally {
    await part.stop(STOP_MS);
  }
}

async function preparedFolder(cache = cacheDir): Promise<string> {
  const found = (await readdir(cache)).filter((name) => name.startsWith('kafka-4.1.1-start-'));
  assert.equal(found.length, 1, found.join(', '));
  return path.join(cache, found[0] ?? '');
}

const processesIn = (text: string): string[] =>
  execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(text));

describe('the prepared start of Kafka', () => {
  test('is prepared once; clusters have ids of their own', async () => {
    const first = await start('first');
    const second = await start('second');
    assert.ok(first.told.includes('prepares its start'), first.told.join(', '));
    assert.deepEqual(second.told, ['starts']);
    assert.match(second.args, /-XX:SharedArchiveFile=/);
    assert.notEqual(first.clusterId, undefined);
    assert.notEqual(first.clusterId, second.clusterId);
    assert.deepEqual(processesIn(path.join(folder, 'cache', '.')), []);
  });

  test('an archive that Java cannot use is left aside', async () => {
    const archive = path.join(await preparedFolder(), 'classes.jsa');
    await rm(archive);
    await writeFile(archive, 'no archive');
    const { told } = await start('spoilt');
    assert.deepEqual(told, ['starts']);
  });

  test('without preparation it starts as ever', async () => {
    const prepared = await preparedFolder();
    await rm(prepared, { recursive: true });
    await mkdir(prepared);
    await writeFile(path.join(prepared, 'failed.txt'), 'not on this machine');
    const { told, args } = await start('unprepared');
    assert.deepEqual(told, ['formats its storage', 'starts']);
    assert.doesNotMatch(args, /SharedArchiveFile/);
  });

  test('killed while it prepares, it leaves no broker and nothing that looks whole', async () => {
    const cache = path.join(folder, 'killed');
    await cacheWithJars(cache);
    const parts = JSON.stringify(path.join(import.meta.dirname, '../../dev/parts/kafka-prepared.ts'));
    const jars = JSON.stringify(path.join(cache, JARS, '*'));
    const script = `const { preparedStart } = await import(${parts});
      await preparedStart(${jars}, '4.1.1', { cacheDir: ${JSON.stringify(cache)}, progress: () => {}, signal: new AbortController().signal });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
    const isBroker = (line: string): boolean => line.includes('kafka.Kafka');
    const deadline = performance.now() + GONE_MS;
    while (!processesIn(cache).some(isBroker)) {
      assert.ok(performance.now() < deadline, 'no broker was started');
      await sleep(20);
    }
    child.kill('SIGKILL');
    while (processesIn(cache).some(isBroker)) {
      assert.ok(performance.now() < deadline, 'the broker runs on');
      await sleep(50);
    }
    const left = (await readdir(cache)).filter((name) => /^kafka-4\.1\.1-start-[0-9a-f]+$/.test(name));
    assert.deepEqual(left, []);
  });
});
