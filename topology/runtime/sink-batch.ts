/** What was fetched of one partition, cut into batches for a sink. */
import type { SinkRecord } from '../connector.ts';
import { NotReadyError, RecordError } from '../errors.ts';
import { RecordCursor } from '../record-batch.ts';
import type { Serde } from '../serde.ts';
import type { FetchedRecords } from './kafka-client.ts';

/** When a batch is full, and how long a started one waits for more. */
export interface SinkBatchLimits {
  readonly maxRecords: number;
  /** Of keys and values as they are in Kafka. */
  readonly maxBytes: number;
  /** Since the first record. */
  readonly lingerMs: number;
  /** A position that moved over markers only is written this late: it saves reading them again, no more. */
  readonly positionMs: number;
}

/** A record with its original bytes, for the dead-letter topic. */
export interface ReadRecord extends SinkRecord {
  readonly keyBytes: Uint8Array | null;
  readonly valueBytes: Uint8Array | null;
}

/** A record that goes to the dead-letter topic, and why. */
export interface DeadRecord {
  readonly record: ReadRecord;
  readonly error: RecordError;
}

/** Records on their way to a sink. `nextOffset` undefined: nothing was read yet. */
export interface SinkBatch {
  records: ReadRecord[];
  dead: DeadRecord[];
  bytes: number;
  nextOffset: bigint | undefined;
}

/** How a topic's bytes are read. */
export interface SinkSource {
  readonly topic: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
}

/** A queue of fetched chunks with a cursor. */
export class SinkQueue {
  readonly #source: SinkSource;
  readonly #cursor = new RecordCursor();
  #chunks: FetchedRecords[] = [];
  #batch = 0;
  #open = false;
  /** The cursor stands on a record that could not be read yet. */
  #pending = false;
  #position = 0n;
  #bytes = 0;

  constructor(source: SinkSource) {
    this.#source = source;
  }

  /** Bytes fetched and not yet read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Forgets everything; records before `position` are skipped from now on. */
  reset(position: bigint): void {
    this.#chunks = [];
    this.#batch = 0;
    this.#open = false;
    this.#pending = false;
    this.#position = position;
    this.#bytes = 0;
  }

  push(fetched: FetchedRecords): void {
    this.#chunks.push(fetched);
    this.#bytes += fetched.bytes;
  }

  /** Moves records into `batch` until it is full or the queue is empty. Throws NotReadyError with what was read so far in the batch. */
  fill(batch: SinkBatch, limits: SinkBatchLimits): void {
    while (
      batch.records.length + batch.dead.length < limits.maxRecords &&
      batch.bytes < limits.maxBytes &&
      this.#next()
    ) {
      this.#pending = true;
      this.#read(batch);
      this.#pending = false;
      this.#position = BigInt(this.#cursor.offset) + 1n;
      batch.nextOffset = this.#position;
    }
    if (this.#chunks.length === 0 && (batch.nextOffset ?? -1n) < this.#position) batch.nextOffset = this.#position;
  }

  /** Stands on the next record to read; false at the end of what was fetched, the position then being behind all of it. */
  #next(): boolean {
    if (this.#pending) return true;
    for (;;) {
      if (this.#open) {
        if (!this.#cursor.next()) this.#open = false;
        else if (BigInt(this.#cursor.offset) >= this.#position) return true;
        continue;
      }
      const chunk = this.#chunks[0];
      if (chunk === undefined) return false;
      const next = chunk.batches[this.#batch];
      if (next === undefined) {
        this.#chunks.shift();
        this.#batch = 0;
        this.#bytes -= chunk.bytes;
        if (chunk.nextOffset > this.#position) this.#position = chunk.nextOffset;
        continue;
      }
      this.#batch += 1;
      this.#cursor.open(next);
      this.#open = true;
    }
  }

  #read(batch: SinkBatch): void {
    const { keySerde, valueSerde, topic } = this.#source;
    const cursor = this.#cursor;
    const keyBytes = cursor.keyBytes();
    const valueBytes = cursor.valueBytes();
    const offset = BigInt(cursor.offset);
    const { timestamp } = cursor;
    try {
      const key = keyBytes === null ? null : keySerde.deserialize(keyBytes);
      const value = valueBytes === null ? null : valueSerde.deserialize(valueBytes);
      batch.records.push({ offset, timestamp, key, value, keyBytes, valueBytes });
    } catch (cause) {
      if (cause instanceof NotReadyError) throw cause;
      const record = { offset, timestamp, key: null, value: null, keyBytes, valueBytes };
      const error =
        cause instanceof RecordError
          ? cause
          : new RecordError('SLC_RECORD_DECODE', `reading ${topic} at offset ${offset}: ${String(cause)}`, { cause });
      batch.dead.push({ record, error });
    }
    batch.bytes += (keyBytes?.length ?? 0) + (valueBytes?.length ?? 0);
  }
}
