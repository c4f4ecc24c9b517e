/** The lake's files as pyarrow reads them: every type, from files as written and from merged ones. It is installed by pip the first time. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { lakeFiles } from '../../../connectors/parquet/index.ts';
import { empty, everything, full, key, lists, record, TOPIC } from './everything.ts';
import { makeLake, makeSink } from './harness.ts';
import { findPython } from '../../../dev/parts/python.ts';

/** A file of Parquet as pyarrow sees it: the types of its columns, and its rows with every value as text. */
interface PyarrowTable {
  readonly types: Readonly<Record<string, string>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const SCRIPT = join(import.meta.dirname, 'read-lake.py');
const python = await findPython(['pyarrow==26.0.1']);
const skipped = python.missing === undefined ? '' : ` (skipped: ${python.missing})`;

const ITEM = 'struct<sku: int64 not null, note: string, tags: list<element: int64>>';
const TYPES = {
  id: 'int64',
  d9: 'decimal128(9, 2)',
  d18: 'decimal128(18, 2)',
  d38: 'decimal128(38, 5)',
  windowStart: 'timestamp[us, tz=UTC]',
  born: 'date32[day]',
  eventId: 'extension<arrow.uuid>',
  small: 'int32',
  text: 'string',
  raw: 'binary',
  four: 'fixed_size_binary[4]',
  share: 'double',
  half: 'float',
  active: 'bool',
  before: ITEM,
  after: ITEM,
  items: `list<element: ${ITEM} not null>`,
  names: 'list<element: string>',
  counts: "map<string, int64 ('counts')>",
  _topic: 'string',
  _partition: 'int32',
  _offset: 'int64',
  _timestamp: 'timestamp[us, tz=UTC]',
  _tombstone: 'bool',
  _key: 'struct<id: int64 not null>',
};

test(`every type, as written and merged, by pyarrow${skipped}`, { skip: python.missing }, async (t) => {
  assert.ok(python.missing === undefined);
  const lake = await makeLake();
  t.after(() => lake.close());
  const sinkOf = (fanIn: number) =>
    makeSink(lake.root, { topics: [TOPIC], schemaFor: () => ({ schema: everything, key }), merge: { fanIn } });
  const check = async (files: readonly string[]): Promise<void> => {
    const { types, rows } = JSON.parse(await python.script(SCRIPT, files)) as PyarrowTable;
    assert.deepEqual(types, TYPES);
    const [first, second, third, tombstone] = rows;
    assert.deepEqual(first, {
      id: '9223372036854775807',
      d9: '-9999999.99',
      d18: '9999999999999999.99',
      d38: `-${'9'.repeat(33)}.99999`,
      windowStart: '2026-07-01T12:00:00.123000+00:00',
      born: '1969-12-31',
      eventId: full.eventId,
      small: '-2147483648',
      text: full.text,
      raw: '005cff',
      four: '010203fe',
      share: '0.1',
      half: '0.5',
      active: false,
      before: { sku: '9007199254740991', note: null, tags: ['1', null, '-9007199254740993'] },
      after: { sku: '1', note: '', tags: null },
      items: [
        { sku: '1', note: 'x', tags: [] },
        { sku: '2', note: null, tags: null },
      ],
      names: ['a', null],
      counts: [
        ['a', '1'],
        ['b', null],
      ],
      _topic: TOPIC,
      _partition: '3',
      _offset: '0',
      _timestamp: '2026-07-01T12:30:00.007000+00:00',
      _tombstone: false,
      _key: { id: '0' },
    });
    assert.equal(second?.['id'], '-9223372036854775808');
    for (const name of ['d18', 'born', 'text', 'active', 'before', 'after', 'items', 'names', 'counts']) {
      assert.equal(second?.[name], null, name);
    }
    assert.deepEqual(
      [third?.['id'], third?.['items'], third?.['names'], third?.['counts'], third?.['windowStart']],
      ['9007199254740993', [], [], [], '1969-12-31T23:59:59.999000+00:00'],
    );
    const { _topic, _partition, _offset, _timestamp, _tombstone, _key, ...columns } = tombstone ?? {};
    assert.deepEqual([_offset, _tombstone, _key], ['3', true, { id: '3' }]);
    for (const [name, value] of Object.entries(columns)) assert.equal(value, null, name);
  };

  const sink = sinkOf(1_000);
  const claim = await sink.claim(TOPIC, 3);
  for (const [offset, value] of [full, empty, lists, null].entries()) {
    await claim.write([record(BigInt(offset), value)], BigInt(offset + 1));
  }
  await sink.close();
  const written = await lakeFiles(lake.root, TOPIC);
  assert.equal(written.length, 4);
  await check(written);

  const merging = sinkOf(4);
  await merging.claim(TOPIC, 3);
  const deadline = Date.now() + 10_000;
  while ((await lakeFiles(lake.root, TOPIC)).length > 1) {
    assert.ok(Date.now() < deadline, 'four files of an hour were not merged');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await check(await lakeFiles(lake.root, TOPIC));
  await merging.close();
});
