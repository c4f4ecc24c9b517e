/** The stages and the warehouse sink on real Kafka and PostgreSQL, over bronze topics by seed: verify finds nothing wrong, and finds what is broken. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  createKafkaClient,
  createSinkRunner,
  encodeHint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  partitionFor,
  type Schema,
  type Sink,
  sinkDeadLetterTopicOf,
  type SinkRunner,
  SluiceError,
  startStreamApp,
  type StreamApp,
  textSerde,
} from '#topology';
import { schemas } from '#schemas';
import { testSerdes } from '../../../connectors/avro/testing.ts';
import { createParquetSink, readLake } from '../../../connectors/parquet/index.ts';
import { createPostgresSink } from '../../../connectors/postgres/sink.ts';
import type { LakeView } from '../../../dev/verify/lake.ts';
import { isRight, report } from '../../../dev/verify/report.ts';
import { VERIFIED_TABLES } from '../../../dev/verify/tables.ts';
import { type TableResult, verifyTables } from '../../../dev/verify/verify.ts';
import { shopStages } from '../../../processors/index.ts';
import { lakeSinks, lakeTopics } from '../../../processors/sinks/lake.ts';
import { warehouseSink, warehouseTopics } from '../../../processors/sinks/warehouse.ts';
import type { BronzeRecord } from '../../../dev/verify/oracle-database.ts';
import { expectedOf } from '../../oracles/reference.ts';
import { DAY, makeDump, START } from '../../oracles/synthetic.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
const postgres = process.env['SLUICE_TEST_POSTGRES'];
if (brokers === undefined || postgres === undefined) {
  throw new Error('SLUICE_TEST_KAFKA or SLUICE_TEST_POSTGRES is not set: npm test starts the parts and sets them');
}

const PARTITIONS = 6;
const DEADLINE_MS = 90_000;
const PLENTY = 200;
/** Topics of other tests, which run beside this one, have a random part behind a hyphen. */
const isOfShop = (topic: string): boolean => /^(bronze|silver|gold|sink)\.[\w.]+$/.test(topic);
const LAKE_TOPICS = Object.values(lakeTopics).flat();
const all = schemas as Readonly<Record<string, Schema<unknown>>>;

describe('verify', () => {
  let seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1_000) + 1);
  // In few dumps a table has next to no rows, which is no success.
  while ((expectedOf(makeDump(seed)).tables['gold.top_converting_items'] ?? []).length < PLENTY) seed++;
  const topology = buildTopology(shopStages, { app: `shop-${randomUUID().slice(0, 8)}` });
  const database = `verify_${randomUUID().slice(0, 8)}`;
  const url = new URL(postgres);
  url.pathname = `/${database}`;
  const logger = pino({ level: 'silent' });
  const serdes = testSerdes();
  let client: KafkaClient;
  let admin: KafkaAdmin;
  let app: StreamApp;
  let sinks: readonly SinkRunner[] = [];
  let lake: Sink;
  let root: string;

  before(async () => {
    console.error(`verify: seed ${seed} (SLUICE_SEED=${seed} repeats it)`);
    client = createKafkaClient({ brokers: brokers.split(','), clientId: 'verify-test', logger });
    admin = await client.admin();
    const there = (await admin.listTopics()).filter(isOfShop);
    assert.deepEqual(there, [], 'the shop has topics on this broker: the test needs one without');
    await execute(postgres, `create database ${database}`);
    const onFatal = (error: Error): void => {
      console.error(error);
      process.exitCode = 1;
    };
    app = await startStreamApp({ client, topology, serdes, logger, onFatal });
    const sink = createPostgresSink({
      connectionString: url.href,
      application: topology.app,
      topics: warehouseTopics.map((topic) => topic.name),
      schemaFor(topic) {
        const [schema = '', name = ''] = topic.split('.', 2);
        return { schema: all[topic]?.definition, table: { schema, name } };
      },
      logger,
    });
    root = await mkdtemp(join(tmpdir(), 'sluice-verify-'));
    // Topics that only sources write.
    await admin.ensureTopics(LAKE_TOPICS.map(({ name }) => ({ name, partitions: PARTITIONS, config: {} })));
    lake = createParquetSink({
      root,
      topics: LAKE_TOPICS.map(({ name }) => name),
      schemaFor: (topic) => ({ schema: all[topic]?.definition, key: all[`${topic}-key`]?.definition ?? 'text' }),
      logger,
    });
    sinks = [warehouseSink(sink), ...lakeSinks(lake)].map((stage) =>
      createSinkRunner({ client, app: topology.app, stage, serdes, logger }),
    );
    await Promise.all(sinks.map((each) => each.start()));
  });

  /** The lake as it is, or with something wrong in it. */
  const viewOf = (read: LakeView['read'] = (topic) => readLake(root, topic)): LakeView => ({
    topics: LAKE_TOPICS,
    deadLetters: lakeSinks(lake).map(({ name }) => sinkDeadLetterTopicOf(name)),
    read,
  });

  after(async () => {
    await Promise.all([app?.stop(), ...sinks.map((each) => each.stop())]);
    await lake?.close();
    const mine = (await admin.listTopics()).filter((topic) => isOfShop(topic) || topic.startsWith(topology.app));
    await admin.deleteTopics(mine);
    await client.close();
    await execute(postgres, `drop database if exists ${database} with (force)`);
    await rm(root, { recursive: true, force: true });
  });

  async function verify(view?: LakeView): Promise<TableResult[]> {
    const results = await verifyTables({
      client,
      serdes,
      schemas: all,
      topology,
      postgres: url.href,
      lake: view,
      timeoutMs: DEADLINE_MS,
      progress: (text) => console.error(text),
    });
    console.error(report(results, 1));
    return results;
  }
  const wrong = (results: readonly TableResult[]): string[] =>
    results.filter((result) => !isRight(result, 1)).map(({ table, place }) => `${table} in ${place}`);

  test('what the stages made of a dump is what the oracles make of it', async () => {
    await produce(client, seed, serdes);
    const results = await verify();
    assert.deepEqual(wrong(results), []);
    assert.equal(results.length, VERIFIED_TABLES.length + warehouseTopics.length);
    assert.ok(
      results.every((result) => !isRight(result, 1_000_000)),
      'too few rows are no success',
    );
  });

  test('the same over the lake, every row of which is compared with its topic', async () => {
    const results = await verify(viewOf());
    assert.deepEqual(wrong(results), []);
    assert.equal(results.length, VERIFIED_TABLES.length + warehouseTopics.length + LAKE_TOPICS.length);
    const dead = results.filter((result) => (result.dead ?? 0) > 0).map(({ table, dead }) => [table, dead]);
    assert.deepEqual(dead, [['bronze.app.registrations', 1]], 'what is no Avro is in the dead letters of the lake');
    const rows = results.find(({ table, place }) => place === 'lake' && table === 'bronze.app.registrations')?.rows;
    assert.ok((rows?.rows ?? 0) > 0);
  });

  test('files that are missing in the lake are missed in their topic and in what is computed from it; those that count twice too', async () => {
    const without = await verify(
      viewOf(async (topic) => {
        const view = await readLake(root, topic);
        if (topic === 'bronze.shop.purchases') return view.map((each) => ({ ...each, files: [] }));
        return topic === 'gold.top_selling_items'
          ? view.map((each) => ({ ...each, files: each.files.slice(1) }))
          : view;
      }),
    );
    const bad = wrong(without);
    for (const each of [
      'silver.purchases_enriched in Kafka',
      'gold.sales_perf_24h in PostgreSQL',
      'bronze.shop.purchases in lake',
      'gold.top_selling_items in lake',
    ]) {
      assert.ok(bad.includes(each), `${each} is not among ${bad.join()}`);
    }
    assert.ok(!bad.includes('bronze.shop.users in lake'));
    const twice = await verify(
      viewOf(async (topic) => {
        const view = await readLake(root, topic);
        return topic === 'silver.items'
          ? view.map((each) => ({ ...each, files: [...each.files, ...each.files] }))
          : view;
      }),
    );
    assert.deepEqual(wrong(twice), ['silver.items in lake']);
    assert.match(
      twice.find(({ place, table }) => place === 'lake' && table === 'silver.items')?.rows.examples[0] ?? '',
      /^twice /,
    );
  });

  test('a row that somebody changed, removed or added in PostgreSQL is found', async () => {
    await execute(
      url.href,
      `update gold.sales_perf_24h set revenue = revenue + 0.01 where key = (select min(key) from gold.sales_perf_24h)`,
    );
    await execute(
      url.href,
      `delete from gold.pageviews_by_channel where key = (select min(key) from gold.pageviews_by_channel)`,
    );
    await execute(
      url.href,
      `insert into gold.registrations_hourly select 'x', window_start, window_end, 'XX', 1, 0, 0 from gold.registrations_hourly limit 1`,
    );
    const results = await verify();
    assert.deepEqual(wrong(results), [
      'gold.sales_perf_24h in PostgreSQL',
      'gold.pageviews_by_channel in PostgreSQL',
      'gold.registrations_hourly in PostgreSQL',
    ]);
    const bad = results.filter((result) => !isRight(result, 1));
    assert.deepEqual(
      bad.map(({ rows }) => [rows.differing, rows.missing, rows.extra]),
      [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
    );
  });

  test('a lake that has not caught up is waited for, then named', async () => {
    const view = viewOf(async (topic) =>
      (await readLake(root, topic)).map((each) => ({
        ...each,
        nextOffset: topic.endsWith('users') ? 1n : each.nextOffset,
      })),
    );
    const answer = verifyTables({
      client,
      serdes,
      schemas: all,
      topology,
      postgres: url.href,
      lake: view,
      // Long enough to read the topics before it on a busy machine.
      timeoutMs: 8_000,
      progress: () => undefined,
    });
    await assert.rejects(answer, (error) => {
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, 'SLC_VERIFY_DEADLINE');
      assert.match(error.message, /the lake is behind in bronze\.shop\.users-\d at 1 of \d+/);
      return true;
    });
  });

  test('stages that have not caught up are waited for, then named', async () => {
    await app.stop();
    const record = { topic: 'bronze.app.pageviews', partition: 3, offset: 0n, timestamp: START, key: 'x', value: null };
    await send(client, [record], serdes);
    const answer = verifyTables({
      client,
      serdes,
      schemas: all,
      topology,
      postgres: url.href,
      timeoutMs: 1,
      progress: () => undefined,
    });
    await assert.rejects(answer, (error) => {
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, 'SLC_VERIFY_DEADLINE');
      assert.match(error.message, /bronze\.app\.pageviews-3 at \d+ of \d+/);
      return true;
    });
  });
});

/** Bronze by seed, then what the senders have reached. */
async function produce(client: KafkaClient, seed: number, serdes: ReturnType<typeof testSerdes>): Promise<void> {
  const dump = makeDump(seed);
  await send(client, dump.records.map(fitting), serdes);
  const producer = await client.producer();
  const broken = new BatchBuilder();
  broken.append(Buffer.from('broken'), Buffer.from('no Avro'), START);
  await producer.send([{ topic: 'bronze.app.registrations', partition: 5, batch: broken }]);
  const admin = await client.admin();
  const origins = [...new Set(dump.ends.map((end) => end.topic))].flatMap((topic) =>
    Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition })),
  );
  const ends = await admin.offsets(origins, { committed: true });
  const hints = new BatchBuilder();
  for (const [i, origin] of origins.entries()) {
    const endOffset = ends[i]?.end ?? 0n;
    const hint = encodeHint({ writer: 'test', ...origin, m: START + 3 * DAY, endOffset, at: Date.now() });
    hints.append(hint.key, hint.value, Date.now());
  }
  await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch: hints }]);
  await Promise.all([producer.close(), admin.close()]);
}

/** A record of the dump as its Avro schema wants it. */
function fitting(record: BronzeRecord): BronzeRecord {
  const value = record.value as Record<string, unknown> | null;
  if (value === null) return record;
  if (record.topic.startsWith('bronze.shop.')) {
    const source = {
      ts_ms: record.timestamp,
      snapshot: null,
      db: 'shop',
      table: null,
      gtid: null,
      file: 'b',
      pos: 1,
      row: 0,
    };
    return { ...record, value: { ...value, source } };
  }
  const number = String(value['eventId']).slice(2).padStart(12, '0');
  return { ...record, value: { ...value, eventId: `00000000-0000-4000-8000-${number}` } };
}

/** Writes records in the order given, rows of the shop to the partition of their key. */
async function send(
  client: KafkaClient,
  records: readonly BronzeRecord[],
  serdes: ReturnType<typeof testSerdes>,
): Promise<void> {
  const producer = await client.producer();
  const batches = new Map<string, { topic: string; partition: number; batch: BatchBuilder }>();
  const open = async (subject: string, schema: Schema<unknown> | undefined) =>
    schema === undefined ? textSerde : await serdes.open(subject, schema, { write: true });
  for (const topic of new Set(records.map((record) => record.topic))) {
    const keys = await open(`${topic}-key`, all[`${topic}-key`]);
    const values = await open(`${topic}-value`, all[topic]);
    for (const record of records.filter((each) => each.topic === topic)) {
      const key = Buffer.from(keys.serialize(record.key as never));
      const value = record.value === null ? null : values.serialize(record.value);
      // Events lie where they lie in the dump: in other partitions most of them would be late.
      const isFixed = record.value === null || !topic.startsWith('bronze.shop.');
      const partition = isFixed ? record.partition : partitionFor(key, PARTITIONS);
      const id = `${topic}-${partition}`;
      const into = batches.get(id) ?? { topic, partition, batch: new BatchBuilder() };
      batches.set(id, into);
      into.batch.append(key, value, record.timestamp);
    }
  }
  await producer.send([...batches.values()]);
  await producer.close();
}

async function execute(connectionString: string, sql: string): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
