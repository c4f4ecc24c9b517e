/** Collects records and commits them with the offset in one Kafka transaction. One per session: after any failure the session, and this, are thrown away. */
import {
  BatchBuilder,
  ConnectorError,
  type KafkaProducer,
  partitionFor,
  type ReadyBatch,
  type SendResult,
} from '#topology';
import { encodeOffset, offsetsTopic, type StoredOffset } from './offsets.ts';

/** A batch is closed at this size; the broker takes 1 MB. */
const MAX_BATCH_BYTES = 700_000;

export interface PublisherOptions {
  readonly producer: KafkaProducer;
  readonly name: string;
  readonly partitions: number;
  readonly maxRecordBytes: number;
  /** Own last offset + 1 per topic and partition, as the log stands after fencing. */
  readonly ends: ReadonlyMap<string, bigint[]>;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #batches: ReadyBatch[] = [];
  readonly #open = new Map<string, BatchBuilder>();
  #records = 0;
  #bytes = 0;
  #committed = 0;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Records added since the last commit. */
  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Records committed. */
  get committed(): number {
    return this.#committed;
  }

  /** Own last offset + 1 in a partition. */
  end(topic: string, partition: number): bigint {
    return this.#options.ends.get(topic)?.[partition] ?? 0n;
  }

  /** Adds a record. Throws ConnectorError SLC_CDC_ROW_TOO_LARGE. */
  add(topic: string, key: Uint8Array, value: Uint8Array | null, timestamp: number): void {
    const size = key.length + (value?.length ?? 0);
    if (size > this.#options.maxRecordBytes) {
      throw new ConnectorError('SLC_CDC_ROW_TOO_LARGE', `a change for ${topic} has ${size} bytes, the limit is ${this.#options.maxRecordBytes}`, {
        where: topic,
        hint: 'raise max.message.bytes of the topic and maxRecordBytes of the capture, or move the wide column out of the table',
      }); // prettier-ignore
    }
    const partition = partitionFor(key, this.#options.partitions);
    const id = `${topic}|${partition}`;
    let batch = this.#open.get(id);
    if (batch === undefined || (batch.count > 0 && batch.sizeBytes + size > MAX_BATCH_BYTES)) {
      batch = new BatchBuilder();
      this.#open.set(id, batch);
      this.#batches.push({ topic, partition, batch });
    }
    batch.append(key, value, timestamp);
    this.#records++;
    this.#bytes += size;
  }

  /** Writes everything added, and the offset, atomically. After an error nothing can be said of what was written: fence and read the offset. */
  async commit(offset: StoredOffset): Promise<void> {
    const { producer, name } = this.#options;
    const mark = new BatchBuilder();
    mark.append(Buffer.from(name), encodeOffset(offset), Date.now());
    const batches = this.#batches;
    const records = this.#records;
    await producer.begin();
    const results = await producer.send([...batches, { topic: offsetsTopic(name), partition: 0, batch: mark }]);
    await producer.commit();
    this.#moveEnds(batches, results);
    this.#committed += records;
    this.#batches = [];
    this.#open.clear();
    this.#records = 0;
    this.#bytes = 0;
  }

  #moveEnds(batches: readonly ReadyBatch[], results: readonly SendResult[]): void {
    for (const [index, { topic, partition, batch }] of batches.entries()) {
      const base = results[index]?.baseOffset;
      const ends = this.#options.ends.get(topic);
      if (base !== undefined && ends !== undefined) ends[partition] = base + BigInt(batch.count);
    }
  }
}
