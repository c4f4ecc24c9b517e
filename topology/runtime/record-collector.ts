/**
 * What a slot is about to write, per topic and partition, as ready record batches. One collector per slot, emptied by each commit.
 */
import { RecordError } from '../errors.ts';
import { BATCH_HEADER_BYTES, BatchBuilder, type RecordHeader } from '../record-batch.ts';
import type { ReadyBatch, SendResult } from './kafka-client.ts';

/** A batch takes no further record beyond this: the broker takes at most 1 MiB (message.max.bytes). */
const MAX_BATCH_BYTES = 700_000;
/** A record alone in its batch; what is left to 1 MiB is for the batch's header, the record's own fields and a dead letter's headers. */
export const MAX_RECORD_BYTES = 1_000_000;
/** For the format, where a record is measured with it. */
const ROOM_BYTES = 1_000;
/** Of the next batch, as much as the last one took: growing costs a copy each time. */
const MAX_FIRST_BYTES = 256 * 1_024;

/** In which batch of a partition, at which index, a writer's last record lies; batch -1: nowhere. */
export interface Mark {
  readonly writer: string;
  batch: number;
  index: number;
}

/** One partition that is written. */
export interface PendingPartition {
  readonly topic: string;
  readonly partition: number;
  batches: BatchBuilder[];
  readonly marks: Mark[];
  lastBytes: number;
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
  readonly #pending = new Map<string, PendingPartition[]>();
  readonly #taken = new Map<string, { records: number; bytes: number }>();
  /** Partitions with a batch, in the order in which they first had one. */
  #touched: PendingPartition[] = [];
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
    if (size > MAX_RECORD_BYTES) throw tooLarge(topic, partition, size);
    const pending = this.partition(topic, partition);
    const batch = this.begin(pending, record.timestamp);
    batch.fields(record.key, record.value, record.headers);
    this.end(pending, batch, writer === undefined ? undefined : markOf(pending, writer));
  }

  /** Where records of a partition are collected. */
  partition(topic: string, partition: number): PendingPartition {
    let partitions = this.#pending.get(topic);
    if (partitions === undefined) this.#pending.set(topic, (partitions = []));
    return (partitions[partition] ??= { topic, partition, batches: [], marks: [], lastBytes: 0 });
  }

  /** Begins a record to be written in place into the batch that is returned; `end` takes it, and without `end` there is none. */
  begin(pending: PendingPartition, timestamp: number): BatchBuilder {
    const batch = pending.batches.at(-1) ?? this.#newBatch(pending);
    batch.begin(timestamp);
    return batch;
  }

  /** Takes the record that was begun. RecordError SLC_RECORD_TOO_LARGE for one that Kafka would not take: there is none then. */
  end(pending: PendingPartition, batch: BatchBuilder, mark: Mark | undefined): void {
    const bytes = batch.begunBytes;
    if (bytes > MAX_RECORD_BYTES + ROOM_BYTES) throw tooLarge(pending.topic, pending.partition, bytes);
    if (batch.count > 0 && batch.sizeBytes + bytes > MAX_BATCH_BYTES) {
      const next = this.#newBatch(pending);
      batch.moveBegun(next);
      batch = next;
    }
    batch.end();
    this.#records++;
    this.#bytes += bytes;
    if (mark === undefined) return;
    mark.batch = pending.batches.length - 1;
    mark.index = batch.count - 1;
  }

  /** The batches collected so far, and a function that tells where each writer's last record landed. The collector is empty afterwards. */
  take(): { batches: ReadyBatch[]; ends(results: readonly SendResult[]): WriterEnd[] } {
    const batches: ReadyBatch[] = [];
    const last: { readonly pending: PendingPartition; readonly writer: string; batch: number; index: number }[] = [];
    for (const pending of this.#touched) {
      // Begun, and given up.
      const filled = pending.batches.filter(({ count }) => count > 0);
      for (const mark of pending.marks) {
        if (mark.batch < 0) continue;
        last.push({ pending, writer: mark.writer, batch: batches.length + mark.batch, index: mark.index });
        mark.batch = -1;
      }
      for (const batch of filled) batches.push({ topic: pending.topic, partition: pending.partition, batch });
      pending.lastBytes = filled[0]?.sizeBytes ?? 0;
      this.#count(pending.topic, filled);
      pending.batches = [];
    }
    this.#touched = [];
    this.#records = 0;
    this.#bytes = 0;
    const ends = (results: readonly SendResult[]): WriterEnd[] =>
      last.map(({ pending: { topic, partition }, writer, batch, index }) => {
        const end = (results[batch]?.baseOffset ?? 0n) + BigInt(index) + 1n;
        return { writer, topic, partition, end };
      });
    return { batches, ends };
  }

  /** Mean bytes of what was taken for a topic so far, with what the format adds; undefined before any. */
  meanBytes(topic: string): number | undefined {
    const taken = this.#taken.get(topic);
    return taken === undefined ? undefined : taken.bytes / taken.records;
  }

  #newBatch(pending: PendingPartition): BatchBuilder {
    if (pending.batches.length === 0) this.#touched.push(pending);
    const batch = new BatchBuilder(Math.min(MAX_FIRST_BYTES, pending.lastBytes));
    pending.batches.push(batch);
    return batch;
  }

  #count(topic: string, batches: readonly BatchBuilder[]): void {
    const taken = this.#taken.get(topic) ?? { records: 0, bytes: 0 };
    for (const batch of batches) {
      taken.records += batch.count;
      taken.bytes += batch.sizeBytes - BATCH_HEADER_BYTES;
    }
    if (taken.records > 0) this.#taken.set(topic, taken);
  }
}

/** The mark of a writer in a partition. */
export function markOf(pending: PendingPartition, writer: string): Mark {
  let mark = pending.marks.find((each) => each.writer === writer);
  if (mark === undefined) pending.marks.push((mark = { writer, batch: -1, index: 0 }));
  return mark;
}

function tooLarge(topic: string, partition: number, size: number): RecordError {
  return new RecordError(
    'SLC_RECORD_TOO_LARGE',
    `a record for ${topic} has ${size} bytes, ${MAX_RECORD_BYTES} are the most`,
    {
      where: `${topic}-${partition}`,
      hint: 'Kafka takes no record above 1 MB (message.max.bytes): keep large values elsewhere and send where they are',
    },
  );
}
