import assert from 'node:assert/strict';
import { test } from 'node:test';
import avsc from 'avsc';
import { schemas } from '#schemas';
import { MemoryRegistry, testSerdes } from '../../../connectors/avro/testing.ts';
import { NullInRequiredColumn, TableCodec } from '../../../connectors/mysql-cdc/codec.ts';
import {
  type ChangeSource,
  earlierColumns,
  envelopeSchema,
  writtenColumns,
} from '../../../connectors/mysql-cdc/envelope.ts';
import type { Column } from '../../../connectors/mysql-cdc/types.ts';

const SOURCE: ChangeSource = {
  version: '1.0',
  connector: 'mariadb',
  name: 'cdc.shop',
  ts_ms: 1_000,
  snapshot: 'false',
  db: 'shop',
  sequence: null,
  table: 'users',
  server_id: 1,
  gtid: '0-1-7',
  file: 'bin.000001',
  pos: 4,
  row: 2,
  thread: null,
  query: null,
};
const column = (name: string, type: string, nullable = false): Column => ({ name, type, nullable });
const TIMES = [column('created_at', 'datetime(3)'), column('updated_at', 'datetime(3)')];
const AT = '2026-02-28 23:59:59.123';
const AT_MS = Date.UTC(2026, 1, 28, 23, 59, 59, 123);

/** The shop's tables as information_schema describes them. */
const TABLES = {
  users: [
    column('id', 'int(10) unsigned'),
    column('email', 'varchar(255)', true),
    column('full_name', 'varchar(200)', true),
    column('country', 'varchar(60)', true),
    column('birth_date', 'date', true),
    ...TIMES,
  ],
  items: [
    column('id', 'int(10) unsigned'),
    column('title', 'varchar(200)'),
    column('category', 'varchar(60)', true),
    column('price', 'decimal(10,2)'),
    column('active', 'tinyint(1)'),
    ...TIMES,
  ],
  purchases: [
    column('id', 'bigint(20)'),
    column('user_id', 'int(10) unsigned'),
    column('item_id', 'int(10) unsigned'),
    column('quantity', 'int(11)'),
    column('unit_price', 'decimal(10,2)'),
    ...TIMES,
  ],
  customer_profiles: [
    column('user_id', 'int(10) unsigned'),
    column('age_band', 'varchar(20)', true),
    column('marketing_consent', 'tinyint(1)'),
    column('preferences', 'longtext', true),
    ...TIMES,
  ],
} as const;

async function codecOf(topic: string, columns: readonly Column[], key: string, registry: MemoryRegistry) {
  const codec = new TableCodec({ topic, columns: writtenColumns(columns, undefined, topic), primaryKey: [key] });
  const keyId = await registry.register(`${topic}-key`, { name: topic, definition: codec.keySchema });
  codec.registered(keyId, await registry.register(`${topic}-value`, { name: topic, definition: codec.valueSchema }));
  return codec;
}

const ROWS = {
  users: {
    id: 4294967295,
    email: 'a@b',
    full_name: null,
    country: 'É',
    birth_date: '1990-05-01',
    created_at: AT,
    updated_at: AT,
  },
  items: { id: 2, title: 'T', category: null, price: '-12.34', active: 1, created_at: AT, updated_at: AT },
  purchases: { id: 7, user_id: 1, item_id: 2, quantity: 3, unit_price: '99999999.99', created_at: AT, updated_at: AT },
  customer_profiles: {
    user_id: 1,
    age_band: '30-39',
    marketing_consent: 0,
    preferences: '{"a":1}',
    created_at: AT,
    updated_at: AT,
  },
};
const EXPECTED = {
  users: { ...ROWS.users, birth_date: Date.UTC(1990, 4, 1) / 86_400_000, created_at: AT_MS, updated_at: AT_MS },
  items: { ...ROWS.items, price: -1234n, created_at: AT_MS, updated_at: AT_MS },
  purchases: { ...ROWS.purchases, unit_price: 9_999_999_999n, created_at: AT_MS, updated_at: AT_MS },
  customer_profiles: { ...ROWS.customer_profiles, created_at: AT_MS, updated_at: AT_MS },
};

for (const table of ['users', 'items', 'purchases', 'customer_profiles'] as const) {
  test(`what is written of ${table} is read with the compiled schemas`, async () => {
    const registry = new MemoryRegistry();
    const topic = `bronze.shop.${table}` as const;
    const key = table === 'customer_profiles' ? 'user_id' : 'id';
    const codec = await codecOf(topic, TABLES[table], key, registry);
    const serdes = testSerdes(registry);
    const values = await serdes.open<unknown>(`${topic}-value`, schemas[topic], { write: false });
    const keys = await serdes.open<unknown>(`${topic}-key`, schemas[`${topic}-key`], { write: false });
    const row = ROWS[table];
    const bytes = codec.value({ before: row, after: row, source: SOURCE, op: 'u', handledAt: 2_000 });
    const decode = async (read: () => unknown): Promise<unknown> => {
      try {
        return read();
      } catch (error) {
        await (error as { ready: Promise<void> }).ready; // the writer's schema is fetched first
        return read();
      }
    };
    const value = plain(await decode(() => values.deserialize(bytes)));
    assert.deepEqual(value, {
      before: EXPECTED[table],
      after: EXPECTED[table],
      source: {
        ts_ms: 1_000,
        snapshot: 'false',
        db: 'shop',
        table: 'users',
        gtid: '0-1-7',
        file: 'bin.000001',
        pos: 4,
        row: 2,
      },
      op: 'u',
      ts_ms: 2_000,
    });
    assert.deepEqual(plain(await decode(() => keys.deserialize(codec.key(row)))), { [key]: Reflect.get(row, key) });
  });
}

/** Records of avsc have a class of their own. */
function plain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

test('a database or table that no Avro name can be called by is captured under a name that can', async () => {
  const codec = await codecOf('bronze.2024-shop.order$', TABLES.items, 'id', new MemoryRegistry());
  const bytes = codec.value({ before: null, after: ROWS.items, source: SOURCE, op: 'c', handledAt: 1 });
  assert.ok(bytes.length > 5);
  const names = [envelopeSchema('bronze.2024-shop.order$', []), codec.keySchema].map(
    (schema) => (schema as { namespace: string }).namespace,
  );
  assert.deepEqual(names, ['bronze._2024_shop.order_', 'bronze._2024_shop.order_']);
});

test('BIGINT is written exactly over its whole range', async () => {
  const registry = new MemoryRegistry();
  const codec = await codecOf('t', [column('id', 'bigint(20)')], 'id', registry);
  const reader = avsc.Type.forSchema(codec.keySchema as avsc.Schema, {
    typeHook: (part) =>
      part === 'long'
        ? avsc.types.LongType.__with({
            fromBuffer: (b: Buffer) => b.readBigInt64LE(),
            toBuffer: () => Buffer.alloc(8),
            fromJSON: BigInt,
            toJSON: Number,
            isValid: () => true,
            compare: () => 0,
          })
        : undefined,
  });
  for (const text of ['-9223372036854775808', '9223372036854775807', '0', '-1', '9007199254740993']) {
    const decoded = reader.fromBuffer(codec.key({ id: text }).subarray(5)) as { id: bigint };
    assert.equal(String(decoded.id), text);
  }
});

test('a null in a column that is NOT NULL asks for a wider schema instead of writing nonsense', async () => {
  const codec = await codecOf('t', [column('id', 'int'), column('born', 'date')], 'id', new MemoryRegistry());
  const change = { before: null, after: { id: 1, born: '0000-00-00' }, source: SOURCE, op: 'c', handledAt: 0 } as const;
  assert.throws(
    () => codec.value(change),
    (error) => error instanceof NullInRequiredColumn && error.column === 'born',
  );
});

test('every version of a changing table reads all earlier ones', () => {
  const versions: Column[][] = [
    [column('id', 'int'), column('a', 'varchar(10)')],
    [column('id', 'int'), column('b', 'int'), column('a', 'varchar(20)')],
    [column('id', 'int'), column('a', 'varchar(20)', true)],
    [column('id', 'int'), column('b', 'bigint'), column('a', 'text')],
  ];
  const written: object[] = [];
  for (const columns of versions) {
    const schema = envelopeSchema(
      't',
      writtenColumns(columns, written.length === 0 ? undefined : earlierColumns(written.at(-1)), 't'),
    );
    const reader = avsc.Type.forSchema(schema as avsc.Schema);
    for (const earlier of written) reader.createResolver(avsc.Type.forSchema(earlier as avsc.Schema));
    written.push(schema);
  }
  assert.deepEqual(
    earlierColumns(written[0]),
    new Map([
      ['id', false],
      ['a', false],
    ]),
  );
  assert.deepEqual(
    earlierColumns(written[3]),
    new Map([
      ['id', false],
      ['b', true],
      ['a', true],
    ]),
  );
});
