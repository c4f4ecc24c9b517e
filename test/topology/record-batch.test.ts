/** Fetched bytes: positions over what is not data, checksums. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BatchBuilder, parseFetched, RecordCursor, RetriableError } from '#topology';
import { crc32c } from '../../topology/record-batch/crc32c.ts';

const CONTROL = 32;
const TRANSACTIONAL = 16;

interface BatchOptions {
  readonly at: number;
  readonly values?: readonly string[];
  readonly producer?: number;
  readonly attributes?: number;
  /** Offsets that the batch had before compaction, its last one included. */
  readonly span?: number;
  readonly key?: Uint8Array;
}

function batchOf({ at, values = [], producer = 1, attributes = 0, span, key }: BatchOptions): Buffer {
  const builder = new BatchBuilder();
  for (const value of values) builder.append(key ?? null, Buffer.from(value), 1_000);
  const bytes = Buffer.from(builder.seal(BigInt(producer), 0, 0, false));
  bytes.writeBigInt64BE(BigInt(at), 0);
  bytes.writeInt16BE(attributes, 21);
  bytes.writeInt32BE((span ?? values.length) - 1, 23);
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17);
  return bytes;
}

/** Key of a control record: version, type (0 abort, 1 commit). */
const marker = (at: number, producer: number, type: 0 | 1): Buffer =>
  batchOf({ at, producer, attributes: CONTROL | TRANSACTIONAL, values: [''], key: Buffer.from([0, 0, 0, type]) });

function read(bytes: Buffer, from = 0, aborted: readonly (readonly [producer: number, first: number])[] = []) {
  const cursor = new RecordCursor();
  const { batches, nextOffset } = parseFetched(
    bytes,
    BigInt(from),
    aborted.map(([producer, first]) => ({ producerId: BigInt(producer), firstOffset: BigInt(first) })),
  );
  const values: string[] = [];
  for (const batch of batches) {
    cursor.open(batch);
    while (cursor.next()) values.push(cursor.valueBytes()?.toString() ?? '');
  }
  return { values, next: Number(nextOffset) };
}

describe('positions', () => {
  test('move over markers alone', () => {
    assert.deepEqual(read(Buffer.concat([marker(5, 1, 1), marker(6, 2, 0)]), 5), { values: [], next: 7 });
  });

  test('move over what was aborted, to the end of it', () => {
    const aborted = batchOf({ at: 0, attributes: TRANSACTIONAL, values: ['x', 'y'] });
    assert.deepEqual(read(Buffer.concat([aborted, marker(2, 1, 0)]), 0, [[1, 0]]), { values: [], next: 3 });
  });

  test('move over offsets that compaction took away: an empty batch, the end of one', () => {
    const empty = batchOf({ at: 0, span: 10 });
    const rest = batchOf({ at: 10, values: ['a'], span: 5 });
    assert.deepEqual(read(Buffer.concat([empty, rest])), { values: ['a'], next: 15 });
  });

  test('stay before a batch that has not come whole', () => {
    const whole = batchOf({ at: 0, values: ['a', 'b'] });
    const half = batchOf({ at: 2, values: ['c'] }).subarray(0, 40);
    assert.deepEqual(read(Buffer.concat([whole, half])), { values: ['a', 'b'], next: 2 });
  });

  test('within a batch: what lies before is not handed over again', () => {
    assert.deepEqual(read(batchOf({ at: 0, values: ['a', 'b', 'c'] }), 2), { values: ['c'], next: 3 });
  });
});

describe('aborted transactions', () => {
  test('of two producers, in the order in which they ended; a key of four zero bytes ends nothing', () => {
    const key = Buffer.from([0, 0, 0, 0]);
    const data = (at: number, producer: number, value: string): Buffer =>
      batchOf({ at, producer, attributes: TRANSACTIONAL, values: [value], key });
    const log = Buffer.concat([
      data(0, 1, 'aborted 1'),
      data(1, 2, 'aborted 2'),
      data(2, 1, 'aborted 1 too'),
      marker(3, 2, 0),
      data(4, 2, 'committed 2'),
      data(5, 1, 'still aborted 1'),
      marker(6, 1, 0),
      data(7, 1, 'committed 1'),
      marker(8, 1, 1),
      marker(9, 2, 1),
    ]);
    // The broker names them in the order of their ends.
    const aborted = [
      [2, 1],
      [1, 0],
    ] as const;
    assert.deepEqual(read(log, 0, aborted), { values: ['committed 2', 'committed 1'], next: 10 });
  });
});

test('a length that cannot be is noticed', () => {
  for (const length of [-1, 0, 48]) {
    const bad = batchOf({ at: 0, values: ['a'] });
    bad.writeInt32BE(length, 8);
    assert.throws(() => read(bad), { code: 'SLC_BROKER_CORRUPT_BATCH' });
  }
});

test('one wrong bit anywhere behind the checksum is noticed', () => {
  const good = batchOf({ at: 0, values: ['a', 'b'] });
  for (let at = 21; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x10;
    assert.throws(
      () => read(bad),
      (error) => error instanceof RetriableError && error.code === 'SLC_BROKER_CORRUPT_BATCH',
      `byte ${at}`,
    );
  }
});
