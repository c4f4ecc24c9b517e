/**
 * Exactly once under fire: writers at full speed, the capture killed with -9 again and again, binlogs rotated. Then every change is there once, in order: each
 * before-image is the after-image of the change before it (a final-state comparison alone misses lost changes), and the end is what the database has.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createKafkaClient } from '#topology';
import { captureOptions, type Envelope, memoryLogger, type RawRecord, readTopic, required, seeded, sql, suffix, until, writerDecoder } from './support.ts'; // prettier-ignore

const MYSQL = required('SLUICE_TEST_MYSQL');
const BROKERS = required('SLUICE_TEST_KAFKA').split(',');
const REGISTRY = required('SLUICE_TEST_REGISTRY');
const SEED = Number(process.env['SLUICE_SEED'] ?? Date.now() % 1e9);
const KILLS = 6;
const TABLES = ['a', 'b'];
const KEYS = 400;
const PAUSE_MS = 6;

type Random = () => number;
const pick = (random: Random, below: number): number => Math.floor(random() * below);

async function seedTables(database: string): Promise<void> {
  const admin = await sql(MYSQL);
  const columns =
    'id INT UNSIGNED PRIMARY KEY, ver INT NOT NULL, note VARCHAR(300) NULL, created_at DATETIME(3) NOT NULL, updated_at DATETIME(3) NOT NULL';
  await admin.run(`CREATE DATABASE ${database}; USE ${database}`);
  for (const table of TABLES) {
    await admin.run(`CREATE TABLE ${table} (${columns})`);
    const rows = Array.from({ length: KEYS / 2 }, (_, id) => `(${id}, 0, 'seed', NOW(3), NOW(3))`);
    await admin.run(`INSERT INTO ${table} VALUES ${rows.join(',')}`);
  }
  await admin.end();
}

function statements(random: Random): string[] {
  const table = TABLES[pick(random, TABLES.length)] ?? 'a';
  const id = pick(random, KEYS);
  const kind = random();
  const note = `'${'x'.repeat(pick(random, 200))}'`;
  if (kind < 0.35)
    return [
      `INSERT INTO ${table} VALUES (${id}, 1, ${note}, NOW(3), NOW(3)) ON DUPLICATE KEY UPDATE ver = ver + 1, updated_at = NOW(3)`,
    ];
  if (kind < 0.75) return [`UPDATE ${table} SET ver = ver + 1, note = ${note}, updated_at = NOW(3) WHERE id = ${id}`];
  if (kind < 0.88) return [`DELETE FROM ${table} WHERE id = ${id}`];
  if (kind < 0.9) return [`UPDATE ${table} SET ver = ver + 1, updated_at = NOW(3) WHERE id >= ${id}`];
  if (kind < 0.93)
    return [`UPDATE IGNORE ${table} SET id = ${pick(random, KEYS)}, updated_at = NOW(3) WHERE id = ${id}`];
  return Array.from({ length: 2 + pick(random, 4) }, () => statements(random)).flat();
}

async function writer(database: string, seed: number, stopped: () => boolean): Promise<number> {
  const random = seeded(seed);
  const connection = await sql(MYSQL, database);
  let transactions = 0;
  while (!stopped()) {
    try {
      const end = random() < 0.08 ? 'ROLLBACK' : 'COMMIT';
      await connection.run(`BEGIN; ${statements(random).join('; ')}; ${end}`);
      transactions++;
      await sleep(PAUSE_MS); // as much as the capture can follow, so that the end comes soon
    } catch {
      await connection.run('ROLLBACK'); // deadlocks are part of it
    }
  }
  await connection.end();
  return transactions;
}

class Capture {
  readonly #options: object;
  #child: ChildProcess | undefined;
  /** Records that the present process has committed since the snapshot was done. */
  streamed = 0;
  fatal: string | undefined;

  constructor(options: object) {
    this.#options = options;
  }

  start(): void {
    this.streamed = 0;
    let snapshot: number | undefined;
    const path = fileURLToPath(new URL('capture-child.ts', import.meta.url));
    const child = fork(path, [JSON.stringify(this.#options)], { stdio: 'inherit' });
    child.on('message', (message: { type: string; message?: string; records?: number; snapshotDone?: boolean }) => {
      if (message.type === 'fatal') this.fatal = message.message;
      if (message.snapshotDone !== true || message.records === undefined || child !== this.#child) return;
      snapshot ??= message.records;
      this.streamed = message.records - snapshot;
    });
    this.#child = child;
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }
}

interface Checked {
  changes: number;
  duplicates: number;
  breaks: number;
  unordered: number;
  readonly state: Map<string, string>;
}

const text = (value: unknown): string => JSON.stringify(value, (_, field: unknown) => (typeof field === 'bigint' ? String(field) : field)); // prettier-ignore
const placeOf = ({ file, pos, row }: Envelope['source']): string => `${file}/${String(pos).padStart(12, '0')}/${String(row).padStart(9, '0')}`; // prettier-ignore

async function check(records: readonly RawRecord[], decode: (bytes: Buffer) => Promise<unknown>): Promise<Checked> {
  const checked: Checked = { changes: 0, duplicates: 0, breaks: 0, unordered: 0, state: new Map() };
  const seen = new Set<string>();
  const places = new Map<number, string>();
  const tombstones = new Map<string, string>();
  for (const { partition, key, value } of records) {
    const id = text(await decode(key));
    if (value === null) {
      if (tombstones.get(id) !== 'd') checked.breaks++;
      tombstones.delete(id);
      continue;
    }
    const change = (await decode(value)) as Envelope;
    tombstones.set(id, change.op);
    if (change.op === 'r') {
      checked.state.set(id, text(change.after));
      continue;
    }
    if (change.op === 'd' && change.before === null) {
      checked.state.delete(id); // gone between two attempts of the snapshot
      continue;
    }
    checked.changes++;
    const name = `${change.source.gtid}/${change.source.row}/${change.op}`;
    if (seen.has(name)) checked.duplicates++;
    seen.add(name);
    const place = placeOf(change.source);
    if (place < (places.get(partition) ?? '')) checked.unordered++;
    places.set(partition, place);
    const before = checked.state.get(id);
    if (change.op === 'c' ? before !== undefined : before !== text(change.before)) checked.breaks++;
    if (change.op === 'd') checked.state.delete(id);
    else checked.state.set(id, text(change.after));
  }
  return checked;
}

test(`no duplicate, no hole, the chain of images intact after ${KILLS} kills (seed ${SEED})`, async () => {
  const database = `cdc_kill_${suffix()}`;
  const random = seeded(SEED);
  const logger = memoryLogger();
  const kafka = createKafkaClient({ brokers: BROKERS, clientId: 'cdc-kill-test', logger });
  const options = { ...captureOptions(database, TABLES), maxRows: 200, lingerMs: 20 };
  const topics = TABLES.map((table) => `test.${database}.${table}`);
  const admin = await kafka.admin();
  await seedTables(database);
  const capture = new Capture({ ...options, brokers: BROKERS });
  const control = await sql(MYSQL, database);
  let stopped = false;
  const writers = [1, 2, 3].map((n) => writer(database, SEED + n, () => stopped));
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      capture.start();
      // The first kill falls anywhere from the start of the process into the snapshot, the others into the stream.
      if (kill > 0) await until('changes flow', () => capture.streamed > 0 || capture.fatal !== undefined);
      assert.equal(capture.fatal, undefined);
      await sleep((kill === 0 ? 600 : 0) + pick(random, 1_000));
      if (random() < 0.5) await control.run('FLUSH BINARY LOGS');
      await capture.end('SIGKILL');
    }
    capture.start();
    stopped = true;
    const transactions = (await Promise.all(writers)).reduce((sum, count) => sum + count, 0);
    const mark = KEYS + 1;
    for (const table of TABLES) await control.run(`INSERT INTO ${table} VALUES (${mark}, 1, NULL, NOW(3), NOW(3))`);
    const decode = writerDecoder(REGISTRY);
    await until('the last change arrives', async () => (await ended(mark, decode)) || capture.fatal !== undefined);
    assert.equal(capture.fatal, undefined);
    await capture.end('SIGTERM');
    for (const [index, topic] of topics.entries()) {
      const checked = await check(await readTopic(kafka, topic, options.partitions), decode);
      console.log(
        `# ${TABLES[index]}: ${transactions} transactions, ${checked.changes} changes, ${checked.state.size} rows`,
      );
      assert.ok(checked.changes > 500, `only ${checked.changes} changes`);
      const { duplicates, breaks, unordered } = checked;
      assert.deepEqual({ duplicates, breaks, unordered }, { duplicates: 0, breaks: 0, unordered: 0 });
      const rows = await control.rows(`SELECT id, ver FROM ${TABLES[index]} ORDER BY id`);
      const published = [...checked.state.values()].map((row) => JSON.parse(row) as { id: string; ver: number });
      const byId = published
        .map(({ id, ver }) => [Number(id), ver])
        .sort((left, right) => Number(left[0]) - Number(right[0]));
      assert.deepEqual(
        byId,
        rows.map((row) => [row['id'], row['ver']]),
      );
    }
  } finally {
    stopped = true;
    await capture.end('SIGKILL');
    await Promise.all(writers);
    await control.run(`DROP DATABASE IF EXISTS ${database}`);
    await control.end();
    await admin.deleteTopics([...topics, `sluice.cdc.${database}.offsets`]);
    await admin.close();
    await kafka.close();
  }

  async function ended(mark: number, decode: (bytes: Buffer) => Promise<unknown>): Promise<boolean> {
    for (const topic of topics) {
      const records = await readTopic(kafka, topic, options.partitions);
      const ids = await Promise.all(records.map(async ({ key }) => Number(((await decode(key)) as { id: bigint }).id)));
      if (!ids.includes(mark)) return false;
    }
    return true;
  }
});
