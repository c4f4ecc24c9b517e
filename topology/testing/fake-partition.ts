import { BATCH_HEADER_BYTES, type BatchBuilder, parseFetched, RecordCursor } from '../record-batch.ts';
import { crc32c } from '../record-batch/crc32c.ts';
import type { FetchedRecords } from '../runtime/kafka-client.ts';
import type { TopicPartition } from '../record.ts';

interface Written {
  readonly bytes: Buffer;
  readonly base: bigint;
  readonly last: bigint;
}

interface Aborted {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
}

const CONTROL_AND_TRANSACTIONAL = 48;

/** The log of one partition of a fake broker, with transaction markers and a last stable offset. */
export class FakePartition {
  readonly #log: Written[] = [];
  readonly #aborted: Aborted[] = [];
  /** First offset of every transaction that is open here. */
  readonly #open = new Map<bigint, bigint>();
  #start = 0n;
  #end = 0n;

  get start(): bigint {
    return this.#start;
  }

  end(committed: boolean): bigint {
    if (!committed || this.#open.size === 0) return this.#end;
    return [...this.#open.values()].reduce((a, b) => (a < b ? a : b));
  }

  get sizeBytes(): number {
    return this.#log.reduce((sum, { bytes, last }) => (last < this.#start ? sum : sum + bytes.length), 0);
  }

  /** First offset whose timestamp (ms) is at least that, whatever became of its transaction, as Kafka answers. */
  firstSince(timestamp: number): bigint | undefined {
    const cursor = new RecordCursor();
    for (const { bytes, last } of this.#log) {
      if (last < this.#start) continue;
      for (const batch of parseFetched(bytes, this.#start, []).batches) {
        cursor.open(batch);
        while (cursor.next()) if (cursor.timestamp >= timestamp) return BigInt(cursor.offset);
      }
    }
    return undefined;
  }

  /** Appends a batch and returns its first offset. `producerId` -1n: no transaction. */
  append(batch: BatchBuilder, producerId: bigint, transactional: boolean): bigint {
    const bytes = Buffer.from(batch.seal(producerId, 0, 0, transactional));
    if (transactional && !this.#open.has(producerId)) this.#open.set(producerId, this.#end);
    return this.#write(bytes, batch.count);
  }

  /** Ends a producer's transaction here with a marker. */
  endTransaction(producerId: bigint, committed: boolean): void {
    const firstOffset = this.#open.get(producerId);
    if (firstOffset === undefined) return;
    this.#open.delete(producerId);
    if (!committed) this.#aborted.push({ producerId, firstOffset, lastOffset: this.#end });
    this.#write(markerOf(producerId, committed), 1);
  }

  /** The start never goes back. */
  deleteBefore(offset: bigint): void {
    const start = offset > this.#end ? this.#end : offset;
    if (start > this.#start) this.#start = start;
  }

  /** What a fetch brings; undefined when the offset is not in the log. */
  fetch(tp: TopicPartition, offset: bigint, committed: boolean, maxBytes: number): FetchedRecords | undefined {
    if (offset < this.#start || offset > this.#end) return undefined;
    const endOffset = this.end(committed);
    const taken: Buffer[] = [];
    let size = 0;
    for (let i = this.#firstAt(offset); i < this.#log.length; i++) {
      const { bytes, base } = this.#log[i] as Written;
      if (base >= endOffset || (size > 0 && size + bytes.length > maxBytes)) break;
      taken.push(bytes);
      size += bytes.length;
    }
    const aborted = committed ? this.#aborted.filter(({ lastOffset }) => lastOffset >= offset) : [];
    const { batches, nextOffset } = parseFetched(Buffer.concat(taken), offset, aborted);
    return { topic: tp.topic, partition: tp.partition, batches, nextOffset, endOffset, bytes: size };
  }

  /** Index of the first batch that ends at or after an offset: all before it are older. */
  #firstAt(offset: bigint): number {
    let [low, high] = [0, this.#log.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#log[middle] as Written).last < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #write(bytes: Buffer, count: number): bigint {
    const base = this.#end;
    bytes.writeBigInt64BE(base, 0);
    this.#end = base + BigInt(count);
    this.#log.push({ bytes, base, last: this.#end - 1n });
    return base;
  }
}

/** A control batch as Kafka writes it: one record, key = version int16, type int16 (0 abort, 1 commit). */
function markerOf(producerId: bigint, committed: boolean): Buffer {
  const key = Buffer.from([0, 0, 0, committed ? 1 : 0]);
  const record = Buffer.concat([Buffer.from([0, 0, 0, key.length * 2]), key, Buffer.from([12, 0, 0, 0, 0, 0, 0, 0])]);
  const bytes = Buffer.alloc(BATCH_HEADER_BYTES + 1 + record.length);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes[16] = 2;
  bytes.writeInt16BE(CONTROL_AND_TRANSACTIONAL, 21);
  bytes.writeBigInt64BE(producerId, 43);
  bytes.writeInt32BE(1, 57);
  bytes[BATCH_HEADER_BYTES] = record.length * 2;
  record.copy(bytes, BATCH_HEADER_BYTES + 1);
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17);
  return bytes;
}
