/**
 * Whole runs on a real MySQL and a collector that fails: what is in the shop is what a run without faults leaves there, and every clock holds what it promises.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { ManifestLine } from '../../simulators/manifest.ts';
import { historyTotals } from '../../simulators/history.ts';
import { AFTER_END_MS, endOf, startOf } from '../../simulators/plan.ts';
import {
  Simulation,
  type SimulationOptions,
  type SimulationResult,
  type SimulationStats,
} from '../../simulators/simulation.ts';
import { type Fate, startStubCollector, type StubCollector } from './stub-collector.ts';

const MYSQL = required('SLUICE_TEST_MYSQL');
const SECONDS = 3;
const EVENTS = SECONDS * 1_000;
const CHANGES = SECONDS * 100;
const HOUR = 3_600_000;
const TABLES = ['users', 'items', 'purchases', 'customer_profiles'] as const;
const START = startOf(SECONDS, Date.now()) - HOUR;

function required(name: string): string {
  const value = process.env[name];
  if (value !== undefined && value !== '') return value;
  throw new Error(`${name} is not set: run these tests with \`npm test\`, which starts the parts`);
}

const folder = mkdtempSync(join(tmpdir(), 'simulators-'));
const databases: string[] = [];
const stubs: StubCollector[] = [];
let admin: Connection;

before(async () => {
  admin = await createConnection({ uri: MYSQL, multipleStatements: true, dateStrings: true });
});
after(async () => {
  await Promise.all(stubs.map((stub) => stub.close()));
  for (const database of databases) await admin.query(`DROP DATABASE IF EXISTS ${database}`);
  await admin.end();
  rmSync(folder, { recursive: true, force: true });
});

interface Bench {
  readonly database: string;
  readonly stub: StubCollector;
  simulation(more?: Partial<SimulationOptions>): Simulation;
  /** Empty before the first arrival. */
  manifest(): ManifestLine[];
  rows(sql: string): Promise<RowDataPacket[]>;
}

async function bench(fate: (request: number) => Fate = () => 'taken'): Promise<Bench> {
  const database = `sim_${randomBytes(4).toString('hex')}`;
  databases.push(database);
  const stub = await startStubCollector(fate);
  stubs.push(stub);
  const dir = join(folder, database);
  const mysqlUrl = new URL(MYSQL);
  mysqlUrl.pathname = `/${database}`;
  const options: SimulationOptions = {
    seed: 'it',
    seconds: SECONDS,
    rate: 1,
    logins: 1,
    history: undefined,
    flashSaleSeconds: 0,
    start: START,
    dir,
    collectorUrl: stub.url,
    collectorKey: 'dev',
    mysqlUrl: mysqlUrl.href,
    log: { info: () => undefined, warn: () => undefined },
    signal: new AbortController().signal,
  };
  return {
    database,
    stub,
    simulation: (more = {}) => new Simulation({ ...options, ...more }),
    manifest: () =>
      (existsSync(join(dir, 'manifest.ndjson')) ? readFileSync(join(dir, 'manifest.ndjson'), 'utf8') : '')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as ManifestLine),
    rows: async (sql) => (await admin.query<RowDataPacket[]>(sql.replaceAll('@', `${database}.`)))[0],
  };
}

/** What the server did, in its order: each row with its time and the clock that was in force. */
async function watch({ database }: Bench): Promise<void> {
  await admin.query(
    `CREATE TABLE ${database}.seen (n INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(40), id BIGINT, at DATETIME(3) NULL, clock BIGINT NULL)`,
  );
  const log = (what: string, row: string, key: string, at: string): string =>
    `FOR EACH ROW INSERT INTO ${database}.seen (what, id, at, clock) SELECT '${what}', ${row}.${key}, ${at}, now_ms FROM ${database}.sluice_clock`;
  for (const table of TABLES) {
    const key = table === 'customer_profiles' ? 'user_id' : 'id';
    const on = `ON ${database}.${table}`;
    await admin.query(`CREATE TRIGGER ${database}.${table}_i AFTER INSERT ${on} ${log(`${table} insert`, 'NEW', key, 'NEW.updated_at')}`); // prettier-ignore
    await admin.query(`CREATE TRIGGER ${database}.${table}_d AFTER DELETE ${on} ${log(`${table} delete`, 'OLD', key, 'NULL')}`); // prettier-ignore
    // An update that changes nothing is none, in the binlog too; two at one instant are two.
    const columns = (await admin.query<RowDataPacket[]>(`SHOW COLUMNS FROM ${database}.${table}`))[0];
    const isSame = columns.map(({ Field: name }) => `NEW.${String(name)} <=> OLD.${String(name)}`).join(' AND ');
    await admin.query(`CREATE TRIGGER ${database}.${table}_u AFTER UPDATE ${on} FOR EACH ROW INSERT INTO ${database}.seen (what, id, at, clock) SELECT '${table} update', NEW.${key}, NEW.updated_at, now_ms FROM ${database}.sluice_clock WHERE NOT (${isSame})`); // prettier-ignore
  }
}

async function shopOf(one: Bench): Promise<unknown[]> {
  const shop: unknown[] = [];
  for (const table of TABLES) shop.push(...(await one.rows(`SELECT * FROM @${table} ORDER BY 1`)));
  return shop;
}

/** What has arrived at the database, in its order, as the manifest says it: twice when it was done twice. */
async function checkChanges(one: Bench): Promise<void> {
  const seen = await one.rows('SELECT what, id, at, clock FROM @seen ORDER BY n');
  const manifest = one.manifest().filter((line) => line.topic?.startsWith('bronze.shop.') === true);
  const told = manifest.map((line) => `${line.topic?.slice(12) ?? ''} ${line.kind} ${line.id.split('/')[1] ?? ''}`);
  assert.deepEqual(seen.map((row) => `${String(row['what'])} ${Number(row['id'])}`), told); // prettier-ignore
  for (const [i, row] of seen.entries()) {
    const at = row['at'] === null ? Number(row['clock']) : Date.parse(`${String(row['at']).replace(' ', 'T')}Z`);
    assert.equal(at, manifest[i]?.at, JSON.stringify(row));
    assert.ok(at >= Number(row['clock']) - 10_000, JSON.stringify(row));
  }
}

function checkEvents(one: Bench): void {
  const { stub } = one;
  const lines = one.manifest().filter((line) => line.topic?.startsWith('bronze.shop.') !== true);
  const late = new Set(lines.filter((line) => line.flag === 'late').map((line) => line.id));
  assert.deepEqual(stub.breaches.filter((id) => !late.has(id)), []); // prettier-ignore
  assert.deepEqual([...stub.owed], []);
  assert.deepEqual([...new Set(lines.map((line) => line.id))].sort(), [...new Set(stub.arrived.map((one) => one.id))].sort()); // prettier-ignore
}

const clockIn = async (one: Bench): Promise<number | null> => {
  const [row] = await one.rows('SELECT now_ms FROM @sluice_clock');
  return row?.['now_ms'] as number | null;
};

let wanted: unknown[] = [];

test('a bounded run sends its totals, says its clocks and ends', async () => {
  const one = await bench();
  const simulation = one.simulation();
  await simulation.prepare();
  assert.equal((await one.rows('SELECT * FROM @users')).length, 200);
  assert.equal((await one.rows('SELECT * FROM @items')).length, 60);
  assert.equal(await clockIn(one), START);
  await watch(one);
  const result = await simulation.run();
  assert.equal(result.done, true);
  assert.equal(result.events, EVENTS);
  assert.ok(result.changes >= CHANGES && result.changes < CHANGES + 10);
  assert.equal(result.resent, 0);
  assert.equal(one.manifest().length, result.events + result.changes);
  assert.equal(one.stub.arrived.length, EVENTS);
  const end = endOf(SECONDS, START) + AFTER_END_MS;
  assert.equal(await clockIn(one), end);
  assert.equal(one.stub.clocks.at(-1), end);
  await checkChanges(one);
  checkEvents(one);
  wanted = await shopOf(one);
});

test('with lost connections on both sides the shop is the same, and nothing is doubled', async () => {
  const fates: Fate[] = ['taken', 503, 'answer-lost', 'taken', 429, 'taken', 'taken'];
  const one = await bench((request) => fates[request % fates.length] ?? 'taken');
  const simulation = one.simulation();
  await simulation.prepare();
  await watch(one);
  const running = simulation.run();
  const over = new AbortController();
  const ended = running.finally(() => over.abort());
  for (let kills = 0; !over.signal.aborted; kills++) {
    const [own] = await one.rows(`SELECT IS_USED_LOCK('sluice-simulator:${one.database}') AS id`);
    if (own?.['id'] != null) await admin.query(`KILL ${Number(own['id'])}`).catch(() => undefined);
    if (kills === 3) {
      await one.stub.refuse();
      await one.stub.listen();
    }
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 150))]);
  }
  const result = await ended;
  assert.equal(result.done, true);
  assert.ok(result.resent > 5, String(result.resent));
  assert.equal(one.manifest().length, result.events + result.changes);
  await checkChanges(one);
  checkEvents(one);
  assert.deepEqual(await shopOf(one), wanted);
});

test('stopped in the middle, the next life goes on after it with new ids', async () => {
  const one = await bench();
  const stop = new AbortController();
  const first = one.simulation({ signal: stop.signal });
  await first.prepare();
  await watch(one);
  const running = first.run();
  while (first.stats().events < EVENTS / 3) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort();
  const half = await running;
  assert.equal(half.done, false);
  assert.ok(half.events < EVENTS);
  const before = one.manifest();

  const second = one.simulation();
  await second.prepare();
  const result = await second.run();
  assert.equal(result.done, true);
  assert.ok(result.events >= EVENTS && result.changes >= CHANGES);
  const all = one.manifest();
  const valid = (lines: ManifestLine[]): number[] =>
    lines.filter((line) => line.flag === 'valid').map((line) => line.at);
  assert.ok(Math.max(...valid(before)) <= Math.min(...valid(all.slice(before.length))));
  assert.ok(Math.max(...valid(all)) <= endOf(SECONDS, START));
  const fresh = all.filter((line) => line.flag !== 'duplicate' && line.kind !== 'update' && line.kind !== 'delete');
  assert.equal(new Set(fresh.map((line) => `${line.topic} ${line.id}`)).size, fresh.length);
  await checkChanges(one);
  checkEvents(one);
});

test('MySQL that does not answer does not keep the simulator from stopping', async () => {
  const one = await bench();
  const stop = new AbortController();
  const simulation = one.simulation({ seconds: undefined, rate: 30, signal: stop.signal });
  await simulation.prepare();
  await admin.query('FLUSH TABLES WITH READ LOCK');
  const running = simulation.run();
  while (simulation.stats().events < 100) await new Promise((resolve) => setTimeout(resolve, 20));
  const from = Date.now();
  stop.abort();
  try {
    assert.equal((await running).changes, 0);
  } finally {
    await admin.query('UNLOCK TABLES');
  }
  assert.ok(Date.now() - from < 10_000, 'it waited for the statement'); // 15 s is the limit of a statement
});

test('a history, stopped in the middle: back-dated up to the first start, then live, and every clock holds what it promises', async () => {
  const one = await bench();
  const history = 24 * HOUR;
  const totals = historyTotals(history);
  const begin = async (until: (stats: SimulationStats) => boolean | Promise<boolean>): Promise<SimulationResult> => {
    const stop = new AbortController();
    const simulation = one.simulation({ seconds: undefined, history, rate: 30, signal: stop.signal });
    await simulation.prepare();
    if (one.manifest().length === 0) await watch(one);
    const running = simulation.run();
    while (!(await until(simulation.stats()))) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    return await running;
  };
  const from = Date.now();
  const half = await begin(({ events }) => events > totals.events / 4);
  assert.ok(half.events < totals.events);
  const end = Date.now();
  const before = one.manifest();
  // Live it says its clock, too, a little after.
  await begin(
    async ({ events, changes }) =>
      events > totals.events + 300 && changes > totals.changes + 10 && Number(await clockIn(one)) > end,
  );
  const valid = (lines: ManifestLine[]): number[] => lines.filter(({ flag }) => flag === 'valid').map(({ at }) => at);
  const all = valid(one.manifest());
  // Events come a little after they happened.
  assert.ok(Math.min(...valid(before)) >= from - history - HOUR / 60 && Math.max(...valid(before)) < from);
  assert.ok(all.filter((at) => at < from).length >= 0.9 * (totals.events + totals.changes));
  assert.ok(all.filter((at) => at > end).length > 200, 'live');
  await checkChanges(one);
  checkEvents(one);
});

test('live: wall-clock times, no sender clock, until the signal', async () => {
  const one = await bench();
  const stop = new AbortController();
  const simulation = one.simulation({ seconds: undefined, rate: 30, signal: stop.signal });
  await simulation.prepare();
  assert.equal(await clockIn(one), null);
  const from = Date.now();
  const running = simulation.run();
  while (simulation.stats().events < 200 || simulation.stats().changes < 5) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop.abort();
  const result = await running;
  const to = Date.now();
  assert.equal(result.done, false);
  assert.equal(await clockIn(one), null);
  assert.deepEqual([...new Set(one.stub.clocks)], [undefined]);
  const lines = one.manifest();
  assert.equal(lines.length, result.events + result.changes);
  for (const { at, flag } of lines) if (flag === 'valid') assert.ok(at >= from && at <= to);
});
