/** Each part really started, killed and started again on the same data. Starts servers of its own in a temporary folder and ends them. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import mysql from 'mysql2/promise';
import { Client } from 'pg';
import { BatchBuilder, createKafkaClient, type KafkaClient, RecordCursor } from '#topology';
import {
  isAlive,
  kafkaPart,
  mariadbPart,
  type Part,
  type PartContext,
  postgresPart,
  type RunningPart,
  signalGroup,
  ended,
} from '../../dev/parts/index.ts';

const STOP_MS = 10_000;
const KILL_MS = 5_000;
const READ_MS = 20_000;
const cacheDir =
  process.env['SLUICE_TEST_CACHE'] ??
  path.join(process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache'), 'sluice');

let folder: string;
const started: RunningPart[] = [];

before(async () => {
  // A space and a length beyond that of a socket's path.
  const parent = await mkdtemp(path.join(tmpdir(), 'sluice parts-'));
  await chmod(parent, 0o755);
  folder = path.join(parent, 'x'.repeat(100));
  await mkdir(folder);
});

after(async () => {
  for (const part of started) await part.stop(0);
  await rm(path.dirname(folder), { recursive: true, force: true });
});

function contextOf(part: Part, overrides: Partial<PartContext> = {}): PartContext {
  return {
    dataDir: path.join(folder, 'data', part.name),
    logFile: path.join(folder, 'logs', `${part.name}.log`),
    cacheDir,
    diskBytes: 2 ** 30,
    ports: {},
    progress: () => {},
    signal: new AbortController().signal,
    ...overrides,
  };
}

/** PostgreSQL's own folder. */
async function dataOf(part: Part): Promise<string> {
  const { dataDir } = contextOf(part);
  const elsewhere = await readFile(path.join(dataDir, 'DATA_IS_IN'), 'utf8').catch(() => dataDir);
  return path.join(elsewhere.trim(), 'data');
}

async function start(part: Part, context: PartContext): Promise<RunningPart> {
  assert.equal(await part.missing(context), undefined);
  const running = await part.start(context);
  started.push(running);
  return running;
}

/** Processes whose command line or working directory is in the data folder: a pid is not enough, a server has children. */
function processesIn(dataDir: string): string[] {
  const pids = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  return pids.filter((line) => line.includes(dataDir));
}

/** A value written before the kill is there after it, at the same address; the stop leaves nothing. */
async function survives(
  part: Part,
  write: (address: string) => Promise<void>,
  read: (address: string) => Promise<unknown>,
  expected: unknown,
): Promise<void> {
  const first = await start(part, contextOf(part));
  await write(first.address);
  assert.deepEqual(await read(first.address), expected);

  signalGroup(first, 'SIGKILL');
  assert.ok(await ended(first, KILL_MS), 'killed');
  await first.stop(STOP_MS);

  const second = await start(part, contextOf(part, { ports: first.ports }));
  assert.equal(second.address, first.address, 'the same ports');
  assert.deepEqual(await read(second.address), expected);

  const taken = await part.adopt(contextOf(part, { ports: second.ports }), second);
  assert.equal(taken?.address, second.address);
  assert.equal(await part.adopt(contextOf(part, { ports: second.ports }), first), undefined, 'the killed one');

  await taken?.stop(STOP_MS);
  assert.equal(isAlive(second), false);
  assert.deepEqual(processesIn(contextOf(part).dataDir), []);
}

const KEPT = { topic: 'kept', partition: 0 };

async function withKafka<Result>(address: string, use: (client: KafkaClient) => Promise<Result>): Promise<Result> {
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const client = createKafkaClient({ brokers: [address], clientId: 'parts-test', logger: silent });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

async function writeToKafka(address: string): Promise<void> {
  await withKafka(address, async (client) => {
    await (await client.admin()).ensureTopics([{ name: KEPT.topic, partitions: 1 }]);
    const producer = await client.producer({ transactionalId: 'parts-test' });
    await producer.begin();
    const batch = new BatchBuilder();
    // Event time of 1970: a retention by time would delete it.
    for (const value of ['one', 'two']) batch.append(Buffer.from('key'), Buffer.from(value), 1_000);
    await producer.send([{ ...KEPT, batch }]);
    await producer.commit();
  });
}

async function readFromKafka(address: string): Promise<unknown> {
  return await withKafka(address, async (client) => {
    const reader = await client.reader({ committed: true });
    reader.seek(KEPT, 'earliest');
    const values: string[] = [];
    const cursor = new RecordCursor();
    const deadline = Date.now() + READ_MS;
    while (values.length < 2) {
      assert.ok(Date.now() < deadline, `${values.length} records`);
      for (const { batches } of await reader.poll(50)) {
        for (const batch of batches) {
          cursor.open(batch);
          while (cursor.next()) values.push(String(cursor.valueBytes()));
        }
      }
    }
    return values;
  });
}

async function onMysql(address: string, sql: string): Promise<unknown> {
  const connection = await mysql.createConnection(address);
  try {
    const [rows] = await connection.query(sql);
    return rows;
  } finally {
    await connection.end();
  }
}

async function onPostgres(address: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: address });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('Kafka', () => {
  test('keeps topics and committed transactions through kill -9', async () => {
    await survives(kafkaPart({ heapMb: 384, isShortLived: true }), writeToKafka, readFromKafka, ['one', 'two']);
  });

  test('takes other ports when those of the last start are in use', async () => {
    const part = kafkaPart({ heapMb: 384, isShortLived: true });
    const occupant = createServer();
    await new Promise<void>((resolve) => occupant.listen(0, '127.0.0.1', resolve));
    const address = occupant.address();
    assert.ok(typeof address === 'object' && address !== null);
    try {
      const running = await start(part, contextOf(part, { ports: { client: address.port } }));
      assert.notEqual(running.ports['client'], address.port);
      assert.deepEqual(await readFromKafka(running.address), ['one', 'two']);
      await running.stop(STOP_MS);
    } finally {
      occupant.close();
    }
  });

  test('refuses data of another major version', async () => {
    const part = kafkaPart();
    await writeFile(path.join(contextOf(part).dataDir, 'VERSION'), '3\n');
    await assert.rejects(part.start(contextOf(part)), {
      code: 'SLC_PART_VERSION',
      message: /version 3; this one is 4/,
    });
  });
});

describe('MariaDB', () => {
  test('keeps what is committed through kill -9, with full row binlog', async () => {
    const part = mariadbPart();
    await survives(
      part,
      async (address) => {
        await onMysql(address, 'create database shop');
        await onMysql(`${address}shop`, 'create table t (id int primary key)');
        await onMysql(`${address}shop`, 'insert into t values (1), (2)');
      },
      async (address) => [
        await onMysql(`${address}shop`, 'select id from t order by id'),
        await onMysql(
          address,
          'select @@binlog_format f, @@binlog_row_image i, @@binlog_row_metadata m, @@time_zone z, @@bind_address b',
        ),
      ],
      [[{ id: 1 }, { id: 2 }], [{ f: 'ROW', i: 'FULL', m: 'FULL', z: '+00:00', b: '127.0.0.1' }]],
    );
  });
});

describe('PostgreSQL', () => {
  const write = async (address: string): Promise<void> => {
    await onPostgres(address, 'create table t (id int primary key)');
    await onPostgres(address, 'insert into t values (1), (2)');
  };
  const read = async (address: string): Promise<unknown> => [
    await onPostgres(address, 'select id from t order by id'),
    await onPostgres(address, `select current_database() d, current_setting('fsync') f`),
  ];
  const expected = [[{ id: 1 }, { id: 2 }], [{ d: 'shop', f: 'on' }]];

  test('keeps what is committed through kill -9', async () => {
    const part = postgresPart();
    await survives(part, write, read, expected);
    const { mode } = await stat(path.join(contextOf(part).dataDir, 'password'));
    assert.equal(mode & 0o777, 0o600);
  });

  test('starts when another process has the pid of the server that was killed, as after a reboot', async () => {
    const part = postgresPart();
    const first = await start(part, contextOf(part));
    signalGroup(first, 'SIGKILL');
    assert.ok(await ended(first, KILL_MS), 'killed');
    const lock = path.join(await dataOf(part), 'postmaster.pid');
    const { uid, gid } = await stat(lock);
    // One of the same user: PostgreSQL passes over those of others by itself.
    const stranger = spawn('sleep', ['60'], { uid, gid, stdio: 'ignore' });
    try {
      const text = await readFile(lock, 'utf8');
      await writeFile(lock, text.replace(/^\d+/, String(stranger.pid)));
      const second = await start(part, contextOf(part));
      assert.deepEqual(await read(second.address), expected);
      await second.stop(STOP_MS);
      assert.equal(stranger.exitCode ?? stranger.signalCode, null, 'the other process still runs');
    } finally {
      stranger.kill('SIGKILL');
    }
  });

  test('the server does not end while its starter is told of a wrong password', async () => {
    const part = postgresPart();
    const running = await start(part, contextOf(part));
    await assert.rejects(onPostgres(running.address.replace(/:[0-9a-f]{32}@/, ':wrong@'), 'select 1'), {
      code: '28P01',
    });
    await running.stop(STOP_MS);
  });

  test('runs below a folder that only root may enter', { skip: process.getuid?.() !== 0 && 'not root' }, async () => {
    const part = postgresPart();
    const closed = path.join(folder, 'closed');
    await mkdir(closed, { mode: 0o700 });
    await chown(closed, 0, 0);
    const dataDir = path.join(closed, 'postgres');
    const running = await start(part, contextOf(part, { dataDir }));
    await write(running.address);
    assert.deepEqual(await read(running.address), expected);
    await running.stop(STOP_MS);
    const elsewhere = (await readFile(path.join(dataDir, 'DATA_IS_IN'), 'utf8')).trim();
    await part.removeData(dataDir);
    await assert.rejects(stat(elsewhere), { code: 'ENOENT' });
    await assert.rejects(stat(dataDir), { code: 'ENOENT' });
  });
});
