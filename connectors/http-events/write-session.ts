/** One session with Kafka: from fencing to the first failure. Nothing of it survives; the next session learns from Kafka what was committed. */
import {
  BatchBuilder,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  type ReadyBatch,
  RetriableError,
  type SendResult,
  type TopicPartition,
} from '#topology';
import type { EventRecord } from './event-decoder.ts';

/** A batch is closed at this size; the broker takes 1 MB. */
const MAX_BATCH_BYTES = 700_000;
/** A Kafka transaction that is not finished after this is aborted by the broker, ms. */
const TRANSACTION_TIMEOUT_MS = 15_000;

/** Topic and partitions whose ends the hints need. */
export interface WrittenTopic {
  readonly name: string;
  readonly partitions: number;
}

export class WriteSession {
  readonly #producer: KafkaProducer;
  readonly #ends: Map<string, bigint>;

  private constructor(producer: KafkaProducer, ends: Map<string, bigint>) {
    this.#producer = producer;
    this.#ends = ends;
  }

  /** Fences whoever wrote before, then reads where the topics end: from here on this is their only writer. */
  static async open(
    kafka: KafkaClient,
    admin: KafkaAdmin,
    transactionalId: string,
    topics: readonly WrittenTopic[],
  ): Promise<WriteSession> {
    const producer = await kafka.producer({ transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
    try {
      await producer.fence();
      return new WriteSession(producer, await endsOf(admin, topics));
    } catch (error) {
      await producer.close();
      throw error;
    }
  }

  /** Own last offset + 1 in a partition; 0 when nothing was written. */
  end(topic: string, partition: number): bigint {
    return this.#ends.get(idOf({ topic, partition })) ?? 0n;
  }

  /** Writes all or nothing. After an error nothing can be said of it, and the session is over. */
  async write(records: readonly EventRecord[]): Promise<void> {
    const batches = batchesOf(records);
    await this.#producer.begin();
    const results = await this.#producer.send(batches);
    await this.#producer.commit();
    this.#moveEnds(batches, results);
  }

  async close(): Promise<void> {
    await this.#producer.close();
  }

  #moveEnds(batches: readonly ReadyBatch[], results: readonly SendResult[]): void {
    for (const [index, ready] of batches.entries()) {
      const base = results[index]?.baseOffset;
      if (base !== undefined) this.#ends.set(idOf(ready), base + BigInt(ready.batch.count));
    }
  }
}

/** Ready batches in the order of the records, partition by partition. */
function batchesOf(records: readonly EventRecord[]): ReadyBatch[] {
  const batches: ReadyBatch[] = [];
  const open = new Map<string, BatchBuilder>();
  for (const { topic, partition, key, value, timestamp, headers } of records) {
    const id = idOf({ topic, partition });
    const size = (key?.length ?? 0) + value.length;
    let batch = open.get(id);
    if (batch === undefined || batch.sizeBytes + size > MAX_BATCH_BYTES) {
      batch = new BatchBuilder();
      open.set(id, batch);
      batches.push({ topic, partition, batch });
    }
    batch.append(key, value, timestamp, headers);
  }
  return batches;
}

async function endsOf(admin: KafkaAdmin, topics: readonly WrittenTopic[]): Promise<Map<string, bigint>> {
  const partitions: TopicPartition[] = topics.flatMap(({ name, partitions: count }) =>
    Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
  );
  const found = await admin.offsets(partitions, { committed: true });
  return new Map(
    partitions.map((tp, index) => {
      const end = found[index]?.end;
      if (end !== undefined) return [idOf(tp), end];
      throw new RetriableError('SLC_BROKER_OFFSETS', `Kafka gave no end offset of ${tp.topic}-${tp.partition}`);
    }),
  );
}

function idOf({ topic, partition }: TopicPartition): string {
  return `${topic}|${partition}`;
}
