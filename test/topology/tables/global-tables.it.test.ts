/** A global table on a real broker: whole before the first record, only what was committed, followed, and read anew when its topic was made anew. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { pino } from 'pino';
import {
  BatchBuilder,
  buildTopology,
  createKafkaClient,
  globalJoin,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaReader,
  partitionFor,
  RecordCursor,
  stage,
  startStreamApp,
  type StreamApp,
} from '#topology';
import { derived, jsonSerdes, origin } from '../dsl/support.ts';
import { rowsOf } from './global-tables.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const ROWS = 20_000;
const PARTITIONS = 3;
const DEADLINE_MS = 60_000;

describe('a global table on Kafka', () => {
  const app = `global-${randomUUID().slice(0, 8)}`;
  const views = origin<{ item: string }>(`${app}.views`, 2);
  const items = origin<string>(`${app}.items`, PARTITIONS);
  const named = derived<string>(`${app}.named`, 2);
  const logger = pino({ level: 'silent' });
  const fatal: Error[] = [];
  let client: KafkaClient;
  let admin: KafkaAdmin;
  /** Of the results. */
  let reader: KafkaReader;
  let running: StreamApp | undefined;

  before(async () => {
    client = createKafkaClient({ brokers: brokers.split(','), clientId: 'test', logger });
    admin = await client.admin();
    reader = await client.reader({ committed: true });
    await admin.ensureTopics([
      { name: HINTS_TOPIC, partitions: 1, config: { 'cleanup.policy': 'compact' } },
      { name: views.name, partitions: 2 },
    ]);
  });
  after(async () => {
    await running?.stop();
    await reader.close();
    await client.close();
  });

  /** In one transaction per call. */
  async function put(rows: Iterable<readonly [key: string, name: string | null]>, committed = true): Promise<void> {
    await admin.ensureTopics([{ name: items.name, partitions: PARTITIONS }]);
    const batches = Array.from({ length: PARTITIONS }, () => new BatchBuilder());
    for (const [key, name] of rows) {
      const bytes = Buffer.from(key);
      const value = name === null ? null : Buffer.from(JSON.stringify(name));
      batches[partitionFor(bytes, PARTITIONS)]?.append(bytes, value, 1_000);
    }
    const producer = await client.producer({ transactionalId: `${app}-writer` });
    await producer.fence();
    await producer.begin();
    await producer.send(
      batches.flatMap((batch, partition) => (batch.count === 0 ? [] : [{ topic: items.name, partition, batch }])),
    );
    await (committed ? producer.commit() : producer.abort());
    await producer.close();
  }

  async function view(...keys: readonly string[]): Promise<void> {
    const batches = [new BatchBuilder(), new BatchBuilder()];
    for (const [n, item] of keys.entries())
      batches[n % 2]?.append(Buffer.from(`v${n}`), Buffer.from(JSON.stringify({ item })), 1_000);
    const producer = await client.producer();
    await producer.send(
      batches.flatMap((batch, partition) => (batch.count === 0 ? [] : [{ topic: views.name, partition, batch }])),
    );
    await producer.close();
  }

  /** The next results, sorted. */
  async function results(count: number): Promise<string[]> {
    const found: string[] = [];
    const cursor = new RecordCursor();
    for (const end = Date.now() + DEADLINE_MS; found.length < count;) {
      assert.ok(Date.now() < end, `${found.length} of ${count} ${fatal.join()}`);
      for (const { batches } of await reader.poll(100)) {
        for (const batch of batches) {
          cursor.open(batch);
          while (cursor.next()) found.push(JSON.parse(String(cursor.valueBytes())) as string);
        }
      }
    }
    assert.deepEqual(fatal, []);
    return found.toSorted();
  }
  async function until(what: string, condition: () => boolean): Promise<void> {
    for (const end = Date.now() + DEADLINE_MS; !condition();) {
      assert.ok(Date.now() < end, `not in time: ${what} ${fatal.join()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  test('20,000 rows are there for the first record, and none that was aborted', async () => {
    const rows = Array.from({ length: ROWS }, (_, n) => [`i${n}`, `name ${n}`] as const);
    await put(rows);
    await put([['i0', 'aborted']], false);
    const some = rows.filter((_, n) => n % 40 === 0);
    await view(...some.map(([key]) => key));
    const naming = stage(`${app}-named`, (s) => {
      const table = s.globalTable(items, { store: 'everywhere' });
      s.stream(views)
        .pipe(
          globalJoin(
            table,
            (r) => r.value.item,
            ({ item }, name) => `${item} ${name}`,
            { join: 'left' },
          ),
        )
        .to(named);
    });
    running = await startStreamApp({
      client,
      topology: buildTopology([naming], { app }),
      serdes: jsonSerdes,
      logger,
      options: { topicWatchMs: 600_000 },
      onFatal: (error) => void fatal.push(error),
    });
    for (const partition of [0, 1]) reader.seek({ topic: named.name, partition }, 'earliest');
    assert.deepEqual(await results(some.length), some.map(([key, name]) => `${key} ${name}`).toSorted());
    assert.equal(rowsOf(running).length, ROWS);
    const topics = await admin.listTopics();
    assert.deepEqual(
      topics.filter((topic) => topic.startsWith(`${app}-`) && /-(repartition|changelog)$/.test(topic)),
      [],
    );
  });

  test('it is followed', async () => {
    const table = running?.table('everywhere');
    await put([
      ['i1', 'changed'],
      ['i2', null],
    ]);
    await until('both are read', () => table?.get('i1')?.value === 'changed' && table.get('i2') === undefined);
    await view('i1', 'i2', 'i3');
    assert.deepEqual(await results(3), ['i1 changed', 'i2 null', 'i3 name 3']);
  });

  test('made anew', async () => {
    await admin.deleteTopics([items.name]);
    await put([
      ['i1', 'anew'],
      ['i3', 'anew'],
    ]);
    await until('it is read anew', () => running !== undefined && rowsOf(running).join() === 'i1 anew,i3 anew');
    await view('i1', 'i2', 'i3');
    assert.deepEqual(await results(3), ['i1 anew', 'i2 null', 'i3 anew']);
  });
});
