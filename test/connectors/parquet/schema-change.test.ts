/** A schema that changed: old and new files are one table for DuckDB and for our reader, merges keep them apart, and what does not go together is refused. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test, type TestContext } from 'node:test';
import { ConnectorError, type SinkPartition, type SinkRecord } from '#topology';
import { columnsOf } from '../../../connectors/parquet/columns.ts';
import { readRowGroups } from '../../../connectors/parquet/hyparquet.ts';
import { lakeFiles, readLake } from '../../../connectors/parquet/index.ts';
import { makeLake, makeSink, parquet, type TestLake, topic } from './harness.ts';

const decimal = (precision: number, scale = 2) => ({ type: 'bytes', logicalType: 'decimal', precision, scale });
const record = (fields: readonly (readonly [string, unknown, unknown?])[], name = 'Numbers') => ({
  type: 'record',
  name,
  fields: fields.map(([field, type, value]) => ({
    name: field,
    type,
    ...(value !== undefined && { default: value }),
  })),
});
const before = record([
  ['id', 'int'],
  ['gone', ['null', 'string']],
  ['price', decimal(9)],
  ['half', 'float'],
  [
    'after',
    [
      'null',
      record(
        [
          ['sku', 'int'],
          ['old', 'string'],
        ],
        'Row',
      ),
    ],
  ],
  ['tags', { type: 'array', items: 'int' }],
]);
const after = record([
  ['id', 'long'],
  ['price', decimal(30)],
  ['half', 'double'],
  [
    'after',
    [
      'null',
      record(
        [
          ['sku', 'long'],
          ['fresh', ['null', decimal(4)]],
        ],
        'Row',
      ),
    ],
  ],
  ['tags', { type: 'array', items: 'long' }],
  ['country', 'string', 'unknown'],
]);
const TIME = Date.UTC(2026, 6, 1, 12);
const key = { type: 'record', name: 'Key', fields: [{ name: 'id', type: 'long' }] };
const at = (offset: number, value: unknown): SinkRecord => ({
  offset: BigInt(offset),
  timestamp: TIME,
  key: { id: offset },
  value,
});
const oldRow = (n: number) => ({ id: n, gone: 'g', price: -5n, half: 0.5, after: { sku: n, old: 'o' }, tags: [n] });
const newRow = {
  id: Number.MAX_SAFE_INTEGER,
  price: 10n ** 29n,
  half: 0.1,
  after: { sku: Number.MAX_SAFE_INTEGER, fresh: 1n },
  tags: [Number.MAX_SAFE_INTEGER],
  country: 'DE',
};

async function claimOf(lake: TestLake, schema: unknown, fanIn = 1_000): Promise<SinkPartition> {
  return await makeSink(lake.root, { schemaFor: () => ({ schema, key }), merge: { fanIn } }).claim(topic, 0);
}

async function lakeWith(t: TestContext, schema: unknown, rows: readonly unknown[]): Promise<TestLake> {
  const lake = await makeLake();
  t.after(() => lake.close());
  const claim = await claimOf(lake, schema);
  for (const [i, row] of rows.entries()) await claim.write([at(i, row)], BigInt(i + 1));
  await claim.close();
  return lake;
}

test('fields added and removed, types promoted: one table, before and after merges', async (t) => {
  const lake = await lakeWith(t, before, [oldRow(0), oldRow(1), null, oldRow(3), oldRow(4)]);
  const claim = await claimOf(lake, after, 4);
  for (let i = 5; i < 13; i += 1) await claim.write([at(i, i === 7 ? null : newRow)], BigInt(i + 1));
  const rows = async () =>
    await lake.query(
      `select id::text as id, gone, price::text as price, half, after::text as after, tags::text as tags, country, _tombstone, _key.id::integer as key
       from ${parquet(await lakeFiles(lake.root, topic))} order by _offset`,
    );
  const check = async (): Promise<void> => {
    const all = await rows();
    assert.equal(all.length, 13);
    assert.deepEqual(
      all.map((row) => row['key']),
      all.map((_, i) => i),
    );
    assert.deepEqual(all[1], {
      id: '1',
      gone: 'g',
      price: '-0.05',
      half: 0.5,
      after: "{'sku': 1, 'old': o, 'fresh': NULL}",
      tags: '[1]',
      country: null,
      _tombstone: false,
      key: 1,
    });
    assert.deepEqual(all[6], {
      id: '9007199254740991',
      gone: null,
      price: `1${'0'.repeat(27)}.00`,
      half: 0.1,
      after: "{'sku': 9007199254740991, 'old': NULL, 'fresh': 0.01}",
      tags: '[9007199254740991]',
      country: 'DE',
      _tombstone: false,
      key: 6,
    });
    assert.deepEqual([all[2]?.['_tombstone'], all[7]?.['_tombstone']], [true, true]);
  };
  const deadline = Date.now() + 10_000;
  const files = async (): Promise<number> => (await lakeFiles(lake.root, topic)).length;
  // Eight new ones become two, and those two stay: they are of the next level. The five old ones are of another schema.
  while ((await files()) > 5 + 2) {
    assert.ok(Date.now() < deadline, `${await files()} files`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await check();
  assert.equal((await readLake(lake.root, topic))[0]?.rows, 13);
  await claim.close();

  const [oldest = ''] = await lakeFiles(lake.root, topic);
  const columns = columnsOf(topic, after, key);
  for await (const { data, rows } of readRowGroups(await readFile(oldest), columns, 10)) {
    assert.equal(rows, 1);
    const row = Object.fromEntries(columns.map(({ name }, i) => [name, data[i]?.[0]]));
    const { id, price, half, after: inner, tags, country } = row;
    assert.deepEqual(
      { id, price, half, inner, tags, country },
      { id: 0n, price: -5n, half: 0.5, inner: { sku: 0n, fresh: null }, tags: [0n], country: null },
    );
  }
});

describe('what does not go together', () => {
  const cases: readonly (readonly [string, unknown, unknown, RegExp])[] = [
    ['text for a number', 'long', 'string', /: a was long and is string$/],
    ['a long that becomes a double', 'long', 'double', /a was long and is double/],
    ['a long that becomes an int', 'long', 'int', /a was long and is int/],
    ['another scale', decimal(9, 2), decimal(18, 3), /a was decimal\(9, 2\) and is decimal\(18, 3\)/],
    ['fewer digits', decimal(9), decimal(8), /a was decimal\(9, 2\) and is decimal\(8, 2\)/],
    ['a record for a number', 'long', record([['x', 'long']], 'R'), /a was long and is a record/],
    ['within a record', record([['x', 'long']], 'R'), record([['x', 'boolean']], 'R'), /a\.x was long and is boolean/],
    ['within a list', { type: 'array', items: 'string' }, { type: 'array', items: 'long' }, /a\[\] was string/],
    ['a time for a number', 'long', { type: 'long', logicalType: 'timestamp-millis' }, /a was long and is timestamp/],
    ['another size', { type: 'fixed', name: 'F', size: 4 }, { type: 'fixed', name: 'F', size: 8 }, /a was 4 bytes/],
  ];
  for (const [what, old, now, message] of cases) {
    test(what, async (t) => {
      const lake = await lakeWith(t, record([['a', ['null', old]]]), [{ a: null }]);
      const refused = async (schema: unknown): Promise<void> =>
        await assert.rejects(claimOf(lake, schema), (error: unknown) => {
          assert.ok(error instanceof ConnectorError && error.code === 'SLC_PARQUET_SCHEMA', String(error));
          assert.match(error.message, message);
          assert.match(error.message, /gold\.numbers/);
          return true;
        });
      await refused(record([['a', ['null', now]]]));
      // A schema in between that lacks the field does not make it forgotten.
      const between = await claimOf(lake, record([['b', 'string']]));
      await between.write([at(1, { b: 'x' })], 2n);
      await between.close();
      await refused(record([['a', ['null', now]]]));
      assert.equal((await readLake(lake.root, topic))[0]?.nextOffset, 2n);
      await (await claimOf(lake, record([['a', ['null', old]]]))).close();
    });
  }

  test('a key of another type', async (t) => {
    const lake = await lakeWith(t, before, [oldRow(0)]);
    const sink = makeSink(lake.root, { schemaFor: () => ({ schema: before, key: 'text' }) });
    await assert.rejects(sink.claim(topic, 0), /_key was a record and is string/);
  });
});
