/** What `npm start` refuses before it starts anything, and what it waits for. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError } from '#topology';
import { takePorts } from '../../dev/parts/index.ts';
import { prepareShop } from '../../dev/supervisor/databases.ts';
import { checkEnvironment, diskBytes, ROOT } from '../../dev/supervisor/local-run.ts';
import { Progress } from '../../dev/supervisor/progress.ts';
import { registryPart } from '../../dev/supervisor/registry-part.ts';

const GOOD = {
  SLUICE_KAFKA: 'a.example:9092, b.example:9092',
  SLUICE_REGISTRY: 'https://registry.example',
  SLUICE_MYSQL: 'mysql://user:p%40ss@127.0.0.1:3306/shop',
  SLUICE_POSTGRES: 'postgresql:///sluice?host=/run/postgresql',
  SLUICE_COLLECTOR_PORT: '0',
};

test('addresses of every form that works are taken, and none at all', () => {
  checkEnvironment(GOOD);
  checkEnvironment({});
  checkEnvironment(Object.fromEntries(Object.keys(GOOD).map((name) => [name, ''])));
});

const BAD: readonly (readonly [keyof typeof GOOD, string])[] = [
  ['SLUICE_KAFKA', 'broker'],
  ['SLUICE_KAFKA', 'http://127.0.0.1:9092'],
  ['SLUICE_REGISTRY', '127.0.0.1:8081'],
  ['SLUICE_MYSQL', 'localhost'],
  ['SLUICE_MYSQL', 'postgres://u:secret@127.0.0.1/x'],
  ['SLUICE_POSTGRES', '127.0.0.1:5432'],
  ['SLUICE_COLLECTOR_PORT', 'http'],
  ['SLUICE_COLLECTOR_PORT', '70000'],
];
for (const [name, value] of BAD) {
  test(`${name}=${value} is refused with an example, its value is not repeated`, () => {
    assert.throws(
      () => checkEnvironment({ ...GOOD, [name]: value }),
      (error) =>
        error instanceof ConfigError &&
        error.code === 'SLC_CONFIG_OPTION' &&
        error.message.includes(name) &&
        !error.message.includes(value) &&
        error.hint?.includes(`${name}=`) === true,
    );
  });
}

test('SLUICE_DISK: sizes from 1 GB', () => {
  assert.equal(diskBytes('1500MB'), 1_500_000_000);
  assert.equal(diskBytes('5'), 5_000_000_000);
  for (const text of ['800MB', 'much', '-5GB']) assert.throws(() => diskBytes(text), /SLUICE_DISK=/);
});

test('progress: each step once, a download at its start and its end', () => {
  const lines: string[] = [];
  const progress = new Progress((line) => lines.push(line.replace(/^ *[\d.]+ s +/, '')));
  progress.step('kafka', 'starts');
  progress.step('kafka', 'starts');
  for (const done of [0, 1e6, 54e6, 54.5e6, 55e6]) {
    progress.step('kafka', 'downloads', { done, total: Math.max(done, 54e6) });
  }
  assert.deepEqual(lines, [
    'kafka     starts',
    'kafka     downloads, 0.0 of 54 MB',
    'kafka     downloads, 54 of 54 MB',
  ]);
});

test('MySQL away: the start says so once, waits, and ends when told', async () => {
  const { port } = await takePorts(['port']);
  const said: string[] = [];
  const stop = new AbortController();
  const waiting = prepareShop(`mysql://u:secret@127.0.0.1:${port}/shop`, shopSql, stop.signal, (line) => {
    said.push(line);
    setTimeout(() => stop.abort(), 700);
  });
  await assert.rejects(waiting, { name: 'AbortError' });
  assert.deepEqual(said, [`waits for MySQL at 127.0.0.1:${port}: ECONNREFUSED`]);
});

test('Kafka away: the local schema registry is not started before somebody listens there', async (t) => {
  const { port } = await takePorts(['port']);
  const stop = new AbortController();
  const said: string[] = [];
  const server = createServer((socket) => socket.destroy());
  t.after(() => server.close());
  const start = registryPart([process.execPath, '-e', 'process.exit(7)'], `127.0.0.1:1,127.0.0.1:${port}`).start({
    dataDir: tmpdir(),
    logFile: join(tmpdir(), `sluice-registry-${process.pid}.log`),
    cacheDir: tmpdir(),
    diskBytes: 1e9,
    ports: {},
    progress: (text) => {
      said.push(text);
      if (!server.listening) server.listen(port, '127.0.0.1');
    },
    signal: stop.signal,
  });
  await assert.rejects(start, /the schema registry has ended/);
  assert.deepEqual(said, [
    `waits for Kafka: nobody listens at 127.0.0.1:1,127.0.0.1:${port}`,
    'the schema registry starts',
  ]);
});

const shopSql = join(ROOT, 'schemas', 'sql', 'shop.sql');
