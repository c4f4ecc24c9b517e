/** Gold tables from a real PostgreSQL: newest rows, charts, and what becomes of a question that has no answer. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { createWarehouseProbe, type GoldTableNow, type GoldView, type Probe } from '../../dashboard/index.ts';

const schema = `dash_${randomBytes(4).toString('hex')}`;
const soon = (): number => Date.now() + 60_000;

function viewOf(table: string, sql: string, more: Partial<GoldView> = {}): GoldView {
  return {
    table: `${schema}.${table}`,
    about: '',
    columns: [
      { name: 'at', kind: 'time' },
      { name: 'who', kind: 'text' },
      { name: 'revenue', kind: 'number' },
    ],
    orderBy: 'at desc, revenue desc',
    chart: { kind: 'series', title: 't', unit: '', sql },
    ...more,
  };
}

describe('gold tables in PostgreSQL', () => {
  const connectionString = process.env['SLUICE_TEST_POSTGRES'] ?? '';
  const client = new Client({ connectionString });
  const probes: Probe<readonly GoldTableNow[]>[] = [];
  const series = `select at, who as label, sum(revenue) as value from ${schema}.sales group by 1, 2`;

  before(async () => {
    assert.notEqual(connectionString, '', 'SLUICE_TEST_POSTGRES is not set: npm test starts the parts');
    await client.connect();
    await client.query(`create schema ${schema}`);
    await client.query(`create table ${schema}.sales (at timestamptz, who text, revenue numeric(18, 2))`);
    await client.query(
      `insert into ${schema}.sales select '2026-01-31T00:00:00Z'::timestamptz + h * interval '1 hour', 'w' || i, 10 ^ i
       from generate_series(0, 3) h, generate_series(0, 3) i`,
    );
    await client.query(`insert into ${schema}.sales values ('2026-01-30T00:00:00Z', null, 5)`);
  });
  after(async () => {
    for (const probe of probes) probe.reset?.();
    // What has no connection waits for one.
    if (connectionString === '') return;
    await client.query(`drop schema if exists ${schema} cascade`);
    await client.end();
  });

  function probeOf(views: readonly GoldView[], timeoutMs = 20_000): Probe<readonly GoldTableNow[]> {
    const probe = createWarehouseProbe({ connectionString, views, timeoutMs });
    probes.push(probe);
    return probe;
  }

  test('newest rows first, by their figures and not by their texts', async () => {
    const [table] = await probeOf([viewOf('sales', series)]).read(soon());
    assert.equal(table?.problem, null);
    assert.deepEqual(table.newest.slice(0, 5), [
      ['2026-01-31 03:00', 'w3', '1000.00'],
      ['2026-01-31 03:00', 'w2', '100.00'],
      ['2026-01-31 03:00', 'w1', '10.00'],
      ['2026-01-31 03:00', 'w0', '1.00'],
      ['2026-01-31 02:00', 'w3', '1000.00'],
    ]);
    assert.ok(table.chart?.kind === 'series');
    assert.equal(table.chart.times.length, 5);
    assert.deepEqual(
      table.chart.series.map(({ label, values }) => [label, values.at(-1)]),
      [
        ['w3', 1000],
        ['w2', 100],
        ['w1', 10],
        ['(none)', 0],
        ['w0', 1],
      ],
    );
  });

  test('only the rows that are meant', async () => {
    const [table] = await probeOf([viewOf('sales', series, { where: 'who is null' })]).read(soon());
    assert.deepEqual(table?.newest, [['2026-01-30 00:00', null, '5.00']]);
  });

  test('a table that is not there yet, and one that takes too long, keep no other from being shown', async () => {
    const slow = viewOf('sales', `select at, who as label, 1 as value from ${schema}.sales, pg_sleep(30)`);
    const probe = probeOf([viewOf('none', series), slow, viewOf('sales', series)], 2_000);
    const tables = await probe.read(soon());
    assert.deepEqual(
      tables.map(({ problem }) => problem),
      ['no rows yet', 'the query took too long', null],
    );
    assert.ok((tables[2]?.newest.length ?? 0) > 0);
  });

  test('it cannot write', async () => {
    const writes = viewOf(
      'sales',
      `insert into ${schema}.sales values (now(), 'dashboard', 1) returning at, who as label, 1 as value`,
    );
    await assert.rejects(probeOf([writes]).read(soon()), { code: '25006' });
    const { rows } = await client.query(`select * from ${schema}.sales where who = 'dashboard'`);
    assert.deepEqual(rows, []);
  });

  test('a connection that was cut is thrown away, and the next question makes another', async () => {
    const probe = probeOf([viewOf('sales', series)]);
    await probe.read(soon());
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sluice dashboard' and query like '%${schema}%'`,
    );
    await assert.rejects(probe.read(soon()));
    probe.reset?.();
    const [table] = await probe.read(soon());
    assert.equal(table?.problem, null);
  });
});
