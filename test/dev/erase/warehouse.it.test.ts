/** A user's rows in a real PostgreSQL: counted, deleted, behind the sink; a parameter is never SQL. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { SluiceError } from '#topology';
import { ErasedWarehouse } from '../../../dev/erase/warehouse.ts';

const postgres = process.env['SLUICE_TEST_POSTGRES'];
if (postgres === undefined) throw new Error('SLUICE_TEST_POSTGRES is not set: npm test starts the parts and sets it');

describe('rows of a user in PostgreSQL', () => {
  const database = `erase_${randomUUID().slice(0, 8)}`;
  const url = new URL(postgres);
  url.pathname = `/${database}`;
  const topicOf = (name: string, column = 'user_id') => ({
    name: `gold.${name}`,
    column: 'userId',
    isKeyShared: false,
    table: { schema: 'gold', name, column },
  });
  const topics = [topicOf('a'), topicOf('odd "name'), topicOf('missing'), { ...topicOf('b'), table: undefined }];
  const of = (userId: string): ErasedWarehouse => new ErasedWarehouse(url.href, { topics, userId });
  let client: Client;

  before(async () => {
    const server = new Client({ connectionString: postgres });
    await server.connect();
    await server.query(`create database ${database}`);
    await server.end();
    client = new Client({ connectionString: url.href });
    await client.connect();
    await client.query('create schema gold');
    for (const table of ['a', '"odd ""name"']) {
      await client.query(`create table gold.${table} (key text primary key, user_id bigint)`);
      await client.query(`insert into gold.${table} values ('1', 4), ('2', 42), ('3', 42), ('4', 421), ('5', null)`);
    }
  });
  after(async () => {
    await client.end();
    const server = new Client({ connectionString: postgres });
    await server.connect();
    await server.query(`drop database ${database} with (force)`);
    await server.end();
  });

  test('his rows and no others, in tables that are there', async () => {
    const wanted = [
      ['gold.a', 2],
      ['gold.odd "name', 2],
    ];
    assert.deepEqual([...(await of('42').count())], wanted);
    assert.deepEqual([...(await of('42').erase())], wanted);
    assert.deepEqual([...(await of('42').count()).values()], [0, 0]);
    const { rows } = await client.query<{ key: string }>('select key from gold.a order by key');
    assert.deepEqual(
      rows.map(({ key }) => key),
      ['1', '4', '5'],
    );
  });

  test('an id that is SQL deletes nothing', async () => {
    await assert.rejects(
      of("0' or true --").erase(),
      (error) => error instanceof SluiceError && error.code === 'SLC_ERASE_WAREHOUSE',
    );
    assert.deepEqual([...(await of('4').count()).values()], [1, 1]);
  });

  test('the sink is waited for until it has passed the record, and not for ever', async () => {
    const last = [{ topic: 'gold.a', partition: 0, offset: 9n }];
    const texts: string[] = [];
    const isCaughtUp = (ms: number): Promise<boolean> =>
      of('4').caughtUp('shop', last, Date.now() + ms, (text) => texts.push(text));
    assert.equal(await isCaughtUp(0), false, 'there is no sink');
    await client.query('create schema sluice');
    await client.query(
      'create table sluice.sink_offsets (application text, topic text, partition int, next_offset bigint)',
    );
    await client.query("insert into sluice.sink_offsets values ('shop', 'gold.a', 0, 9), ('other', 'gold.a', 0, 99)");
    assert.equal(await isCaughtUp(300), false, 'one record is left');
    assert.match(texts.at(-1) ?? '', /behind in 1 partitions, as gold\.a-0/);
    const waits = isCaughtUp(30_000);
    await client.query("update sluice.sink_offsets set next_offset = 10 where application = 'shop'");
    assert.equal(await waits, true);
  });

  test('a server that is away is said so, without its password', async () => {
    const away = new ErasedWarehouse('postgres://me:secret@127.0.0.1:1/x', { topics, userId: '4' });
    await assert.rejects(away.erase(), (error) => {
      assert.ok(error instanceof SluiceError && error.code === 'SLC_ERASE_WAREHOUSE', String(error));
      return !error.message.includes('secret');
    });
  });
});
