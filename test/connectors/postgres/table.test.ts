import assert from 'node:assert/strict';
import { test } from 'node:test';
import { schemas } from '#schemas';
import { createTable, snakeCase, tableOf } from '../../../connectors/postgres/table.ts';
import { fieldType, UnfitValue } from '../../../connectors/postgres/types.ts';

test('names in snake case', () => {
  const names = ['windowStart', 'averageOrderValue', 'userID', 'HTTPStatus', 'sales24h', 'already_there', 'x'];
  assert.deepEqual(names.map(snakeCase), [
    'window_start',
    'average_order_value',
    'user_id',
    'http_status',
    'sales24h',
    'already_there',
    'x',
  ]);
});

test("every table of the shop's silver and gold can be made", () => {
  const all = Object.values(schemas).filter((schema) => !schema.name.startsWith('bronze.'));
  assert.ok(all.length >= 7);
  for (const schema of all) {
    const [create] = createTable(tableOf(schema.name, schema.definition, { schema: 'gold', name: 't' }));
    assert.match(create ?? '', /primary key \(key\)/);
  }
  const sales = schemas['gold.sales_perf_24h'];
  const [create] = createTable(tableOf(sales.name, sales.definition, { schema: 'gold', name: 'sales_perf_24h' }));
  assert.equal(
    create,
    'create table "gold"."sales_perf_24h" ("key" text not null, "window_start" timestamp with time zone not null, ' +
      '"window_end" timestamp with time zone not null, "category" text not null, "country" text not null, "orders" bigint not null, ' +
      '"units" bigint not null, "revenue" numeric(18,2) not null, "average_order_value" numeric(18,2) not null, ' +
      '"_offset" bigint not null, "_partition" integer not null, primary key (key))',
  );
});

test('decimals keep every digit', () => {
  const encode = (precision: number, scale: number, value: unknown): string =>
    fieldType({ type: 'bytes', logicalType: 'decimal', precision, scale }, 'x').type.encode(value);
  assert.equal(encode(10, 2, 5n), '0.05');
  assert.equal(encode(10, 2, -5n), '-0.05');
  assert.equal(encode(10, 0, -5n), '-5');
  assert.equal(encode(30, 10, 10n ** 30n - 1n), '99999999999999999999.9999999999');
  assert.throws(() => encode(30, 10, 10n ** 30n), UnfitValue);
});
