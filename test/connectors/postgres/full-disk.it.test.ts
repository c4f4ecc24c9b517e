/** A disk that is full, truly: the tables of the sink lie on a file system of 64 MB. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect, promisify } from 'node:util';
import { Client } from 'pg';
import { RetriableError } from '#topology';
import { checkHistory, keepHistory, makeDatabase, makeSink, serverUrl, topic } from './harness.ts';

const run = promisify(execFile);
const DISK = '64m';
/** What something else takes of it, and gives back. */
const FILLER_MB = 32;
const RECORDS_PER_BATCH = 50;
const LABEL_BYTES = 12_000;
const MAX_BATCHES = 200;

interface SmallDisk {
  readonly folder: string;
  readonly unmount: () => Promise<void>;
}

async function mountSmallDisk(): Promise<SmallDisk | string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-full-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK}`, 'tmpfs', folder]);
  } catch (error) {
    await rm(folder, { recursive: true });
    const { code, stderr } = error as { code?: string | number; stderr?: string };
    return `no tmpfs can be mounted: ${(stderr ?? '').trim() || String(code)}`;
  }
  const unmount = async (): Promise<void> => {
    await run('umount', ['-l', folder]);
    await rm(folder, { recursive: true });
  };
  try {
    await giveToServer(folder);
    return { folder, unmount };
  } catch (error) {
    await unmount();
    throw error;
  }
}

/** The server may run as another user: it owns its part of the disk and can go there. */
async function giveToServer(folder: string): Promise<void> {
  const admin = new Client(serverUrl());
  await admin.connect();
  const { rows } = await admin.query<{ data_directory: string }>('show data_directory');
  await admin.end();
  const { uid, gid } = await stat(rows[0]?.data_directory ?? '');
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'tables'), { mode: 0o700 });
  await chown(join(folder, 'tables'), uid, gid);
}

const disk = await mountSmallDisk();
const why = typeof disk === 'string' ? ` (left out: ${disk})` : '';

/** Text that does not get smaller when PostgreSQL compresses it. */
const record = (offset: bigint) => ({
  offset,
  timestamp: 0,
  key: `k${offset}`,
  value: { someNumber: Number(offset), label: randomBytes(LABEL_BYTES).toString('base64') },
});

const isFull = (error: unknown): boolean =>
  error instanceof RetriableError &&
  error.code === 'SLC_POSTGRES_AWAY' &&
  (error.cause as { code?: string }).code === '53100' &&
  /No space left on device/.test(error.message);

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

test(
  `a full disk waits, and goes on without loss when there is space again${why}`,
  {
    skip: why !== '',
    timeout: 120_000,
  },
  async (t) => {
    if (typeof disk === 'string') return;
    const { folder, unmount } = disk;
    const filler = join(folder, 'filler');
    const space = `full_disk_${randomBytes(6).toString('hex')}`;
    const database = await makeDatabase();
    const name = new URL(database.url).pathname.slice(1);
    await database.query(`create tablespace ${space} location '${join(folder, 'tables')}'`);
    await database.query(`alter database ${name} set default_tablespace = ${space}`);
    const sink = makeSink(database);
    t.after(async () => {
      await sink.close();
      await database.close();
      const admin = new Client(serverUrl());
      await admin.connect();
      await admin.query(`drop tablespace ${space}`);
      await admin.end();
      await unmount();
    });
    await run('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1M', `count=${FILLER_MB}`]);
    await sink.open();
    await keepHistory(database);
    const held = await sink.claim(topic, 0);

    let next = 0n;
    const batchFrom = (from: bigint) => Array.from({ length: RECORDS_PER_BATCH }, (_, i) => record(from + BigInt(i)));
    let batch = batchFrom(next);
    const end = () => next + BigInt(RECORDS_PER_BATCH);
    let full: unknown;
    for (let written = 0; full === undefined; written++) {
      assert.ok(written < MAX_BATCHES, 'the disk never gets full: the tables do not lie on it');
      try {
        await held.write(batch, end());
        next = end();
        batch = batchFrom(next);
      } catch (error) {
        full = error;
      }
    }
    assert.ok(isFull(full), inspect(full));
    assert.ok(next > 0n, 'some of it went in before');
    assert.ok((await freeBytes(folder)) < 2e6, 'it is this disk that is full');
    // As the engine does it: the same call again and again.
    for (let attempt = 0; attempt < 3; attempt++) await assert.rejects(held.write(batch, end()), isFull);
    const [before] = await database.query<{ rows: number }>('select count(*)::integer as rows from gold.numbers');
    assert.equal(before?.rows, Number(next), 'nothing of what failed is there');

    await rm(filler);
    await held.write(batch, end());
    next = end();
    await held.write(batchFrom(next), end());
    next = end();

    const rows = await database.query<{ offset: string; length: number }>(
      'select _offset as offset, length(label) as length from gold.numbers order by _offset',
    );
    assert.deepEqual(
      rows.map((row) => row.offset),
      Array.from({ length: Number(next) }, (_, i) => String(i)),
      'a row of each record',
    );
    assert.ok(rows.every(({ length }) => length === Math.ceil(LABEL_BYTES / 3) * 4));
    assert.equal(await checkHistory(database), Number(next), 'each written once');
  },
);
