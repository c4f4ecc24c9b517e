import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { ConnectorError, RetriableError, SinkRecordError, TaskMigratedError } from '#topology';
import { sinkContract } from '../sink.contract.ts';
import {
  definition,
  keepHistory,
  makeDatabase,
  makeSink,
  openLine,
  startHarness,
  type TestDatabase,
  topic,
} from './harness.ts';

sinkContract('PostgreSQL', startHarness);

const record = (offset: bigint, key: unknown, value: unknown) => ({ offset, timestamp: 0, key, value });
const number = (offset: bigint, n: number, label: string | null = null) =>
  record(offset, `k${n}`, { someNumber: n, label });

describe('values', () => {
  const everything = {
    type: 'record',
    name: 'Everything',
    fields: [
      { name: 'windowStart', type: { type: 'long', logicalType: 'timestamp-millis' }, doc: "it's inclusive" },
      { name: 'birthDate', type: ['null', { type: 'int', logicalType: 'date' }] },
      { name: 'revenue', type: { type: 'bytes', logicalType: 'decimal', precision: 18, scale: 2 } },
      { name: 'userID', type: 'long' },
      { name: 'quantity', type: 'int' },
      { name: 'title', type: ['null', 'string'] },
      { name: 'eventId', type: { type: 'string', logicalType: 'uuid' } },
      { name: 'active', type: 'boolean' },
      { name: 'share', type: 'double' },
      { name: 'raw', type: 'bytes' },
    ],
  };
  const value = {
    windowStart: 1_700_000_000_123,
    birthDate: -1,
    revenue: -1_234_567_890_123_456_05n,
    userID: Number.MAX_SAFE_INTEGER,
    quantity: -(2 ** 31),
    title: 'a "b" \\ {c},NULL\n€ 😀 \u0001',
    eventId: '0b36b7c0-9ad5-4c3e-9e4c-000000000001',
    active: true,
    share: 0.1,
    raw: new Uint8Array([0, 92, 34, 255]),
  };
  let database: TestDatabase;
  before(async () => (database = await makeDatabase()));
  after(() => database.close());
  const sinkOf = () =>
    makeSink(database, { schemaFor: () => ({ schema: everything, table: { schema: 'gold', name: 'all"types' } }) });

  test('every type comes back as it was, names in snake case, comments from the schema', async () => {
    const sink = sinkOf();
    await sink.open();
    const held = await sink.claim(topic, 3);
    const nothing = { ...value, birthDate: null, title: null, revenue: 0n, windowStart: -62_135_596_800_000 };
    const more = {
      ...value,
      revenue: 5n,
      title: 'NULL',
      windowStart: 253_402_300_799_999,
      birthDate: 2_932_896,
      share: Infinity,
    };
    await held.write([record(0n, 'a|"\\', value), record(7n, '', nothing), record(8n, '{}', more)], 9n);
    const rows = await database.query<Record<string, unknown>>(
      `select key, window_start at time zone 'UTC' || '' as window_start, birth_date::text, revenue::text, user_id::text, quantity, title,
        event_id, active, share, encode(raw, 'hex') as raw, _offset::text, _partition from gold."all""types" order by _offset`,
    );
    assert.deepEqual(rows, [
      {
        key: 'a|"\\',
        window_start: '2023-11-14 22:13:20.123',
        birth_date: '1969-12-31',
        revenue: '-1234567890123456.05',
        user_id: '9007199254740991',
        quantity: -2147483648,
        title: value.title,
        event_id: value.eventId,
        active: true,
        share: 0.1,
        raw: '005c22ff',
        _offset: '0',
        _partition: 3,
      },
      {
        ...rows[1],
        key: '',
        title: null,
        birth_date: null,
        revenue: '0.00',
        window_start: '0001-01-01 00:00:00',
        _offset: '7',
      },
      {
        ...rows[2],
        title: 'NULL',
        revenue: '0.05',
        share: Infinity,
        window_start: '9999-12-31 23:59:59.999',
        birth_date: '9999-12-31',
      },
    ]);
    const [comment] = await database.query<{ text: string }>(
      `select col_description('gold."all""types"'::regclass, 2) as text`,
    );
    assert.equal(comment?.text, "it's inclusive");
    await sink.close();
  });

  test('each value that a column cannot hold is refused with its column; the good ones of the batch are not blamed', async () => {
    const sink = sinkOf();
    await sink.open();
    const held = await sink.claim(topic, 4);
    const bad: [unknown, unknown, RegExp][] = [
      ['k', { ...value, title: 'a\0' }, /title: text holds a NUL/],
      ['k', { ...value, title: '\ud800' }, /title: text holds a lone surrogate/],
      ['k\0', value, /NUL/],
      [null, value, /key is no text/],
      ['k', 'text', /no record/],
      ['k', { ...value, revenue: 10n ** 18n }, /revenue: .*18 digits/],
      ['k', { ...value, revenue: 12 }, /revenue/],
      ['k', { ...value, userID: 2 ** 53 }, /user_id/],
      ['k', { ...value, quantity: 2 ** 31 }, /quantity/],
      ['k', { ...value, quantity: null }, /quantity: null/],
      ['k', { ...value, windowStart: 253_402_300_800_000 }, /window_start/],
      ['k', { ...value, birthDate: 0.5 }, /birth_date/],
      ['k', { ...value, eventId: 'x' }, /event_id/],
      ['k', { ...value, active: 1 }, /active/],
      ['k'.repeat(9_000) + Array.from({ length: 9_000 }, (_, i) => (i * 7919) % 9973).join(), value, /index row/],
    ];
    const records = bad.flatMap(([key, each], i) => [
      record(BigInt(2 * i), `good${i}`, value),
      record(BigInt(2 * i + 1), key, each),
    ]);
    const refused = new Map<bigint, string>();
    let rest = records;
    for (let round = 0; round < 3; round += 1) {
      try {
        await held.write(rest, 100n);
        break;
      } catch (error) {
        assert.ok(error instanceof SinkRecordError, String(error));
        for (const { offset, reason } of error.rejected) refused.set(offset, reason);
        rest = rest.filter((each) => !refused.has(each.offset));
      }
    }
    assert.equal(refused.size, bad.length);
    for (const [i, [, , pattern]] of bad.entries()) assert.match(refused.get(BigInt(2 * i + 1)) ?? '', pattern);
    assert.equal((await database.query('select 1 from gold."all""types" where _partition = 4')).length, bad.length);
    await sink.close();
  });

  test('rows that only the server refuses are found among thousands, together and alone', async () => {
    const sink = makeSink(database);
    await sink.open();
    await database.query('alter table gold.numbers add check (some_number <> 1234), add unique (label)');
    const held = await sink.claim(topic, 0);
    const records = Array.from({ length: 5_000 }, (_, i) => number(BigInt(i), i, `l${i === 4_321 ? 17 : i}`));
    const error = await held.write(records, 5_000n).catch((e: unknown) => e);
    assert.ok(error instanceof SinkRecordError, String(error));
    assert.deepEqual(
      error.rejected.map((each) => each.offset),
      [1_234n, 4_321n],
    );
    await held.write(
      records.filter((each) => each.offset !== 1_234n && each.offset !== 4_321n),
      5_000n,
    );
    assert.equal((await database.query('select 1 from gold.numbers')).length, 4_998);
    await sink.close();
  });
});

describe('tables', () => {
  let database: TestDatabase;
  before(async () => (database = await makeDatabase()));
  after(() => database.close());
  const sinkWith = (fields: object[]) =>
    makeSink(database, {
      schemaFor: () => ({ schema: { ...definition, fields }, table: { schema: 'gold', name: 'numbers' } }),
    });
  const open = async (fields: object[]) => {
    const sink = sinkWith(fields);
    try {
      await sink.open();
    } finally {
      await sink.close();
    }
  };
  const refuses = (fields: object[], statement: RegExp) =>
    assert.rejects(open(fields), (error: unknown) => {
      assert.ok(error instanceof ConnectorError && error.code === 'SLC_POSTGRES_SCHEMA', String(error));
      assert.match(error.message, statement);
      return true;
    });

  test('many sinks that start at once on an empty database make it together', async () => {
    await Promise.all(Array.from({ length: 5 }, () => open(definition.fields)));
  });

  test('a new nullable field is added, all else is refused with the statement that would do', async () => {
    await database.query('truncate gold.numbers');
    const [first, second] = definition.fields as [object, object];
    await open([first, second, { name: 'newField', type: ['null', 'long'], doc: 'new' }]);
    await open([first, second]);
    await refuses([first, second, { name: 'count', type: 'long' }], /add column "count" bigint not null$/);
    await refuses([first, second, { name: 'count', type: 'long', default: 7 }], /"count" bigint not null default 7$/);
    await refuses([{ ...first, type: 'string' }, second], /alter column "some_number" type text using/);
    await refuses([{ ...first, type: ['null', 'long'] }, second], /alter column "some_number" drop not null/);
    await refuses([second], /alter column "some_number" drop not null/);
    const columns = await database.query<{ name: string }>(
      "select column_name as name from information_schema.columns where table_schema = 'gold' order by ordinal_position",
    );
    assert.deepEqual(
      columns.map((column) => column.name),
      ['key', 'some_number', 'label', '_offset', '_partition', 'new_field'],
    );
    await database.query('alter table gold.numbers drop constraint numbers_pkey');
    await refuses(definition.fields, /add primary key \(key\)/);
    await database.query('alter table gold.numbers rename to elsewhere');
    await database.query('create view gold.numbers as select * from gold.elsewhere');
    await refuses(definition.fields, /is no table; run: alter table "gold"."numbers" rename to/);
  });

  test('a table that was dropped is made again and filled from the start, its former owners fenced', async () => {
    await database.query('drop view gold.numbers');
    await open(definition.fields);
    const sink = makeSink(database);
    const held = await sink.claim(topic, 0);
    await held.write([number(0n, 1)], 1n);
    await database.query('drop table gold.numbers');
    await assert.rejects(held.write([number(1n, 2)], 2n), { code: 'SLC_POSTGRES_SCHEMA' });
    await open(definition.fields);
    await assert.rejects(held.write([number(1n, 2)], 2n), TaskMigratedError);
    assert.equal((await sink.claim(topic, 0)).nextOffset, null);
    await sink.close();
  });

  test('names that collide or have no column are refused before anything is connected', () => {
    const refused = (field: object) => assert.throws(() => sinkWith([field]), { code: 'SLC_CONFIG_POSTGRES' });
    refused({ name: 'key', type: 'string' });
    refused({ name: '_offset', type: 'long' });
    refused({ name: 'x'.repeat(64), type: 'long' });
    refused({ name: 'tags', type: { type: 'array', items: 'string' } });
    refused({ name: 'either', type: ['string', 'long'] });
    refused({ name: 'micros', type: { type: 'long', logicalType: 'timestamp-micros' } });
    assert.throws(
      () => makeSink({ url: 'postgres://me:se cret@[' }),
      (error: Error) => !error.message.includes('se cret'),
    );
  });
});

describe('a server that fails', () => {
  let database: TestDatabase;
  before(async () => {
    database = await makeDatabase();
    const sink = makeSink(database);
    await sink.open();
    await sink.close();
    await keepHistory(database);
  });
  after(() => database.close());
  const history = async () =>
    (await database.query<{ written: string }>('select written from history order by position')).map((row) =>
      Number(row.written),
    );
  const away = (error: unknown): boolean => error instanceof RetriableError && error.code === 'SLC_POSTGRES_AWAY';

  test('away at start and in the middle is RetriableError without secrets; the same call works when it is back', async () => {
    const line = await openLine(database.url);
    const url = new URL(line.url);
    url.password ||= 'hunter2';
    const secret = url.password;
    const sink = makeSink({ url: url.href }, { connectTimeoutMs: 1_000 });
    await line.away();
    await assert.rejects(sink.open(), (error: Error) => away(error) && !error.message.includes(secret));
    await assert.rejects(sink.claim(topic, 0), away);
    await line.restore();
    await sink.open();
    const held = await sink.claim(topic, 0);
    await held.write([number(0n, 0)], 1n);
    await line.away();
    await assert.rejects(held.write([number(1n, 1)], 2n), away);
    await assert.rejects(held.write([number(1n, 1)], 2n), away);
    await line.restore();
    await held.write([number(1n, 1)], 2n);
    assert.deepEqual(await history(), [0, 1]);
    await sink.close();
    await line.close();
  });

  test('a commit whose answer is lost is found out: by the same call, and by a new claim', async () => {
    const since = (await history()).length;
    const line = await openLine(database.url);
    const sink = makeSink(line);
    const held = await sink.claim(topic, 1);
    let cuts = 0;
    line.onSent = (text) => text.includes('commit\0') && (cuts += 1) > 0;
    await assert.rejects(held.write([number(0n, 0)], 1n), away);
    line.onSent = () => false;
    await held.write([number(0n, 0)], 1n);
    await held.write([number(1n, 1)], 2n);
    line.onSent = (text) => text.includes('commit\0') && (cuts += 1) > 0;
    await assert.rejects(held.write([number(2n, 2)], 3n), away);
    line.onSent = () => false;
    await assert.rejects(held.write([number(2n, 2), number(3n, 3)], 4n), TaskMigratedError);
    const again = await sink.claim(topic, 1);
    assert.equal(again.nextOffset, 3n);
    assert.equal(cuts, 2);
    assert.deepEqual((await history()).slice(since), [0, 1, 2]);
    await sink.close();
    await line.close();
  });

  test('a line cut before the commit leaves nothing, and a lost write does not count as written', async () => {
    const since = (await history()).length;
    const line = await openLine(database.url);
    const sink = makeSink(line);
    const held = await sink.claim(topic, 2);
    line.onSent = (text) => text.includes('sluice_upsert') || text.includes('insert into "gold"');
    await assert.rejects(held.write([number(0n, 0)], 1n), away);
    line.onSent = () => false;
    assert.equal((await sink.claim(topic, 2)).nextOffset, null);
    assert.deepEqual((await history()).slice(since), []);
    await assert.rejects(held.write([number(0n, 0)], 1n), TaskMigratedError);
    await sink.close();
    await line.close();
  });

  test('a backend that is ended inside a transaction rolls back; the write goes in again', async () => {
    const since = (await history()).length;
    const sink = makeSink(database, { application: 'victim' });
    const held = await sink.claim(topic, 0);
    // Held up by a lock on the table, so that the backend is surely inside the transaction.
    const kill = async (): Promise<void> => {
      const deadline = Date.now() + 10_000;
      while (Date.now() < deadline) {
        const killed = await database.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name = 'sluice victim' and datname = current_database() and wait_event_type = 'Lock'`,
        );
        if (killed.length > 0) return;
      }
      throw new Error('no write was waiting');
    };
    await whileLocked(database, async () => {
      const write = assert.rejects(held.write([number(0n, 0)], 1n), away);
      await kill();
      await write;
    });
    await held.write([number(0n, 0)], 1n);
    assert.deepEqual((await history()).slice(since), [0]);
    await sink.close();
  });

  test('a wrong login or missing right needs a person; the statement time-out does not', async () => {
    const role = `nobody_${randomBytes(6).toString('hex')}`;
    await database.query(`create role ${role} login password 'secret'`);
    const other = new URL(database.url);
    other.username = role;
    other.password = 'secret';
    const sink = makeSink({ url: other.href });
    await assert.rejects(sink.claim(topic, 0), { code: 'SLC_POSTGRES_SCHEMA' });
    await sink.close();
    await database.query(`drop role ${role}`);
    const url = new URL(database.url);
    url.pathname = '/not_there';
    const lost = makeSink({ url: url.href });
    await assert.rejects(lost.open(), { code: 'SLC_POSTGRES_ACCESS' });
    await lost.close();
    const slow = makeSink(database, { statementTimeoutMs: 300, application: 'slow' });
    const held = await slow.claim(topic, 0);
    await whileLocked(database, () => assert.rejects(held.write([number(0n, 900)], 1n), away));
    await held.write([number(0n, 900)], 1n);
    await slow.close();
  });
});

/** Runs `work` while the table takes no writes. */
async function whileLocked(database: TestDatabase, work: () => Promise<void>): Promise<void> {
  const client = new Client(database.url);
  await client.connect();
  try {
    await client.query('begin');
    await client.query('lock table gold.numbers in exclusive mode');
    await work();
  } finally {
    await client.end();
  }
}
