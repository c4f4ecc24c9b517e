import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import avsc, { type Type } from 'avsc';
import * as fc from 'fast-check';
import { NotReadyError, RecordError, type Schema, type Serde } from '#topology';
import { schemas } from '#schemas';
import { bytesToDecimal, decimalToBytes, valueOptions } from '../../../connectors/avro/logical-types.ts';
import { MemoryRegistry, testSerdes } from '../../../connectors/avro/testing.ts';

const seed = Number(process.env['SLUICE_SEED'] ?? Date.now() % 2 ** 31);

/** Values of a type as its TypeScript says, edges included. */
function arbitrary(type: Type): fc.Arbitrary<unknown> {
  const { types } = avsc;
  if (type instanceof types.RecordType) {
    return fc
      .record(Object.fromEntries(type.fields.map((field) => [field.name, arbitrary(field.type)])))
      .map((record) => ({ ...record }));
  }
  if (type instanceof types.UnwrappedUnionType) return fc.oneof(...type.types.map(arbitrary));
  if (type.typeName === 'logical:decimal') {
    const limit =
      10n ** BigInt((type.schema({ exportAttrs: true }) as unknown as { precision: number }).precision) - 1n;
    return fc.bigInt({ min: -limit, max: limit });
  }
  if (type.typeName === 'logical:uuid') return fc.uuid();
  if (type instanceof types.StringType) return fc.string({ unit: 'grapheme' });
  if (type instanceof types.LongType) return fc.maxSafeInteger().map((value) => Math.trunc(value / 2) + 0);
  if (type instanceof types.IntType) return fc.integer();
  if (type instanceof types.DoubleType) return fc.double({ noNaN: true });
  if (type instanceof types.BooleanType) return fc.boolean();
  if (type instanceof types.NullType) return fc.constant(null);
  throw new Error(`no values for ${type.typeName}`);
}

const record = (fields: object[], name = 'R'): Schema<never> => ({
  name: `test.${name}`,
  definition: { type: 'record', name, fields },
});

async function pair(writer: Schema<never>, reader: Schema<never>): Promise<[Serde<unknown>, Serde<unknown>]> {
  const factory = testSerdes(new MemoryRegistry());
  const write = await factory.open('s', writer, { write: true });
  const read = await factory.open('s', reader, { write: false });
  return [write, read];
}

/** Deserializes as the engine does: what is not ready is waited for. */
async function read<T>(serde: Serde<T>, bytes: Uint8Array): Promise<T> {
  try {
    return serde.deserialize(bytes);
  } catch (error) {
    if (!(error instanceof NotReadyError)) throw error;
    await error.ready;
    return serde.deserialize(bytes);
  }
}

const code =
  (expected: string, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof RecordError, String(error));
    assert.equal(error.code, expected);
    assert.match(error.message, message);
    return true;
  };

describe('AvroSerde', () => {
  for (const schema of Object.values(schemas) as Schema<never>[]) {
    it(`${schema.name}: any value comes back as it was`, async () => {
      const serde: Serde<unknown> = await testSerdes().open('s', schema, { write: true });
      const definition = structuredClone(schema.definition) as Parameters<typeof avsc.Type.forSchema>[0];
      const values = arbitrary(avsc.Type.forSchema(definition, valueOptions()));
      const property = fc.property(values, (value) =>
        assert.deepEqual(serde.deserialize(serde.serialize(value)), value),
      );
      fc.assert(property, { seed, numRuns: 200 });
    });
  }

  it('writes Confluent framing: 0, the id, then bare Avro', async () => {
    const serde: Serde<unknown> = await testSerdes().open('s', record([{ name: 'a', type: 'long' }]), { write: true });
    assert.deepEqual([...serde.serialize({ a: 3 })], [0, 0, 0, 0, 1, 6]);
  });

  it('hands out bytes that later calls leave alone', async () => {
    const serde: Serde<unknown> = await testSerdes().open('s', record([{ name: 'a', type: 'string' }]), {
      write: true,
    });
    const first = serde.serialize({ a: 'first' });
    serde.serialize({ a: 'x'.repeat(100_000) });
    assert.deepEqual(serde.deserialize(first), { a: 'first' });
  });

  it('reads and writes over a change of schema', async () => {
    const v1 = record([{ name: 'a', type: 'int' }]);
    const v2 = record([
      { name: 'a', type: 'long' },
      { name: 'b', type: ['null', 'string'], default: null },
    ]);
    const [old, neu] = await pair(v1, v2);
    assert.deepEqual(await read(neu, old.serialize({ a: 1 })), { a: 1, b: null });
    const [neuWriter, oldReader] = await pair(
      record([
        { name: 'a', type: 'int' },
        { name: 'b', type: 'string' },
      ]),
      v1,
    );
    assert.deepEqual(await read(oldReader, neuWriter.serialize({ a: 1, b: 'x' })), { a: 1 });
  });

  it('reads what Debezium writes: other namespaces, plain numbers for times', async () => {
    const time = { type: 'long', 'connect.name': 'io.debezium.time.Timestamp' };
    const foreign = {
      name: 'x',
      definition: { type: 'record', name: 'R', namespace: 'dbserver1.shop', fields: [{ name: 'at', type: time }] },
    };
    const [write, reader] = await pair(
      foreign,
      record([{ name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } }]),
    );
    assert.deepEqual(await read(reader, write.serialize({ at: 5 })), { at: 5 });
  });

  const decimal = (scale: number): object => ({ type: 'bytes', logicalType: 'decimal', precision: 10, scale });
  const millis = { type: 'long', logicalType: 'timestamp-millis' };
  const unreadable: [string, unknown, unknown, unknown][] = [
    ['another scale', decimal(2), decimal(3), 1n],
    ['bytes for a decimal', 'bytes', decimal(2), Buffer.from([1])],
    ['microseconds for milliseconds', { type: 'long', logicalType: 'timestamp-micros' }, millis, 1],
    ["Debezium's microseconds", { type: 'long', 'connect.name': 'io.debezium.time.MicroTimestamp' }, millis, 1],
    ['microseconds in a union', ['null', { type: 'long', logicalType: 'timestamp-micros' }], ['null', millis], 1],
    ['text for a number', 'string', 'long', 'x'],
  ];
  for (const [what, written, wanted, value] of unreadable) {
    it(`does not read ${what}`, async () => {
      const [write, reader] = await pair(record([{ name: 'a', type: written }]), record([{ name: 'a', type: wanted }]));
      await assert.rejects(read(reader, write.serialize({ a: value })), code('SLC_RECORD_SCHEMA_INCOMPATIBLE'));
    });
  }

  it('refuses bytes that are no value, and never reads too far', async () => {
    const serde: Serde<unknown> = await testSerdes().open(
      's',
      record([
        { name: 'a', type: 'string' },
        { name: 'b', type: decimal(2) },
      ]),
      { write: true },
    );
    const good = serde.serialize({ a: 'text', b: 12345n });
    const bad = [
      Buffer.alloc(0),
      good.subarray(0, 4),
      Buffer.concat([Buffer.from([1]), good.subarray(1)]),
      Buffer.concat([good, Buffer.from([0])]),
      ...Array.from({ length: good.length - 5 }, (_, index) => good.subarray(0, 5 + index)),
    ];
    for (const bytes of bad) assert.throws(() => serde.deserialize(bytes), code('SLC_RECORD_DECODE'));
    const noise = fc.property(fc.uint8Array({ maxLength: 40 }), (tail) => {
      try {
        serde.deserialize(Buffer.concat([good.subarray(0, 5), tail]));
      } catch (error) {
        code('SLC_RECORD_DECODE')(error);
      }
    });
    fc.assert(noise, { seed, numRuns: 500 });
  });

  it('reads no long that a number does not hold exactly', async () => {
    const serde: Serde<unknown> = await testSerdes().open('s', record([{ name: 'a', type: 'long' }]), { write: true });
    const longs = fc.property(
      fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n })),
      (value) => {
        const bytes = Buffer.from([0, 0, 0, 0, 1, ...varint(value)]);
        const exact = value >= -(2n ** 52n) && value < 2n ** 52n;
        if (exact) assert.deepEqual(serde.deserialize(bytes), { a: Number(value) });
        else assert.throws(() => serde.deserialize(bytes), code('SLC_RECORD_DECODE'));
      },
    );
    fc.assert(longs, {
      seed,
      numRuns: 1000,
      examples: [[2n ** 52n], [2n ** 52n - 1n], [-(2n ** 52n)], [-(2n ** 52n) - 1n]],
    });
  });

  const wrong: [string, object, RegExp][] = [
    ['a text for a long', { ...good(), at: '5' }, /at is no long/],
    ['a fraction', { ...good(), at: 1.5 }, /at is no long/],
    ['a number that is not exact', { ...good(), at: 2 ** 52 }, /at is no long/],
    [
      'too many digits',
      { ...good(), in: { price: 10n ** 10n } },
      /in\.price is no decimal \(a decimal with more than 10 digits\)/,
    ],
    [
      'a number for a decimal',
      { ...good(), in: { price: 5 } },
      /in\.price is no decimal \(a decimal is a bigint, not a number\)/,
    ],
    ['no uuid', { ...good(), id: 'secret' }, /id is no uuid/],
    ['a missing field', { ...good(), id: undefined }, /id is no uuid/],
  ];
  for (const [what, value, message] of wrong) {
    it(`refuses to write ${what}, naming the place and no value`, async () => {
      const serde: Serde<unknown> = await testSerdes().open(
        's',
        record([
          { name: 'at', type: millis },
          { name: 'id', type: { type: 'string', logicalType: 'uuid' } },
          { name: 'in', type: { type: 'record', name: 'In', fields: [{ name: 'price', type: decimal(2) }] } },
        ]),
        { write: true },
      );
      assert.throws(() => serde.serialize(value), code('SLC_RECORD_ENCODE', message));
      assert.throws(
        () => serde.serialize(value),
        (error: Error) => !error.message.includes('secret'),
      );
      serde.serialize(good());
    });
  }

  it('refuses what does not fit into a batch, and writes to a topic opened for reading', async () => {
    const schema = record([{ name: 'a', type: 'string' }]);
    const serde: Serde<unknown> = await testSerdes().open('s', schema, { write: true });
    assert.equal(serde.serialize({ a: 'x'.repeat(899_000) }).length, 899_000 + 5 + 3);
    assert.throws(() => serde.serialize({ a: 'x'.repeat(900_000) }), code('SLC_RECORD_TOO_LARGE'));
    const reader: Serde<unknown> = await testSerdes().open('s', schema, { write: false });
    assert.throws(() => reader.serialize({ a: '' }), { code: 'SLC_BUG_SERDE_READ_ONLY' });
  });

  it('refuses a schema that is none', async () => {
    const broken = { name: 'x', definition: { type: 'record', name: 'X' } } as Schema<never>;
    await assert.rejects(testSerdes().open('s', broken, { write: true }), { code: 'SLC_CONFIG_SCHEMA_INVALID' });
  });
});

/** Avro's long, computed exactly. */
function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value < 0n ? -value * 2n - 1n : value * 2n;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

function good(): { at: number; id: string; in: { price: bigint } } {
  return { at: 5, id: '0f8fad5b-d9cb-469f-a165-70867728950e', in: { price: -1n } };
}

describe('decimalToBytes', () => {
  it('is the shortest two’s complement, as Java’s BigInteger', () => {
    const cases: [bigint, number[]][] = [
      [0n, [0]],
      [127n, [0x7f]],
      [128n, [0, 0x80]],
      [-128n, [0x80]],
      [-129n, [0xff, 0x7f]],
      [2n ** 63n, [0, 0x80, 0, 0, 0, 0, 0, 0, 0]],
    ];
    for (const [value, bytes] of cases) assert.deepEqual([...decimalToBytes(value)], bytes);
    assert.deepEqual([...decimalToBytes(-2n, 4)], [0xff, 0xff, 0xff, 0xfe]);
    assert.throws(() => decimalToBytes(200n, 1), /does not fit/);
    const inverse = fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (value) => {
      assert.equal(bytesToDecimal(decimalToBytes(value)), value);
      assert.equal(bytesToDecimal(decimalToBytes(value, 20)), value);
    });
    fc.assert(inverse, { seed });
  });
});
