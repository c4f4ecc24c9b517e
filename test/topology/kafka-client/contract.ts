/** What a driver of Kafka must hold (topology/runtime/kafka-client.ts). `kafkaClientContract('kafkajs', makeClient)`: any driver, any broker. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import {
  BatchBuilder,
  ConfigError,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaReader,
  type ReadyBatch,
  RecordCursor,
  TaskCorruptedError,
  TaskMigratedError,
  type TopicPartition,
} from '#topology';
import { randomOf } from '../../random.ts';

/** A record as tests write and read it. */
interface TestRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  readonly header?: string;
}

const DEADLINE_MS = 20_000;

const record = (value: string | null, key: string | null = 'k', timestamp = 1_000): TestRecord => ({
  key,
  value,
  timestamp,
});

function ready(tp: TopicPartition, records: readonly TestRecord[]): ReadyBatch {
  const batch = new BatchBuilder();
  for (const { key, value, timestamp, header } of records) {
    const headers = header === undefined ? [] : ([['h', Buffer.from(header)]] as const);
    batch.append(
      key === null ? null : Buffer.from(key, 'latin1'),
      value === null ? null : Buffer.from(value),
      timestamp,
      headers,
    );
  }
  return { topic: tp.topic, partition: tp.partition, batch };
}

export function kafkaClientContract(name: string, makeClient: () => KafkaClient): void {
  describe(`Kafka client ${name}`, () => {
    let client: KafkaClient;
    let admin: KafkaAdmin;
    const prefix = `contract-${randomUUID().slice(0, 8)}`;
    let nth = 0;

    before(async () => {
      client = makeClient();
      admin = await client.admin();
    });
    after(() => client.close());

    async function newTopic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
      const topic = `${prefix}-${nth++}`;
      await admin.ensureTopics([{ name: topic, partitions, config }]);
      return topic;
    }

    async function readAll(
      reader: KafkaReader,
      partitions: readonly TopicPartition[],
    ): Promise<Map<number, TestRecord[]>> {
      const cursor = new RecordCursor();
      const found = new Map<number, TestRecord[]>(partitions.map(({ partition }) => [partition, []]));
      const open = new Set(partitions.map(({ partition }) => partition));
      for (const tp of partitions) reader.seek(tp, 'earliest');
      const until = Date.now() + DEADLINE_MS;
      while (open.size > 0) {
        assert.ok(Date.now() < until, `partitions ${[...open].join()} did not come to their ends`);
        for (const { partition, batches, nextOffset, endOffset } of await reader.poll(50)) {
          for (const batch of batches) {
            cursor.open(batch);
            while (cursor.next()) {
              const header = cursor.header('h')?.toString();
              found.get(partition)?.push({
                key: cursor.keyBytes()?.toString('latin1') ?? null,
                value: cursor.valueBytes()?.toString() ?? null,
                timestamp: cursor.timestamp,
                ...(header === undefined ? {} : { header }),
              });
            }
          }
          if (nextOffset >= endOffset) open.delete(partition);
        }
      }
      return found;
    }

    async function committed(topic: string, partition = 0): Promise<(string | null)[]> {
      const reader = await client.reader({ committed: true });
      const all = await readAll(reader, [{ topic, partition }]);
      await reader.close();
      return (all.get(partition) ?? []).map(({ value }) => value);
    }

    test('creates topics that are missing, and refuses one with another number of partitions', async () => {
      const topic = await newTopic(3, { 'cleanup.policy': 'compact' });
      await admin.ensureTopics([{ name: topic, partitions: 3 }]);
      assert.deepEqual([...(await admin.partitionCounts([topic, `${prefix}-none`]))], [[topic, 3]]);
      assert.ok((await admin.listTopics()).includes(topic));
      await assert.rejects(
        admin.ensureTopics([{ name: topic, partitions: 4 }]),
        (error) => error instanceof ConfigError && error.code === 'SLC_CONFIG_TOPIC',
      );
      await admin.deleteTopics([topic]);
      assert.ok(!(await admin.listTopics()).includes(topic));
    });

    test('records come back as they were sent: tombstones, no key, headers, timestamps in any order', async () => {
      const topic = await newTopic(2);
      const records = [
        record('a', 'k', 5_000),
        record(null, 'k', 3_000),
        record('c', null, 1_700_000_000_000),
        { ...record('dä€'), header: 'ü' },
        record('', ''),
      ];
      const producer = await client.producer();
      const one = { topic, partition: 0 };
      const two = { topic, partition: 1 };
      const results = await producer.send([
        ready(one, records),
        ready(two, [record('x')]),
        ready(one, [record('later')]),
      ]);
      assert.deepEqual(results, [
        { ...one, baseOffset: 0n },
        { ...two, baseOffset: 0n },
        { ...one, baseOffset: BigInt(records.length) },
      ]);
      const reader = await client.reader({ committed: true });
      const found = await readAll(reader, [one, two]);
      assert.deepEqual(found.get(0), [...records, record('later')]);
      assert.deepEqual(found.get(1), [record('x')]);
      assert.deepEqual(await admin.offsets([two, one, two], { committed: true }), [
        { start: 0n, end: 1n },
        { start: 0n, end: 6n },
        { start: 0n, end: 1n },
      ]);
      await reader.close();
      await producer.close();
    });

    test('a transaction is seen when it is committed, all at once; an aborted one never', async () => {
      const topic = await newTopic();
      const tp = { topic, partition: 0 };
      const producer = await client.producer({ transactionalId: `${topic}-t`, transactionTimeoutMs: 10_000 });
      await producer.fence();
      await producer.begin();
      await producer.send([ready(tp, [record('1')])]);
      await producer.send([ready(tp, [record('2')])]);
      assert.deepEqual(await committed(topic), []);
      assert.deepEqual(await admin.offsets([tp], { committed: true }), [{ start: 0n, end: 0n }]);
      assert.deepEqual(await admin.offsets([tp], { committed: false }), [{ start: 0n, end: 2n }]);
      await producer.commit();
      assert.deepEqual(await committed(topic), ['1', '2']);
      await producer.begin();
      await producer.send([ready(tp, [record('3')])]);
      await producer.abort();
      assert.deepEqual(await committed(topic), ['1', '2']);
      const raw = await client.reader({ committed: false });
      assert.equal((await readAll(raw, [tp])).get(0)?.length, 3);
      await raw.close();
      await producer.close();
    });

    test('interleaved commits and aborts of three producers: exactly the committed records', async () => {
      const { random, seed } = randomOf('kafka-client');
      const topic = await newTopic();
      const tp = { topic, partition: 0 };
      const expected: string[] = [];
      const producers = await Promise.all(
        [0, 1, 2].map(async (id) => {
          const producer = await client.producer({ transactionalId: `${topic}-${id}`, transactionTimeoutMs: 20_000 });
          await producer.fence();
          return { id, producer, open: undefined as string[] | undefined };
        }),
      );
      let written = 0;
      for (let step = 0; step < 150; step++) {
        const one = producers[Math.floor(random() * 3)];
        assert.ok(one);
        if (one.open === undefined) {
          await one.producer.begin();
          one.open = [];
        } else if (random() < 0.6) {
          // The key 00 00 00 00 looks like an abort marker to some clients.
          const value = `${one.id}:${written++}`;
          await one.producer.send([ready(tp, [record(value, '\0\0\0\0')])]);
          one.open.push(value);
        } else if (random() < 0.5) {
          await one.producer.commit();
          expected.push(...one.open);
          one.open = undefined;
        } else {
          await one.producer.abort();
          one.open = undefined;
        }
      }
      for (const one of producers) if (one.open !== undefined) await one.producer.abort();
      assert.ok(expected.length > 10, `seed ${seed}`);
      const found = await committed(topic);
      assert.equal(found.length, expected.length, `seed ${seed}`);
      assert.deepEqual(new Set(found), new Set(expected), `seed ${seed}`);
      await Promise.all(producers.map(({ producer }) => producer.close()));
    });

    test('fencing ends the transaction of a predecessor, which can do nothing any more', async () => {
      const topic = await newTopic();
      const tp = { topic, partition: 0 };
      const options = { transactionalId: `${topic}-t`, transactionTimeoutMs: 10_000 };
      const old = await client.producer(options);
      await old.fence();
      await old.begin();
      await old.send([ready(tp, [record('lost')])]);
      const successor = await client.producer(options);
      await successor.fence();
      await assert.rejects(old.send([ready(tp, [record('zombie')])]), TaskMigratedError);
      await assert.rejects(old.commit(), TaskMigratedError);
      await successor.begin();
      await successor.send([ready(tp, [record('kept')])]);
      await successor.commit();
      assert.deepEqual(await committed(topic), ['kept']);
      await Promise.all([old.close(), successor.close()]);
    });

    test('positions are committed with the transaction, with their metadata', async () => {
      const topic = await newTopic(2);
      const group = `${topic}-group`;
      const tp = { topic, partition: 1 };
      const options = { transactionalId: `${topic}-t`, transactionTimeoutMs: 10_000 };
      const producer = await client.producer(options);
      await producer.fence();
      await producer.begin();
      await producer.send([ready(tp, [record('1')])]);
      await producer.sendOffsets(group, [{ ...tp, offset: 7n, metadata: '{"m":1}' }]);
      await producer.commit();
      await producer.begin();
      await producer.sendOffsets(group, [{ ...tp, offset: 9n, metadata: null }]);
      await producer.abort();
      const successor = await client.producer(options);
      await successor.fence();
      assert.deepEqual(await admin.committedOffsets(group, [{ topic, partition: 0 }, tp]), [
        { ...tp, offset: 7n, metadata: '{"m":1}' },
      ]);
      await Promise.all([producer.close(), successor.close()]);
    });

    test('a reader seeks, pauses, resumes and removes', async () => {
      const topic = await newTopic(2);
      const tp = { topic, partition: 0 };
      const producer = await client.producer();
      await producer.send([
        ready(
          tp,
          ['0', '1', '2', '3'].map((value) => record(value)),
        ),
      ]);
      const reader = await client.reader({ committed: true });
      const cursor = new RecordCursor();
      const values = async (until: (found: string[], polls: number) => boolean): Promise<string[]> => {
        const found: string[] = [];
        const deadline = Date.now() + DEADLINE_MS;
        for (let polls = 0; !until(found, polls); polls++) {
          assert.ok(Date.now() < deadline, `only ${found.join()}`);
          for (const { batches } of await reader.poll(20)) {
            for (const batch of batches) {
              cursor.open(batch);
              while (cursor.next()) found.push(cursor.valueBytes()?.toString() ?? '');
            }
          }
        }
        return found;
      };
      reader.seek(tp, 2n);
      assert.deepEqual(await values((found) => found.length >= 2), ['2', '3']);
      reader.seek(tp, 1n);
      assert.deepEqual(await values((found) => found.length >= 3), ['1', '2', '3']);
      reader.pause(tp);
      await values((_, polls) => polls > 5);
      await producer.send([ready(tp, [record('4')])]);
      assert.deepEqual(await values((_, polls) => polls > 5), []);
      reader.resume(tp);
      assert.deepEqual(await values((found) => found.length > 0), ['4']);
      reader.seek(tp, 0n);
      reader.remove(tp);
      assert.deepEqual(await values((_, polls) => polls > 5), []);
      await reader.close();
      await producer.close();
    });

    test('the first offset of a time, and what partitions take on disk', async () => {
      const topic = await newTopic(2);
      const one = { topic, partition: 0 };
      const empty = { topic, partition: 1 };
      const producer = await client.producer();
      const times = [5_000, 3_000, 9_000, 7_000];
      await producer.send(times.map((at) => ready(one, [record('a', 'k', at)])));
      await producer.close();
      assert.deepEqual(await admin.offsetsAt([one, empty], 6_000), [2n, undefined]);
      assert.deepEqual(await admin.offsetsAt([one], 9_001), [undefined]);
      const [taken = 0, none] = await admin.sizes([one, empty]);
      assert.ok(taken > 100 && taken < 1_000, `${taken} bytes`);
      assert.equal(none, 0);
    });
    test('a partition at its end is handed over once after a seek, an empty one too', async () => {
      const topic = await newTopic();
      const tp = { topic, partition: 0 };
      const reader = await client.reader({ committed: true });
      for (let nth = 0; nth < 2; nth++) {
        reader.seek(tp, 'earliest');
        const handed = [];
        for (let polls = 0; polls < 15; polls++) handed.push(...(await reader.poll(20)));
        assert.deepEqual(handed, [{ ...tp, batches: [], nextOffset: 0n, endOffset: 0n, bytes: 0 }]);
      }
      await reader.close();
    });

    test('deleted records: the start moves, earliest follows, an older offset is an error that names the partition', async () => {
      const topic = await newTopic();
      const tp = { topic, partition: 0 };
      const producer = await client.producer();
      await producer.send([
        ready(
          tp,
          ['0', '1', '2'].map((value) => record(value)),
        ),
      ]);
      await producer.send([ready(tp, [record('3')])]);
      await admin.deleteRecords([{ ...tp, offset: 2n }]);
      assert.deepEqual(await admin.offsets([tp], { committed: true }), [{ start: 2n, end: 4n }]);
      assert.deepEqual(await committed(topic), ['2', '3']);
      const reader = await client.reader({ committed: true });
      reader.seek(tp, 1n);
      await assert.rejects(
        async () => {
          for (let polls = 0; polls < 200; polls++) await reader.poll(20);
        },
        (error) =>
          error instanceof TaskCorruptedError &&
          error.code === 'SLC_TASK_OFFSET_OUT_OF_RANGE' &&
          error.message.includes(`${topic}-0`),
      );
      await reader.close();
      await producer.close();
    });

    test('a group shares partition numbers out over all topics, and gives those of another epoch nothing', async (t) => {
      const topics = [await newTopic(6), await newTopic(6)];
      const group = `${prefix}-members`;
      const clients = [makeClient(), makeClient(), makeClient()];
      t.after(() => Promise.all(clients.map((one) => one.close())));
      const assigned: (readonly number[])[] = [[], [], []];
      const others: (readonly string[])[] = [[], [], []];
      const join = (index: number, epoch: string) =>
        clients[index]?.join({
          group,
          topics,
          epoch,
          sessionTimeoutMs: 6_000,
          onAssigned: (partitions, { otherEpochs }) => {
            assigned[index] = partitions;
            others[index] = otherEpochs;
          },
          onLost: (error) => assert.fail(error),
        });
      const settled = async (expected: () => boolean): Promise<void> => {
        const until = Date.now() + DEADLINE_MS;
        while (!expected()) {
          assert.ok(Date.now() < until, `assigned: ${JSON.stringify(assigned)}`);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      const first = await join(0, 'e1');
      await settled(() => assigned[0]?.length === 6);
      const before = assigned[0];
      await join(1, 'e1');
      await settled(() => assigned[0]?.length === 3 && assigned[1]?.length === 3);
      assert.deepEqual(
        [...(assigned[0] ?? []), ...(assigned[1] ?? [])].toSorted((a, b) => a - b),
        before,
      );
      await join(2, 'e2');
      await settled(() => others.some((epochs) => epochs.includes('e2')));
      assert.deepEqual([assigned[0]?.length, assigned[1]?.length, assigned[2]?.length], [3, 3, 0]);
      await first?.leave();
      await settled(() => assigned[1]?.length === 6);
    });
  });
}
