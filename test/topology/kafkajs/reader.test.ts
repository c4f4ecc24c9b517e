/** The reader over a cluster that answers what the test wants: wrong bytes, holes. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Kafka } from 'kafkajs';
import { BatchBuilder, type FetchedRecords, RecordCursor, RetriableError, TaskCorruptedError } from '#topology';
import { KafkajsReader } from '../../../topology/kafkajs/reader.ts';

const TOPIC = 't';

/** A log of one partition as the broker keeps it: batches one behind the other. */
function logOf(...batches: (readonly string[])[]): Buffer {
  let offset = 0n;
  return Buffer.concat(
    batches.map((values) => {
      const batch = new BatchBuilder();
      for (const value of values) batch.append(null, Buffer.from(value), 1_000);
      const bytes = Buffer.from(batch.seal(-1n, -1, -1, false));
      bytes.writeBigInt64BE(offset, 0);
      offset += BigInt(values.length);
      return bytes;
    }),
  );
}

/** kafkajs as far as the reader uses it, over these logs. */
class StubBroker {
  readonly logs = new Map<number, Buffer>();
  /** How long it was let wait, fetch by fetch. */
  readonly waits: number[] = [];
  end = 0;

  kafka(): Kafka {
    const cluster = {
      targetTopics: new Set([TOPIC]),
      connect: () => Promise.resolve(),
      disconnect: () => Promise.resolve(),
      refreshMetadataIfNecessary: () => Promise.resolve(),
      findLeaderForPartitions: () => ({ 1: [0, 1] }),
      findBroker: () => Promise.resolve({ fetch: (request: FetchRequest) => Promise.resolve(this.#fetch(request)) }),
    };
    return { [Symbol('private:Kafka:createCluster')]: () => cluster } as unknown as Kafka;
  }

  #fetch({ maxWaitTime, topics: [topic] }: FetchRequest): object {
    this.waits.push(maxWaitTime);
    const partitions = (topic?.partitions ?? []).map(({ partition, fetchOffset }) => {
      const raw = Number(fetchOffset) >= this.end ? undefined : this.logs.get(partition);
      return {
        partition,
        highWatermark: String(this.end),
        lastStableOffset: String(this.end),
        abortedTransactions: [],
        messages: Object.assign([], raw === undefined ? {} : { raw }),
      };
    });
    return { responses: [{ topicName: TOPIC, partitions }] };
  }
}

interface FetchRequest {
  readonly maxWaitTime: number;
  readonly topics: readonly {
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string }[];
  }[];
}

const cursor = new RecordCursor();

function valuesOf(fetched: readonly FetchedRecords[]): string[] {
  const values: string[] = [];
  for (const { partition, batches } of fetched) {
    for (const batch of batches) {
      cursor.open(batch);
      while (cursor.next()) values.push(`${partition}:${cursor.valueBytes()?.toString()}`);
    }
  }
  return values;
}

/** What comes in so many polls: values and errors, in order. */
async function poll(reader: KafkajsReader, polls: number): Promise<(string | Error)[]> {
  const came: (string | Error)[] = [];
  for (let nth = 0; nth < polls; nth++) {
    try {
      came.push(...valuesOf(await reader.poll(5)));
    } catch (error) {
      came.push(error as Error);
    }
  }
  return came;
}

describe('a reader to which nothing comes', () => {
  const until = async (what: () => boolean, reader: KafkajsReader): Promise<void> => {
    for (let nth = 0; !what(); nth++) {
      assert.ok(nth < 1_000);
      await reader.poll(100);
    }
  };

  test('lets the broker wait longer, up to half a second; a record, a seek or a paused partition ends that', async (t) => {
    const broker = new StubBroker();
    const reader = new KafkajsReader(broker.kafka(), { committed: true });
    t.after(() => reader.close());
    for (const partition of [0, 1]) reader.seek({ topic: TOPIC, partition }, 0n);
    await until(() => broker.waits.length > 8, reader);
    assert.deepEqual(broker.waits.slice(0, 7), [100, 200, 300, 400, 500, 500, 500]);

    const begun = async (what: () => void): Promise<void> => {
      await until(() => broker.waits.at(-1) === 500, reader);
      const { length } = broker.waits;
      what();
      await until(() => broker.waits.indexOf(100, length) >= 0, reader);
    };
    await begun(() => {
      broker.logs.set(0, logOf(['a']));
      broker.end = 1;
    });
    await begun(() => reader.seek({ topic: TOPIC, partition: 1 }, 1n));
    await begun(() => reader.pause({ topic: TOPIC, partition: 1 }));
    const { length } = broker.waits;
    await until(() => broker.waits.length > length + 8, reader);
    assert.deepEqual(new Set(broker.waits.slice(length)), new Set([100]));
  });
});

describe('a batch with a wrong byte', () => {
  const good = logOf(['a', 'b'], ['c']);
  const bad = Buffer.from(good);
  bad[bad.length - 2] = (bad[bad.length - 2] ?? 0) ^ 1;

  function open(t: TestContext, zero: Buffer, one: Buffer): { broker: StubBroker; reader: KafkajsReader } {
    const broker = new StubBroker();
    broker.end = 3;
    broker.logs.set(0, zero);
    broker.logs.set(1, one);
    const reader = new KafkajsReader(broker.kafka(), { committed: true });
    t.after(() => reader.close());
    for (const partition of [0, 1]) reader.seek({ topic: TOPIC, partition }, 0n);
    return { broker, reader };
  }

  for (const wrong of [0, 1]) {
    test(`in partition ${wrong}: an error that names it; the other partition loses nothing, and it itself nothing once the bytes are right`, async (t) => {
      const { broker, reader } = open(t, wrong === 0 ? bad : good, wrong === 0 ? good : bad);
      const came = await poll(reader, 8);
      const errors = came.filter((one) => one instanceof RetriableError);
      assert.ok(errors.length > 0);
      for (const { code, message } of errors) {
        assert.equal(code, 'SLC_BROKER_CORRUPT_BATCH');
        assert.match(message, new RegExp(`^t-${wrong}: the batch at offset 2 has a wrong checksum`));
      }
      const other = 1 - wrong;
      assert.deepEqual(
        came.filter((one) => typeof one === 'string'),
        [`${other}:a`, `${other}:b`, `${other}:c`],
      );
      broker.logs.set(wrong, good);
      const after = (await poll(reader, 8)).filter((one) => typeof one === 'string');
      assert.deepEqual(after, [`${wrong}:a`, `${wrong}:b`, `${wrong}:c`]);
    });
  }

  test('that stays wrong: one clear error, not a warning for ever', async (t) => {
    const { reader } = open(t, bad, good);
    const came = await poll(reader, 60);
    const last = came.find((one) => one instanceof TaskCorruptedError);
    assert.equal(last?.code, 'SLC_TASK_UNREADABLE');
    assert.equal(last.where, 't-0');
    assert.ok(last.hint);
  });
});
