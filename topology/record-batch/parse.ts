import { RetriableError } from '../errors.ts';
import { BATCH_HEADER_BYTES } from './builder.ts';
import { inflateBatch } from './compression.ts';
import { crc32c } from './crc32c.ts';
import type { RecordBatch } from './cursor.ts';

/** A transaction that the broker says was aborted: it began at `firstOffset`. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What a fetch response holds for one partition. */
export interface ParsedFetch {
  readonly batches: RecordBatch[];
  /** Behind the last whole batch, data or not; the fetch offset when there was none. */
  readonly nextOffset: bigint;
}

const CONTROL = 32;
const TRANSACTIONAL = 16;
const ABORT = 0;

/**
 * Splits the bytes of a fetch response into data batches. Aborted transactions are left out: one begins at its first offset and ends at the abort
 * marker of its producer. Control batches are never handed over but move the position. A partial batch at the end is ignored. RetriableError
 * SLC_BROKER_CORRUPT_BATCH when a checksum is wrong.
 */
export function parseFetched(
  bytes: Buffer,
  fromOffset: bigint,
  abortedTransactions: readonly AbortedTransaction[],
): ParsedFetch {
  const aborted = abortedTransactions.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const open = new Set<bigint>();
  const batches: RecordBatch[] = [];
  let nextAborted = 0;
  let nextOffset = fromOffset;
  for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length;) {
    const length = bytes.readInt32BE(at + 8);
    if (length < BATCH_HEADER_BYTES - 12) {
      throw new RetriableError('SLC_BROKER_CORRUPT_BATCH', `a batch behind offset ${nextOffset} has length ${length}`);
    }
    const end = at + 12 + length;
    if (end > bytes.length) break;
    const batch = bytes.subarray(at, end);
    at = end;
    const baseOffset = batch.readBigInt64BE(0);
    const lastOffset = baseOffset + BigInt(batch.readInt32BE(23));
    if (lastOffset < fromOffset) continue;
    const attributes = batch.readInt16BE(21);
    const producerId = batch.readBigInt64BE(43);
    verify(batch, baseOffset);
    nextOffset = lastOffset + 1n;
    for (
      let next = aborted[nextAborted];
      next !== undefined && next.firstOffset <= lastOffset;
      next = aborted[++nextAborted]
    ) {
      open.add(next.producerId);
    }
    if ((attributes & CONTROL) !== 0) {
      if (markerType(batch) === ABORT) open.delete(producerId);
      continue;
    }
    if ((attributes & TRANSACTIONAL) !== 0 && open.has(producerId)) continue;
    const count = batch.readInt32BE(57);
    // A compacted batch may be empty.
    if (count > 0) batches.push({ buffer: inflateBatch(batch), baseOffset, lastOffset, count, fromOffset });
  }
  return { batches, nextOffset };
}

function verify(batch: Buffer, baseOffset: bigint): void {
  if (batch[16] !== 2) {
    throw new RetriableError(
      'SLC_BROKER_CORRUPT_BATCH',
      `the batch at offset ${baseOffset} has format ${batch[16]}, not 2`,
    );
  }
  if (crc32c(batch, 21, batch.length) !== batch.readUInt32BE(17)) {
    throw new RetriableError('SLC_BROKER_CORRUPT_BATCH', `the batch at offset ${baseOffset} has a wrong checksum`, {
      hint: 'a disk or a network changes bytes; the batch is fetched again',
    });
  }
}

/** A control record: length, attributes, timestamp, offset (varints), key length, key = version i16 | type i16. */
function markerType(batch: Buffer): number {
  let at = BATCH_HEADER_BYTES;
  const skipVarint = (): void => {
    while (((batch[at++] as number) & 128) !== 0);
  };
  skipVarint();
  at++;
  for (let i = 0; i < 3; i++) skipVarint();
  return batch.readInt16BE(at + 2);
}
