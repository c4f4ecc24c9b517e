/** A record with every type there is, for those who read it back. */
import type { SinkRecord } from '#topology';

export const item = {
  type: 'record',
  name: 'Item',
  fields: [
    { name: 'sku', type: 'long' },
    { name: 'note', type: ['null', 'string'] },
    { name: 'tags', type: ['null', { type: 'array', items: ['null', 'long'] }] },
  ],
};
export const decimal = (precision: number, scale: number) => ({
  type: 'bytes',
  logicalType: 'decimal',
  precision,
  scale,
});
export const everything = {
  type: 'record',
  name: 'Everything',
  namespace: 'test.types',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'd9', type: decimal(9, 2) },
    { name: 'd18', type: ['null', decimal(18, 2)] },
    { name: 'd38', type: decimal(38, 5) },
    { name: 'windowStart', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'born', type: ['null', { type: 'int', logicalType: 'date' }] },
    { name: 'eventId', type: { type: 'string', logicalType: 'uuid' } },
    { name: 'small', type: 'int' },
    { name: 'text', type: ['null', 'string'] },
    { name: 'raw', type: 'bytes' },
    { name: 'four', type: { type: 'fixed', name: 'Four', size: 4 } },
    { name: 'share', type: 'double' },
    { name: 'half', type: 'float' },
    { name: 'active', type: ['null', 'boolean'] },
    { name: 'before', type: ['null', item] },
    { name: 'after', type: ['null', 'Item'] },
    { name: 'items', type: ['null', { type: 'array', items: 'Item' }] },
    { name: 'names', type: ['null', { type: 'array', items: ['null', 'string'] }] },
    { name: 'counts', type: ['null', { type: 'map', values: ['null', 'long'] }] },
  ],
};
export const TOPIC = 'bronze.test.everything';
export const full = {
  id: 9_223_372_036_854_775_807n,
  d9: -999_999_999n,
  d18: 999_999_999_999_999_999n,
  d38: -(10n ** 38n - 1n),
  windowStart: Date.UTC(2026, 6, 1, 12, 0, 0, 123),
  born: -1,
  eventId: '0b36b7c0-9ad5-4c3e-9e4c-000000000001',
  small: -(2 ** 31),
  text: 'a "b" \\ \'c\'\n\0€ 😀',
  raw: new Uint8Array([0, 92, 255]),
  four: new Uint8Array([1, 2, 3, 254]),
  share: 0.1,
  half: 0.5,
  active: false,
  before: { sku: 2 ** 53 - 1, note: null, tags: [1, null, -9_007_199_254_740_993n] },
  after: { sku: 1, note: '', tags: null },
  items: [
    { sku: 1, note: 'x', tags: [] },
    { sku: 2, note: null, tags: null },
  ],
  names: ['a', null],
  counts: { a: 1, b: null },
};
export const empty = {
  ...full,
  id: -9_223_372_036_854_775_808n,
  d18: null,
  born: null,
  text: null,
  active: null,
  before: null,
  after: null,
  items: null,
  names: null,
  counts: null,
};
export const lists = { ...full, id: 9_007_199_254_740_993n, items: [], names: [], counts: {}, windowStart: -1 };
export const key = { type: 'record', name: 'Key', fields: [{ name: 'id', type: 'long' }] };
export const record = (offset: bigint, value: unknown): SinkRecord => ({
  offset,
  timestamp: Date.UTC(2026, 6, 1, 12, 30, 0, 7),
  key: { id: Number(offset) },
  value,
});
