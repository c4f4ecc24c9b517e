/**
 * The whole way on real parts, with a kill -9 of the topology in the middle of a transaction: MySQL and events -> Kafka -> stages -> PostgreSQL, then
 * every row of every table against its oracle. Servers of its own: topics have their real names here.
 */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import { createKafkaClient, type KafkaAdmin, type KafkaClient, RecordCursor, type TopicPartition } from '#topology';
import { startTestServers, type TestServers } from '../../dev/tests/test-servers.ts';
import { prepareShop } from '../../dev/supervisor/databases.ts';
import { freePort } from '../../dev/parts/ports.ts';
import { RoleProcess, runRole, until } from './roles.ts';

const SECONDS = 30;
const EVENTS = SECONDS * 1_000;
const CHANGES = SECONDS * 100;
const PARTITIONS = Array.from({ length: 6 }, (_, partition) => partition);
const OUTPUTS = [
  'silver.users',
  'silver.items',
  'silver.purchases_enriched',
  'silver.pageviews_by_items',
  'gold.sales_perf_24h',
  'gold.pageviews_by_channel',
  'gold.registrations_hourly',
];
const LEDGER = 'shop.watermarks';
const MAX_KILLS = 6;
const SIMULATION = ['--seconds', String(SECONDS), '--seed', '7'];

describe('the whole way', { timeout: 8 * 60_000 }, () => {
  let folder: string;
  let servers: TestServers;
  let env: Record<string, string>;
  let client: KafkaClient;
  let admin: KafkaAdmin;
  const roles: RoleProcess[] = [];
  const abort = new AbortController();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
    await mkdir(join(folder, 'logs'), { recursive: true });
    servers = await startTestServers({
      root: join(import.meta.dirname, '..', '..'),
      folder,
      cacheDir: process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice'),
      signal: abort.signal,
      progress: () => undefined,
    });
    const {
      SLUICE_TEST_KAFKA = '',
      SLUICE_TEST_REGISTRY = '',
      SLUICE_TEST_MYSQL = '',
      SLUICE_TEST_POSTGRES = '',
    } = servers.env;
    const port = String(await freePort());
    env = {
      SLUICE_KAFKA: SLUICE_TEST_KAFKA,
      SLUICE_REGISTRY: SLUICE_TEST_REGISTRY,
      SLUICE_MYSQL: new URL('/shop', SLUICE_TEST_MYSQL).href,
      SLUICE_POSTGRES: SLUICE_TEST_POSTGRES,
      SLUICE_COLLECTOR_PORT: port,
      SLUICE_COLLECTOR: `http://127.0.0.1:${port}`,
      SLUICE_CLOCK: 'sender',
      SLUICE_SIM_DIR: join(folder, 'simulator'),
    };
    client = createKafkaClient({
      brokers: SLUICE_TEST_KAFKA.split(','),
      clientId: 'e2e',
      logger: pino({ level: 'silent' }),
    });
    admin = await client.admin();
    await prepareShop(
      env['SLUICE_MYSQL'] ?? '',
      join(import.meta.dirname, '..', '..', 'schemas', 'sql', 'shop.sql'),
      abort.signal,
    );
  });

  after(async () => {
    abort.abort();
    for (const role of roles.toReversed()) await role.stop();
    await client.close();
    await servers.stop();
    if (process.env['SLUICE_TEST_KEEP'] === undefined) await rm(folder, { recursive: true, force: true });
    else process.stderr.write(`e2e: data and logs are in ${folder}\n`);
  });

  function start(name: string, args: readonly string[] = []): RoleProcess {
    const role = new RoleProcess(name, args, { env, logs: join(folder, 'logs') });
    roles.push(role);
    return role;
  }

  const outputs: readonly TopicPartition[] = [
    { topic: LEDGER, partition: 0 },
    ...OUTPUTS.flatMap((topic) => PARTITIONS.map((partition) => ({ topic, partition }))),
  ];

  /** Partitions in which a transaction is open now. */
  async function open(): Promise<TopicPartition[]> {
    const [stable, high] = await Promise.all([
      admin.offsets(outputs, { committed: true }),
      admin.offsets(outputs, { committed: false }),
    ]);
    return outputs.filter((_, i) => (stable[i]?.end ?? 0n) < (high[i]?.end ?? 0n));
  }

  async function positionSum(): Promise<bigint> {
    const partitions = PARTITIONS.map((partition) => ({ topic: 'bronze.app.pageviews', partition }));
    const positions = await admin.committedOffsets('shop', partitions);
    return positions.reduce((sum, { offset }) => sum + offset, 0n);
  }

  async function count(tp: TopicPartition, committed: boolean): Promise<number> {
    const reader = await client.reader({ committed });
    const cursor = new RecordCursor();
    reader.seek(tp, 'earliest');
    let records = 0;
    for (let atEnd = false; !atEnd;) {
      for (const { batches, nextOffset, endOffset } of await reader.poll(100)) {
        for (const batch of batches) {
          cursor.open(batch);
          while (cursor.next()) records++;
        }
        atEnd = nextOffset >= endOffset;
      }
    }
    await reader.close();
    return records;
  }

  /** Kills the topology while a transaction is open; the successor's fencing aborts it. */
  async function killInTransaction(run: RoleProcess): Promise<bigint> {
    await until('an open transaction', 30_000, async () => (await open()).length > 0);
    await run.kill();
    return await positionSum();
  }

  test('kill -9 within a transaction: no duplicate, no hole, every row as the oracles say', async () => {
    // Captured from the start on: the shop is seeded and its clock set before.
    const prepared = await runRole('simulate', ['--prepare', ...SIMULATION], env);
    assert.equal(prepared.code, 0, prepared.output);
    const sources = start('sources');
    let run = start('run');
    const sinks = start('sinks');
    await Promise.all([sources.ready(), run.ready(), sinks.ready()]);
    const simulate = start('simulate', SIMULATION);
    const progress = async (): Promise<number> => Number(await positionSum()) / EVENTS;
    await until('a third of the events', 120_000, async () => (await progress()) > 0.3);

    const killedAt: bigint[] = [];
    let aborted: TopicPartition | undefined;
    while (aborted === undefined && killedAt.length < MAX_KILLS && (await progress()) < 0.6) {
      killedAt.push(await killInTransaction(run));
      const victims = await open();
      run = start('run');
      await until(
        'the slots taken again',
        60_000,
        () => run.stats.slots?.length === PARTITIONS.length && (run.stats.commits ?? 0) > 0,
      );
      for (const tp of victims) if ((await count(tp, false)) > (await count(tp, true))) aborted ??= tp;
    }
    assert.ok(aborted !== undefined, `no transaction was aborted by ${killedAt.length} kills`);
    const restored = run.stats.restored ?? 0;
    assert.ok(restored > 0, 'no state was restored');

    await until('the simulator', 180_000, () => simulate.done);
    assert.equal(await simulate.exited(), 0);
    assert.ok((simulate.stats.events ?? 0) >= EVENTS, `only ${simulate.stats.events} events`);
    assert.ok((simulate.stats.changes ?? 0) >= CHANGES, `only ${simulate.stats.changes} changes`);

    const verified = await runRole('verify', ['--min-rows', '20', '--timeout', '150'], env);
    process.stderr.write(`${verified.output}\n`);
    assert.equal(verified.code, 0, 'the tables are not what the oracles say');

    const total = await positionSum();
    for (const position of killedAt) {
      const percent = Number((position * 100n) / total);
      assert.ok(percent >= 20 && percent <= 80, `killed when ${percent} % of the input was committed`);
    }
    const where = `${aborted.topic}-${aborted.partition}`;
    process.stderr.write(
      `${killedAt.length} kills, aborted records in ${where}, ${restored} changelog records restored\n`,
    );
    for (const role of [sources, run, sinks]) assert.ok(role.running, `${role.name} has ended`);
  });
});
