/** What a driver of Kafka must hold (topology/runtime/kafka-client.ts). `kafkaClientContract('kafkajs', makeClient)`: any driver, any broker. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import {
  ConfigError,
  type KafkaAdmin,
  type KafkaClient,
  RecordCursor,
  TaskCorruptedError,
  TaskMigratedError,
} from '#topology';
import { randomOf } from '../../random.ts';
import { groupTests } from './contract-groups.ts';
import { readerTests } from './contract-reader.ts';
import { readAll, ready, record } from './contract-records.ts';

const DEADLINE_MS = 20_000;

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

    async function committed(topic: string, partition = 0): Promise<(string | null)[]> {
      const reader = await client.reader({ committed: true });
      const all = await readAll(reader, [{ topic, partition }]);
      await reader.close();
      return (all.get(partition) ?? []).map(({ value }) => value);
    }

    test('creates topics that are missing, and refuses one with another number of partitions', async () => {
      const topic = await newTopic(3, { 'cleanup.policy': 'compact', 'retention.ms': '77' });
      await admin.ensureTopics([{ name: topic, partitions: 3 }]);
      assert.deepEqual([...(await admin.partitionCounts([topic, `${prefix}-none`]))], [[topic, 3]]);
      assert.ok((await admin.listTopics()).includes(topic));
      const plain = await newTopic(1, { 'retention.ms': '88' });
      const settings = await admin.topicSettings([topic, plain, `${prefix}-none`], ['cleanup.policy', 'retention.ms']);
      assert.deepEqual(
        [topic, plain, `${prefix}-none`].map(
          (name) => settings.get(name) && Object.fromEntries(settings.get(name) ?? []),
        ),
        [
          { 'cleanup.policy': 'compact', 'retention.ms': '77' },
          { 'cleanup.policy': 'delete', 'retention.ms': '88' },
          undefined,
        ],
      );
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

    test('a commit of more than a batch may hold is sent in several; one batch that is too large is refused', async () => {
      const topic = await newTopic();
      const tp = { topic, partition: 0 };
      const producer = await client.producer({ transactionalId: `${topic}-t`, transactionTimeoutMs: 20_000 });
      await producer.fence();
      await producer.begin();
      const value = 'x'.repeat(300_000);
      const results = await producer.send(
        Array.from({ length: 4 }, () => ready(tp, [record(value, 'a'), record(value, 'b')])),
      );
      assert.equal(results.map(({ baseOffset }) => baseOffset).join(), '0,2,4,6');
      await producer.commit();
      // The broker answers a commit before its markers are written.
      const until = Date.now() + DEADLINE_MS;
      while ((await committed(topic)).length < 8) assert.ok(Date.now() < until, 'what was committed is not seen');
      for (const one of await committed(topic)) assert.equal(one?.length, 300_000);
      await producer.begin();
      await assert.rejects(
        producer.send([
          ready(
            tp,
            Array.from({ length: 4 }, () => record(value)),
          ),
        ]),
        (error) => error instanceof ConfigError && error.code === 'SLC_BROKER_REFUSED',
      );
      await producer.close();
    });

    test('positions move over transactions that hold nothing to read', async () => {
      const topic = await newTopic();
      const tp = { topic, partition: 0 };
      const producer = await client.producer({ transactionalId: `${topic}-t`, transactionTimeoutMs: 10_000 });
      await producer.fence();
      for (let nth = 0; nth < 3; nth++) {
        await producer.begin();
        await producer.send([ready(tp, [record('aborted'), record('aborted')])]);
        await producer.abort();
      }
      await producer.begin();
      await producer.send([ready(tp, [record('a')])]);
      await producer.commit();
      // Two records and a marker three times, one and a marker; the broker answers a commit before its marker lies in every partition.
      const end = 11n;
      const deadline = Date.now() + DEADLINE_MS;
      while ((await admin.offsets([tp], { committed: true }))[0]?.end !== end) {
        assert.ok(Date.now() < deadline, 'the last marker is missing');
      }
      const reader = await client.reader({ committed: true });
      // From every offset, those of markers and aborted records too.
      for (let from = 0n; from <= end; from++) {
        reader.seek(tp, from);
        let next = -1n;
        let batches = 0;
        const until = Date.now() + DEADLINE_MS;
        while (next < end) {
          assert.ok(Date.now() < until, `from ${from} only to ${next}`);
          for (const fetched of await reader.poll(20)) {
            next = fetched.nextOffset;
            batches += fetched.batches.length;
          }
        }
        assert.equal(next, end);
        assert.ok(batches <= 1);
      }
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

    readerTests({ makeClient, admin: () => admin, newTopic, prefix });
    groupTests({ makeClient, admin: () => admin, newTopic, prefix });
  });
}
