/** The lake's files as records again: every type is the same text on both sides, and what is wrong with a row is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SinkRecord } from '#topology';
import { readLake } from '../../../connectors/parquet/index.ts';
import type { LakePartitionView } from '../../../dev/verify/lake.ts';
import { compareLakeTopic, LakeTable, type LakeTopicResult } from '../../../dev/verify/lake-table.ts';
import { makeLake, makeSink, type TestLake } from '../../connectors/parquet/harness.ts';

const TOPIC = 'bronze.test.everything';
const decimal = (precision: number, scale: number) => ({ type: 'bytes', logicalType: 'decimal', precision, scale });
const item = {
  type: 'record',
  name: 'Item',
  fields: [
    { name: 'sku', type: 'long' },
    { name: 'price', type: ['null', decimal(10, 2)] },
    { name: 'tags', type: ['null', { type: 'array', items: ['null', 'long'] }] },
  ],
};
const everything = {
  type: 'record',
  name: 'Everything',
  namespace: 'test.types',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'd2', type: ['null', decimal(2, 2)] },
    { name: 'd38', type: decimal(38, 5) },
    { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'born', type: ['null', { type: 'int', logicalType: 'date' }] },
    { name: 'eventId', type: { type: 'string', logicalType: 'uuid' } },
    { name: 'text', type: ['null', 'string'] },
    { name: 'raw', type: 'bytes' },
    { name: 'four', type: { type: 'fixed', name: 'Four', size: 4 } },
    { name: 'share', type: 'double' },
    { name: 'half', type: 'float' },
    { name: 'active', type: ['null', 'boolean'] },
    { name: 'before', type: ['null', item] },
    { name: 'after', type: ['null', 'Item'] },
    { name: 'items', type: ['null', { type: 'array', items: 'Item' }] },
    { name: 'counts', type: ['null', { type: 'map', values: ['null', decimal(4, 1)] }] },
    { name: 'a "b"', type: ['null', 'int'] },
  ],
};
const key = { type: 'record', name: 'Key', fields: [{ name: 'id', type: 'long' }] };
const full = {
  id: Number.MAX_SAFE_INTEGER,
  d2: -5n,
  d38: -(10n ** 38n - 1n),
  at: -1,
  born: -1,
  eventId: '0B36b7c0-9ad5-4c3e-9e4c-000000000001',
  text: 'a "b" \\ \'c\'\n\u0000\u001f\u007f\u2028/€ 😀',
  raw: new Uint8Array([0, 92, 255]),
  four: new Uint8Array([1, 2, 3, 254]),
  share: 0.1,
  half: Math.fround(0.1),
  active: false,
  before: { sku: -1, price: 0n, tags: [1, null, -9_007_199_254_740_991] },
  after: { sku: 1, price: null, tags: null },
  items: [{ sku: 1, price: 1n, tags: [] }],
  counts: { a: 1n, b: null },
  'a "b"': 7,
};
const empty = { ...full, d2: null, born: null, text: null, active: null, before: null, after: null, items: null };
const others = [
  { ...empty, counts: null, 'a "b"': null, share: -3, half: 1e9, d38: 0n },
  { ...full, share: 1e-7, half: -0, items: [], counts: {}, text: '' },
  { ...full, share: 1.5e300, half: 2 ** 24 },
];
const values: readonly unknown[] = [full, empty, ...others, null];
const HOUR = 3_600_000;
const records: readonly SinkRecord[] = values.map((value, i) => ({
  offset: BigInt(10 + 2 * i),
  timestamp: Date.UTC(2026, 6, 1) + i * HOUR,
  key: { id: i },
  value,
}));
const END = 100n;
const ranges = [{ topic: TOPIC, partition: 3, start: 0n, end: END }];

async function lakeOf(t: { after(work: () => Promise<void>): void }): Promise<TestLake> {
  const lake = await makeLake();
  t.after(() => lake.close());
  const sink = makeSink(lake.root, {
    topics: [TOPIC],
    schemaFor: () => ({ schema: everything, key }),
    merge: { fanIn: 1_000 },
  });
  const claim = await sink.claim(TOPIC, 3);
  await claim.write(records, END);
  await sink.close();
  return lake;
}

async function compare(
  partitions: readonly LakePartitionView[],
  wanted: readonly SinkRecord[] = records,
  cleanup: 'delete' | 'compact' = 'delete',
): Promise<LakeTopicResult> {
  return await compareLakeTopic(new LakeTable(TOPIC, everything, key, cleanup), ranges, partitions, async (append) => {
    for (const { offset, timestamp, key, value } of wanted) append(3, Number(offset), timestamp, { key, value });
    return 0;
  });
}

/** The one record with another value in a field, or another key or time. */
const changed = (change: object): readonly SinkRecord[] =>
  records.map((record, i) => (i === 0 ? { ...record, value: { ...full, ...change } } : record));

test('every type is the same on both sides; a change of any value is found', async (t) => {
  const lake = await lakeOf(t);
  const view = await readLake(lake.root, TOPIC);
  const right = await compare(view);
  assert.deepEqual([right.rows.examples, right.rows.rows], [[], values.length]);
  const changes: readonly object[] = [
    { id: 1 },
    { d2: -6n },
    { d38: 1n - 10n ** 38n + 1n },
    { at: 0 },
    { born: 0 },
    { eventId: '0b36b7c0-9ad5-4c3e-9e4c-000000000002' },
    { text: null },
    { raw: new Uint8Array([0, 92]) },
    { four: new Uint8Array([1, 2, 3, 255]) },
    { share: 0.1 + Number.EPSILON },
    { half: 0.1 },
    { active: null },
    { before: { ...full.before, tags: [1, null, -9_007_199_254_740_990] } },
    { after: null },
    { items: [] },
    { counts: { a: 1n } },
    { 'a "b"': null },
  ];
  for (const change of changes) {
    const { rows } = await compare(view, changed(change));
    assert.deepEqual([rows.ok, rows.differing, rows.missing, rows.extra], [false, 1, 0, 0], JSON.stringify(rows));
    assert.match(rows.examples[0] ?? '', /^different 3@10: value .* in the topic, .* in the lake$/s);
  }
  for (const change of [{ key: { id: 9 } }, { timestamp: 1 }]) {
    const { rows } = await compare(
      view,
      records.map((record, i) => (i === 2 ? { ...record, ...change } : record)),
    );
    assert.deepEqual([rows.ok, rows.differing, rows.missing, rows.extra], [false, 1, 0, 0]);
  }
});

test('rows that are missing, twice or too many are named, and what the log says must be in the files', async (t) => {
  const lake = await lakeOf(t);
  const view = await readLake(lake.root, TOPIC);
  const [one] = view;
  assert.ok(one !== undefined);
  const missing = await compare([{ ...one, files: one.files.slice(1), rows: one.rows - 1 }]);
  assert.deepEqual(missing.rows.examples, ['missing 3@10']);
  const twice = await compare([{ ...one, files: [...one.files, ...one.files.slice(0, 1)], rows: one.rows + 1 }]);
  assert.deepEqual([twice.rows.extra, twice.rows.examples], [1, ['twice 3@10']]);
  const extra = await compare(view, records.slice(0, -1));
  assert.deepEqual([extra.rows.extra, extra.rows.examples], [1, ['extra 3@20']]);
  const miscounted = await compare([{ ...one, rows: one.rows + 1 }]);
  assert.deepEqual(miscounted.rows.examples, ['the log says 7 rows, the files have 6']);
  assert.deepEqual((await compare([])).rows.missing, values.length);
  const none = await compare([], []);
  assert.deepEqual([none.rows.ok, none.rows.rows], [true, 0]);
});

test('of a compacted topic the lake may hold what a newer record of the key replaced, or a delete, and no more', async (t) => {
  const lake = await makeLake();
  t.after(() => lake.close());
  const sink = makeSink(lake.root, { topics: [TOPIC], schemaFor: () => ({ schema: everything, key }) });
  const claim = await sink.claim(TOPIC, 3);
  // Keys a, b, a, b, a deleted.
  const all = [0, 1, 0, 1, 0].map((id, i) => ({
    offset: BigInt(i),
    timestamp: 0,
    key: { id },
    value: i === 4 ? null : full,
  }));
  await claim.write(all, END);
  await sink.close();
  const view = await readLake(lake.root, TOPIC);
  const newest = all.filter(({ offset }) => offset === 3n);
  assert.deepEqual((await compare(view, newest, 'compact')).rows.examples, []);
  assert.equal((await compare(view, newest)).rows.extra, 4);
  const lost = await compare(view, [], 'compact');
  assert.deepEqual(lost.rows.examples, ['extra 3@3']);
});
