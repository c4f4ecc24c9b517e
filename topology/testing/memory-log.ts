import { BatchBuilder, parseFetched, type RecordBatch, RecordCursor } from '../record-batch.ts';

/** The log of one partition in memory, as the test driver needs it: committed batches only, real record batch bytes. */
export class MemoryLog {
  readonly #batches: RecordBatch[] = [];
  #end = 0n;

  /** Offset of the next record. */
  get end(): bigint {
    return this.#end;
  }

  /** Appends a batch; returns the offset of its first record. */
  append(builder: BatchBuilder): bigint {
    const baseOffset = this.#end;
    const bytes = Buffer.from(builder.seal(-1n, -1, -1, false));
    bytes.writeBigInt64BE(baseOffset, 0);
    const { batches } = parseFetched(bytes, baseOffset, []);
    this.#batches.push(...batches);
    this.#end = baseOffset + BigInt(builder.count);
    return baseOffset;
  }

  /** A hole, as transaction markers and aborted records leave: nobody sees it, but positions move over it. */
  skip(): void {
    this.#end++;
  }

  /** A hole up to an offset; none when the log ends behind it. */
  skipTo(offset: bigint): void {
    if (offset > this.#end) this.#end = offset;
  }

  /** Batches that hold records at or after `offset`, at most `max` of them. */
  from(offset: bigint, max: number): RecordBatch[] {
    const first = this.#batches.findIndex((batch) => batch.lastOffset >= offset);
    return first < 0 ? [] : this.#batches.slice(first, first + max);
  }

  /** All records, for assertions and restores. */
  *records(): Generator<{ key: Buffer | null; value: Buffer | null; timestamp: number; cursor: RecordCursor }> {
    const cursor = new RecordCursor();
    for (const batch of this.#batches) {
      cursor.open(batch);
      while (cursor.next())
        yield { key: cursor.keyBytes(), value: cursor.valueBytes(), timestamp: cursor.timestamp, cursor };
    }
  }
}
