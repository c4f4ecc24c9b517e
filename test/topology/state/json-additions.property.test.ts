/** Random values are written and read as by JSON's own replacer and reviver, which say what is meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { decodeValue, valueToText } from '../../../topology/state/value-codec.ts';
import { randomOf } from '../../random.ts';

const { seed } = randomOf('json-additions');

const replaced = (value: unknown): string =>
  JSON.stringify(value, (_key, held: unknown) => {
    if (typeof held === 'bigint') return { $bigint: String(held) };
    return typeof held === 'number' && !Number.isFinite(held) ? { $number: String(held) } : held;
  });

const revived = (text: string): unknown =>
  JSON.parse(text, (_key, held: unknown) => {
    if (typeof held !== 'object' || held === null) return held;
    if ('$bigint' in held) return BigInt(held.$bigint as string);
    return '$number' in held ? Number(held.$number) : held;
  });

class Row {
  readonly amount: bigint;
  constructor(amount: bigint) {
    this.amount = amount;
  }
}

/** Writes itself. */
const selfish = (n: bigint): object => ({ toJSON: () => ({ n }) });
const keys = fc.oneof(fc.string(), fc.constantFrom('__proto__', '$', '$big', 'a', 'toString'));
const { tree: values } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    fc.oneof(
      fc.bigInt(),
      fc.double(),
      fc.integer(),
      fc.string(),
      fc.boolean(),
      fc.constantFrom(null, undefined, '"$', NaN, -Infinity, -0),
      fc.bigInt().map((n) => new Row(n)),
      fc.bigInt().map(selfish),
    ),
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.dictionary(keys, tie('tree'), { maxKeys: 6 }),
  ),
}));

test('values with bigints and infinities at any place, in objects of any kind', () => {
  fc.assert(
    fc.property(values, (value) => {
      fc.pre(value !== undefined);
      const before = replaced(value);
      const text = valueToText(value);
      assert.equal(text, before);
      assert.deepEqual(decodeValue(Buffer.from(text)), revived(text));
      assert.equal(replaced(value), before, 'the value itself is as it was');
    }),
    { numRuns: 2_000, seed },
  );
});

test('what is refused inside of others is refused beside bigints, too; a cycle is an error', () => {
  for (const lossy of [new Map(), new Set(), new Date(0), Buffer.from('x'), { $bigint: '1' }, { $number: 1 }]) {
    assert.throws(() => valueToText({ n: 1n, list: [{ lossy }] }), { code: 'SLC_RECORD_ENCODE' });
  }
  const cycle: Record<string, unknown> = { n: 1n };
  cycle['again'] = [cycle];
  assert.throws(() => valueToText(cycle));
  let deep: unknown = 7n;
  for (let i = 0; i < 300; i++) deep = [deep];
  assert.deepEqual(decodeValue(Buffer.from(valueToText(deep))), deep);
});
