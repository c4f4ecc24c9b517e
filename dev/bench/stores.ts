/**
 * `node dev/bench/stores.ts [engine [keys in a write]]`: what candidates for persistent state cost behind what the engine asks of them. node:sqlite comes with Node; the
 * others are compared where they are installed (`npm install --no-save lmdb classic-level`). Each runs in a process of its own, for its memory.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';

const KEYS = 50_000;
const WINDOWS = 24;
/** Keys in one write; what changed more often is in it once. */
const BATCH = Number(process.argv[3] ?? 5_000);
const LOOKUPS = 200_000;
const HOUR_MS = 3_600_000;

type Pair = readonly [key: Buffer, value: Buffer | null];

/** What the engine asks: synchronous reads in the middle of a record, one atomic batch at a commit. */
interface Candidate {
  write(batch: readonly Pair[]): Promise<void> | void;
  get(key: Buffer): Uint8Array | undefined;
  /** Entries in [from, to), in order; undefined: it cannot tell without waiting. */
  scan(from: Buffer, to: Buffer): Promise<number> | number;
  deleteRange(from: Buffer, to: Buffer): Promise<void> | void;
  close(): Promise<void> | void;
}

function sqlite(dir: string): Candidate {
  const db = new DatabaseSync(join(dir, 'state.sqlite'));
  db.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -8192;
    PRAGMA wal_autocheckpoint = 4000; CREATE TABLE IF NOT EXISTS s (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID`);
  const put = db.prepare('INSERT INTO s VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v');
  const remove = db.prepare('DELETE FROM s WHERE k = ?');
  const get = db.prepare('SELECT v FROM s WHERE k = ?');
  get.setReturnArrays(true);
  const scan = db.prepare('SELECT k, v FROM s WHERE k >= ? AND k < ? ORDER BY k');
  scan.setReturnArrays(true);
  const removeRange = db.prepare('DELETE FROM s WHERE k >= ? AND k < ?');
  return {
    write: (batch) => {
      db.exec('BEGIN');
      for (const [key, value] of batch.toSorted((a, b) => Buffer.compare(a[0], b[0])))
        if (value === null) remove.run(key);
        else put.run(key, value);
      db.exec('COMMIT');
    },
    get: (key) => (get.get(key) as unknown as SQLOutputValue[] | undefined)?.[0] as Uint8Array | undefined,
    scan: (from, to) => {
      let count = 0;
      for (const _ of scan.iterate(from, to)) count++;
      return count;
    },
    deleteRange: (from, to) => void removeRange.run(from, to),
    close: () => db.close(),
  };
}

interface LmdbDb {
  transactionSync(work: () => void): void;
  putSync(key: Buffer, value: Buffer): void;
  removeSync(key: Buffer): void;
  getBinary(key: Buffer): Uint8Array | undefined;
  getRange(range: object): Iterable<{ key: Buffer; value: Buffer }>;
  getKeys(range: object): Iterable<Buffer>;
  close(): Promise<void>;
}

async function lmdb(dir: string): Promise<Candidate> {
  const module: string = 'lmdb';
  const { open } = (await import(module)) as { open(this: void, options: object): LmdbDb };
  const db = open({
    path: join(dir, 'state.mdb'),
    encoding: 'binary',
    keyEncoding: 'binary',
    noSync: true,
    cache: false,
  });
  return {
    write: (batch) =>
      db.transactionSync(() => {
        for (const [key, value] of batch)
          if (value === null) db.removeSync(key);
          else db.putSync(key, value);
      }),
    get: (key) => db.getBinary(key),
    scan: (from, to) => {
      let count = 0;
      for (const _ of db.getRange({ start: from, end: to })) count++;
      return count;
    },
    deleteRange: (from, to) =>
      db.transactionSync(() => {
        for (const key of db.getKeys({ start: from, end: to })) db.removeSync(key);
      }),
    close: () => db.close(),
  };
}

interface LevelDb {
  open(): Promise<void>;
  batch(operations: readonly object[], options: object): Promise<void>;
  getSync(key: Buffer): Uint8Array | undefined;
  iterator(range: object): { all(): Promise<unknown[]> };
  clear(range: object): Promise<void>;
  close(): Promise<void>;
}

async function level(dir: string): Promise<Candidate> {
  const module: string = 'classic-level';
  const { ClassicLevel } = (await import(module)) as { ClassicLevel: new (path: string, options: object) => LevelDb };
  const db = new ClassicLevel(join(dir, 'level'), { keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await db.open();
  return {
    write: (batch) =>
      db.batch(
        batch.map(([key, value]) => (value === null ? { type: 'del', key } : { type: 'put', key, value })),
        { sync: false },
      ),
    get: (key) => db.getSync(key),
    // Iterators answer in promises only: no record can wait for that.
    scan: async (from, to) => (await db.iterator({ gte: from, lt: to }).all()).length,
    deleteRange: (from, to) => db.clear({ gte: from, lt: to }),
    close: () => db.close(),
  };
}

/** What the measuring itself takes. */
const nothing: Candidate = {
  write: () => undefined,
  get: () => undefined,
  scan: () => 0,
  deleteRange: () => undefined,
  close: () => undefined,
};

const ENGINES: Readonly<Record<string, (dir: string) => Candidate | Promise<Candidate>>> = {
  nothing: () => nothing,
  'node:sqlite': sqlite,
  lmdb,
  'classic-level': level,
};

/** As a window store's changelog: start i64, end i64, kind and key text. */
function keyOf(window: number, key: number): Buffer {
  const bytes = Buffer.allocUnsafe(24);
  bytes.writeBigInt64BE(BigInt(window * HOUR_MS), 0);
  bytes.writeBigInt64BE(BigInt((window + 1) * HOUR_MS), 8);
  bytes.write(`tu${String(key).padStart(6, '0')}`, 16, 'latin1');
  return bytes;
}

let state = 1;
function below(n: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state % n;
}

const valueOf = (n: number): Buffer =>
  Buffer.from(`[${1_790_000_000_000 + n},{"views":${n},"sum":"${n * 7}"},null]`.padEnd(60));

/** Processor time, all threads, us: disks and neighbours differ from machine to machine. */
async function timed(work: () => Promise<void> | void): Promise<number> {
  const begun = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}

function sizeOf(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.blocks * 512;
  return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0);
}

async function measure(engine: string): Promise<Record<string, number>> {
  const make = ENGINES[engine];
  if (make === undefined) throw new Error(`engines: ${Object.keys(ENGINES).join(', ')}`);
  const dir = mkdtempSync(join(tmpdir(), 'sluice-stores-'));
  const before = process.memoryUsage.rss();
  try {
    let db = await make(dir);
    const result: Record<string, number> = {};
    const order = Array.from({ length: KEYS }, (_, key) => key).sort(() => below(3) - 1);
    let batch: Pair[] = [];
    let writes = 0;
    const write = async (pair: Pair, force = false): Promise<void> => {
      batch.push(pair);
      if (batch.length < BATCH && !force) return;
      const full = batch;
      batch = [];
      writes += await timed(() => db.write(full));
    };
    for (let i = 0; i < KEYS * WINDOWS; i++)
      await write([keyOf(i % WINDOWS, order[Math.floor(i / WINDOWS)] ?? 0), valueOf(i)]);
    result['first write, us'] = writes / (KEYS * WINDOWS);
    writes = 0;
    for (let i = 0; i < LOOKUPS * 2; i++) await write([keyOf(below(WINDOWS), below(KEYS)), valueOf(i)]);
    result['overwrite, us'] = writes / (LOOKUPS * 2);
    const ask = (from: number): Promise<number> => {
      const keys = Array.from({ length: LOOKUPS }, () => keyOf(below(WINDOWS), from + below(KEYS)));
      return timed(() => {
        for (const key of keys) db.get(key);
      });
    };
    result['get, us'] = (await ask(0)) / LOOKUPS;
    result['get of what is not there, us'] = (await ask(KEYS)) / LOOKUPS;
    result['scan, us per entry'] = (await timed(async () => void (await db.scan(keyOf(3, 0), keyOf(4, 0))))) / KEYS;
    const short = 20_000;
    const scans = await timed(async () => {
      for (let i = 0; i < short; i++) {
        const at = below(KEYS - 3);
        const found = db.scan(keyOf(5, at), keyOf(5, at + 3));
        if (typeof found !== 'number') await found;
      }
    });
    result['scan of 3, us'] = scans / short;
    result['delete of a window, ms'] = (await timed(() => db.deleteRange(keyOf(2, 0), keyOf(3, 0)))) / 1_000;
    result['RSS above start, MB'] = (process.memoryUsage.rss() - before) / 1e6;
    result['wall, s'] = performance.now() / 1_000;
    await db.close();
    result['open, ms'] = (await timed(async () => void (db = await make(dir)))) / 1_000;
    await db.close();
    result['disk, MB'] = sizeOf(dir) / 1e6;
    return result;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const [engine] = process.argv.slice(2);
if (engine !== undefined) console.log(engine, await measure(engine));
else {
  for (const name of Object.keys(ENGINES)) {
    const child = fork(import.meta.filename, [name]);
    await new Promise((resolve) => child.once('exit', resolve));
  }
}
