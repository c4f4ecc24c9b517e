/**
 * What a slot is about to write, per topic and partition, as ready record batches. One collector per slot, emptied by each commit.
 */
import { RecordError } from '../errors.ts';
import { BATCH_HEADER_BYTES, BatchBuilder, type RecordHeader } from '../record-batch.ts';
import type { ReadyBatch, SendResult } from './kafka-client.ts';

/** A batch is closed before it grows beyond this: the broker takes at most 1 MiB (message.max.bytes). */
const MAX_BATCH_BYTES = 700_000;
/** A record alone in its batch; what is left to 1 MiB is for the batch's header, the record's own fields and a dead letter's headers. */
export const MAX_RECORD_BYTES = 1_000_000;

interface Pending {
  readonly topic: string;
  readonly partition: number;
  readonly batches: BatchBuilder[];
  /** Per writer: in which batch, at which index its last record lies. */
  readonly last: Map<string, { batch: number; index: number }>;
}

/** Where each writer's last record landed. */
export interface WriterEnd {
  readonly writer: string;
  readonly topic: string;
  readonly partition: number;
  /** Offset of its last record there + 1. */
  readonly end: bigint;
}

interface SizedRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers?: readonly RecordHeader[];
}

/** Bytes of its content; what the format adds is small. */
export function sizeOf({ key, value, headers }: SizedRecord): number {
  let size = (key?.length ?? 0) + (value?.length ?? 0);
  for (const [name, content] of headers ?? []) size += name.length * 3 + (content?.length ?? 0);
  return size;
}

export class RecordCollector {
  readonly #pending = new Map<string, Map<number, Pending>>();
  readonly #taken = new Map<string, { records: number; bytes: number }>();
  #records = 0;
  #bytes = 0;

  /** Records collected since the last `take`. */
  get records(): number {
    return this.#records;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a record. RecordError SLC_RECORD_TOO_LARGE for one that Kafka would not take. `writer` = the task that promises something about it in the ledger; undefined for changelogs, late and dead-letter topics. */
  add(
    topic: string,
    partition: number,
    record: {
      readonly key: Uint8Array | null;
      readonly value: Uint8Array | null;
      readonly timestamp: number;
      readonly headers?: readonly RecordHeader[];
    },
    writer?: string,
  ): void {
    const size = sizeOf(record);
    if (size > MAX_RECORD_BYTES) {
      throw new RecordError(
        'SLC_RECORD_TOO_LARGE',
        `a record for ${topic} has ${size} bytes, ${MAX_RECORD_BYTES} are the most`,
        {
          where: `${topic}-${partition}`,
          hint: 'Kafka takes no record above 1 MB (message.max.bytes): keep large values elsewhere and send where they are',
        },
      );
    }
    const pending = this.#of(topic, partition);
    let batch = pending.batches.at(-1);
    if (batch === undefined || batch.sizeBytes + size > MAX_BATCH_BYTES)
      pending.batches.push((batch = new BatchBuilder()));
    const before = batch.sizeBytes;
    batch.append(record.key, record.value, record.timestamp, record.headers);
    this.#records++;
    this.#bytes += batch.sizeBytes - before;
    if (writer === undefined) return;
    let last = pending.last.get(writer);
    if (last === undefined) pending.last.set(writer, (last = { batch: 0, index: 0 }));
    last.batch = pending.batches.length - 1;
    last.index = batch.count - 1;
  }

  /** The batches collected so far, and a function that tells where each writer's last record landed. The collector is empty afterwards. */
  take(): { batches: ReadyBatch[]; ends(results: readonly SendResult[]): WriterEnd[] } {
    const all = [...this.#pending.values()].flatMap((partitions) => [...partitions.values()]);
    const batches: ReadyBatch[] = [];
    const first = new Map<Pending, number>();
    for (const pending of all) {
      first.set(pending, batches.length);
      for (const batch of pending.batches) batches.push({ topic: pending.topic, partition: pending.partition, batch });
      this.#count(pending);
    }
    this.#pending.clear();
    this.#records = 0;
    this.#bytes = 0;
    const ends = (results: readonly SendResult[]): WriterEnd[] =>
      all.flatMap((pending) =>
        [...pending.last].map(([writer, last]) => {
          const result = results[(first.get(pending) ?? 0) + last.batch];
          const end = (result?.baseOffset ?? 0n) + BigInt(last.index) + 1n;
          return { writer, topic: pending.topic, partition: pending.partition, end };
        }),
      );
    return { batches, ends };
  }

  /** Mean bytes of what was taken for a topic so far, with what the format adds; undefined before any. */
  meanBytes(topic: string): number | undefined {
    const taken = this.#taken.get(topic);
    return taken === undefined ? undefined : taken.bytes / taken.records;
  }

  #count({ topic, batches }: Pending): void {
    const taken = this.#taken.get(topic) ?? { records: 0, bytes: 0 };
    for (const batch of batches) {
      taken.records += batch.count;
      taken.bytes += batch.sizeBytes - BATCH_HEADER_BYTES;
    }
    this.#taken.set(topic, taken);
  }

  #of(topic: string, partition: number): Pending {
    let partitions = this.#pending.get(topic);
    if (partitions === undefined) this.#pending.set(topic, (partitions = new Map()));
    let pending = partitions.get(partition);
    if (pending === undefined)
      partitions.set(partition, (pending = { topic, partition, batches: [], last: new Map() }));
    return pending;
  }
}
