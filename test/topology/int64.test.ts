/** Numbers as i64 bytes, against BigInt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { writeInt64, writeSortableInt64 } from '../../topology/int64.ts';

const VALUES = [
  0,
  1,
  -1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  -(2 ** 32),
  -(2 ** 32) - 1,
  1_780_272_000_000,
  2 ** 53 - 1,
  -(2 ** 53 - 1),
];

test('the bytes are those of BigInt', () => {
  for (const value of VALUES) {
    const [wanted, found] = [Buffer.alloc(8), Buffer.alloc(8)];
    wanted.writeBigInt64BE(BigInt(value));
    writeInt64(found, value, 0);
    assert.deepEqual(found, wanted, String(value));
  }
});

test('sortable bytes sort as the numbers do', () => {
  const bytes = VALUES.map((value) => {
    const buffer = Buffer.alloc(8);
    writeSortableInt64(buffer, value, 0);
    return { value, buffer };
  });
  const byBytes = bytes.toSorted((a, b) => Buffer.compare(a.buffer, b.buffer)).map(({ value }) => value);
  assert.deepEqual(
    byBytes,
    VALUES.toSorted((a, b) => a - b),
  );
});
