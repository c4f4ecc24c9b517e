/** Every type, as DuckDB reads it from the files; what a writer would lose is refused. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError, type SinkRecord, SinkRecordError } from '#topology';
import { lakeFiles, type ParquetSinkOptions } from '../../../connectors/parquet/index.ts';
import { decimal, empty, everything, full, item, key, lists, record, TOPIC } from './everything.ts';
import { makeLake, makeSink, parquet, type TestLake } from './harness.ts';

const sinkOf = (lake: TestLake, more: Partial<ParquetSinkOptions> = {}) =>
  makeSink(lake.root, {
    topics: [TOPIC],
    schemaFor: () => ({ schema: everything, key }),
    merge: { fanIn: 1_000 },
    ...more,
  });

/** Everything as text, since that shows types and each digit. */
const COLUMNS = `id::text as id, d9::text as d9, d18::text as d18, d38::text as d38, "windowStart"::text as ws, born::text as born,
  "eventId"::text as uuid, small, text, hex(raw) as raw, hex(four) as four, share, half, active, before::text as before, after::text as after,
  items::text as items, names::text as names, counts::text as counts, _topic, _partition, _offset::text as _offset, _timestamp::text as ts,
  _tombstone, _key.id::text as key`;
const TYPES = {
  id: 'BIGINT',
  d9: 'DECIMAL(9,2)',
  d18: 'DECIMAL(18,2)',
  d38: 'DECIMAL(38,5)',
  windowStart: 'TIMESTAMP WITH TIME ZONE',
  born: 'DATE',
  eventId: 'UUID',
  small: 'INTEGER',
  text: 'VARCHAR',
  raw: 'BLOB',
  four: 'BLOB',
  share: 'DOUBLE',
  half: 'FLOAT',
  active: 'BOOLEAN',
  before: 'STRUCT(sku BIGINT, note VARCHAR, tags BIGINT[])',
  after: 'STRUCT(sku BIGINT, note VARCHAR, tags BIGINT[])',
  items: 'STRUCT(sku BIGINT, note VARCHAR, tags BIGINT[])[]',
  names: 'VARCHAR[]',
  counts: 'MAP(VARCHAR, BIGINT)',
  _topic: 'VARCHAR',
  _partition: 'INTEGER',
  _offset: 'BIGINT',
  _timestamp: 'TIMESTAMP WITH TIME ZONE',
  _tombstone: 'BOOLEAN',
  _key: 'STRUCT(id BIGINT)',
};

async function checkValues(lake: TestLake): Promise<void> {
  const source = parquet(await lakeFiles(lake.root, TOPIC));
  const described = await lake.query(`describe select * exclude (filename) from ${source}`);
  assert.deepEqual(Object.fromEntries(described.map((row) => [row['column_name'], row['column_type']])), TYPES);
  const [first, second, third, tombstone] = await lake.query(`select ${COLUMNS} from ${source} order by _offset`);
  assert.deepEqual(first, {
    id: '9223372036854775807',
    d9: '-9999999.99',
    d18: '9999999999999999.99',
    d38: `-${'9'.repeat(33)}.99999`,
    ws: '2026-07-01 12:00:00.123+00',
    born: '1969-12-31',
    uuid: full.eventId,
    small: -(2 ** 31),
    text: full.text,
    raw: '005CFF',
    four: '010203FE',
    share: 0.1,
    half: 0.5,
    active: false,
    before: "{'sku': 9007199254740991, 'note': NULL, 'tags': [1, NULL, -9007199254740993]}",
    after: "{'sku': 1, 'note': '', 'tags': NULL}",
    items: "[{'sku': 1, 'note': x, 'tags': []}, {'sku': 2, 'note': NULL, 'tags': NULL}]",
    names: '[a, NULL]',
    counts: '{a=1, b=NULL}',
    _topic: TOPIC,
    _partition: 3,
    _offset: '0',
    ts: '2026-07-01 12:30:00.007+00',
    _tombstone: false,
    key: '0',
  });
  assert.equal(second?.['id'], '-9223372036854775808');
  for (const name of ['d18', 'born', 'text', 'active', 'before', 'after', 'items', 'names', 'counts']) {
    assert.equal(second?.[name], null, name);
  }
  assert.deepEqual(
    [third?.['id'], third?.['items'], third?.['names'], third?.['counts'], third?.['ws']],
    ['9007199254740993', '[]', '[]', '{}', '1969-12-31 23:59:59.999+00'],
  );
  const { _topic, _partition, _offset, ts: _time, _tombstone, key: itsKey, ...columns } = tombstone ?? {};
  assert.deepEqual([_offset, _tombstone, itsKey], ['3', true, '3']);
  for (const [name, value] of Object.entries(columns)) assert.equal(value, null, name);
}

test('every type comes back as it was, from files as written and from merged ones', async (t) => {
  const lake = await makeLake();
  t.after(() => lake.close());
  const sink = sinkOf(lake);
  await sink.open();
  const claim = await sink.claim(TOPIC, 3);
  for (const [offset, value] of [full, empty, lists, null].entries()) {
    await claim.write([record(BigInt(offset), value)], BigInt(offset + 1));
  }
  const files = await lakeFiles(lake.root, TOPIC);
  assert.equal(files.length, 4);
  assert.match(files[0] ?? '', /everything\/day=2026-07-01\/hour=12\/bronze\.test\.everything-3-0-0-1\.parquet$/);
  await checkValues(lake);
  await sink.close();

  const merging = sinkOf(lake, { merge: { fanIn: 4 } });
  await merging.claim(TOPIC, 3);
  const deadline = Date.now() + 10_000;
  while ((await lakeFiles(lake.root, TOPIC)).length > 1) {
    assert.ok(Date.now() < deadline, 'four files of an hour were not merged');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await checkValues(lake);
  await merging.close();
});

describe('what is refused', () => {
  const one = (name: string, type: unknown) => ({ type: 'record', name: 'One', fields: [{ name, type }] });
  const refuses = (schema: unknown, message: RegExp, more: Partial<ParquetSinkOptions> = {}): void => {
    assert.throws(
      () => makeSink('lake', { schemaFor: () => ({ schema, key: 'text' }), ...more }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError && error.code === 'SLC_CONFIG_PARQUET', String(error));
        assert.match(error.message, message);
        return true;
      },
    );
  };

  test('types without a column, names that are taken', () => {
    refuses('string', /no Avro record/);
    refuses(one('a', ['string', 'long']), /gold\.numbers\.a/);
    refuses(one('a', { type: 'long', logicalType: 'timestamp-micros' }), /gold\.numbers\.a/);
    refuses(one('a', ['null', 'One']), /gold\.numbers\.a/);
    refuses(one('_offset', 'long'), /column _offset .* is taken/);
    refuses(one('Day', 'long'), /column Day .* is taken/);
  });

  test('by parquetjs-lite: decimals, lists and maps, wherever they are', () => {
    const lite = { writer: 'parquetjs-lite' } as const;
    refuses(one('a', decimal(4, 2)), /cannot hold a of gold\.numbers: it has no decimals/, lite);
    refuses(one('a', ['null', { type: 'array', items: 'long' }]), /list that is null/, lite);
    refuses(one('a', { type: 'map', values: 'long' }), /no maps/, lite);
    refuses(one('a', ['null', item]), /cannot hold a\.tags/, lite);
    refuses(one('a', 'long'), /no Parquet writer/, { writer: 'other' as 'parquetjs-lite' });
  });

  test('records that a file would not hold, with the column', async (t) => {
    const lake = await makeLake();
    t.after(() => lake.close());
    const rejects = async (claim: { write(r: SinkRecord[], n: bigint): Promise<void> }, value: unknown, why: RegExp) =>
      assert.rejects(claim.write([record(0n, value)], 1n), (error: unknown) => {
        assert.ok(error instanceof SinkRecordError && error.code === 'SLC_RECORD_PARQUET', String(error));
        assert.match(error.message, why);
        return true;
      });
    const claim = await sinkOf(lake).claim(TOPIC, 0);
    await rejects(claim, { ...full, id: 2n ** 63n }, /id: 9223372036854775808 is no 64-bit integer/);
    await rejects(claim, { ...full, id: null }, /id: null where the schema has none/);
    await rejects(claim, { ...full, d9: 1_000_000_000n }, /d9: .* decimal of 9 digits/);
    await rejects(claim, { ...full, after: { sku: 1.5, note: null, tags: null } }, /after: sku: 1\.5/);
    await rejects(claim, { ...full, names: ['\uD800'] }, /names: element: .*surrogate/);
    await rejects(claim, { ...full, windowStart: 9e15 }, /windowStart: /);
    await assert.rejects(claim.write([{ ...record(0n, full), timestamp: 9e15 }], 1n), /event time/);

    const nested = one('a', ['null', one('b', 'long')]);
    const lite = makeSink(lake.root, { writer: 'parquetjs-lite', schemaFor: () => ({ schema: nested, key }) });
    const held = await lite.claim('gold.numbers', 0);
    await rejects(held, { a: { b: 9_007_199_254_740_992n } }, /a: b: parquetjs-lite changes integers beyond 2\^53/);
    const values = [{ b: Number.MAX_SAFE_INTEGER }, { b: -Number.MAX_SAFE_INTEGER }, null];
    await held.write(
      values.map((a, i) => record(BigInt(i), { a })),
      3n,
    );
    const rows = await lake.query(
      `select a::text as a, epoch_ms(_timestamp)::double as ts from ${parquet(await lakeFiles(lake.root, 'gold.numbers'))} order by _offset`,
    );
    const ts = record(0n, null).timestamp;
    assert.deepEqual(rows, [
      { a: "{'b': 9007199254740991}", ts },
      { a: "{'b': -9007199254740991}", ts },
      { a: null, ts },
    ]);
  });
});
