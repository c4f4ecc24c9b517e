/** The SQL that docker-compose.yml gives its databases at their first start, on the real ones. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';

const FOLDER = join(import.meta.dirname, '..', '..', 'schemas', 'sql');
const sqlOf = (name: string): Promise<string> => readFile(join(FOLDER, name), 'utf8');

function address(name: string): string {
  const value = process.env[name];
  assert.ok(value !== undefined && value !== '', `${name} is not set: npm test starts the servers`);
  return value;
}

async function onPostgres<Result>(database: string, use: (client: Client) => Promise<Result>): Promise<Result> {
  const url = new URL(address('SLUICE_TEST_POSTGRES'));
  url.pathname = `/${database}`;
  const client = new Client({ connectionString: url.href });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

test('the warehouse: again changes nothing, and its readers read tables that come later, no more', async () => {
  const database = `init_${randomUUID().slice(0, 8)}`;
  await onPostgres('postgres', (client) => client.query(`create database ${database}`));
  try {
    await onPostgres(database, async (client) => {
      const sql = await sqlOf('warehouse.sql');
      await client.query(sql);
      await client.query(sql);
      await client.query('create table gold.later (n int)');
      await client.query('insert into gold.later values (7)');
      await client.query('set role sluice_reader');
      assert.deepEqual((await client.query('select n from gold.later')).rows, [{ n: 7 }]);
      await assert.rejects(client.query('insert into gold.later values (8)'), { code: '42501' });
      await assert.rejects(client.query('create table gold.mine (n int)'), { code: '42501' });
    });
  } finally {
    await onPostgres('postgres', (client) => client.query(`drop database ${database} with (force)`));
  }
});

test('capture may read the binlog', async () => {
  const connection = await createConnection({ uri: address('SLUICE_TEST_MYSQL') });
  try {
    await connection.query("create user 'sluice'@'%'");
    await connection.query(await sqlOf('capture.sql'));
    const [rows] = await connection.query("show grants for 'sluice'@'%'");
    assert.match(JSON.stringify(rows), /REPLICATION SLAVE.* ON \*\.\*/);
  } finally {
    await connection.query("drop user if exists 'sluice'@'%'");
    await connection.end();
  }
});
