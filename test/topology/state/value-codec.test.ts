import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asBuffer, decodeValue, encodeValue } from '../../../topology/state/value-codec.ts';

const again = (value: unknown): unknown => decodeValue(asBuffer(encodeValue(value)));

test('values come back as they were', () => {
  const values = [
    0,
    -1.5,
    Infinity,
    -Infinity,
    'é',
    '$bigint',
    true,
    null,
    2n ** 70n,
    [],
    {},
    [[1n], { a: [{ b: 'x' }] }],
  ];
  for (const value of values) assert.deepEqual(again(value), value);
  assert.ok(Number.isNaN(again(Number.NaN)));
  assert.deepEqual(again({ at: Number.NEGATIVE_INFINITY, list: [3n, 'n'] }), { at: -Infinity, list: [3n, 'n'] });
});

test('what would come back as something else is refused, however deep', () => {
  const lossy = [new Map(), new Set([1]), new Date(0), Buffer.from('x'), new Uint8Array(2), () => 1, undefined];
  for (const value of lossy) {
    assert.throws(() => encodeValue(value), { code: 'SLC_RECORD_ENCODE' });
    if (typeof value === 'object') assert.throws(() => encodeValue({ deep: [value] }), { code: 'SLC_RECORD_ENCODE' });
  }
  assert.throws(() => encodeValue({ $bigint: 5 }), { code: 'SLC_RECORD_ENCODE' });
});

test("the engine's own names in text fields of a user's object are refused", () => {
  assert.throws(() => encodeValue({ $bigint: '5' }), { code: 'SLC_RECORD_ENCODE' });
  assert.throws(() => encodeValue({ $number: 'x', other: 1 }), { code: 'SLC_RECORD_ENCODE' });
});
