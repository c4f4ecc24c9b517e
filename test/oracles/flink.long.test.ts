/**
 * Flink, the engine, against the reference: dumps by seed, without servers. Long, since pip installs 330 MB the first time; without python3, pip or Java it is
 * skipped, and says so.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from '#topology';
import { schemas } from '#schemas';
import { type Comparison, compareRows } from '../../dev/verify/compare.ts';
import { FLINK_TABLES, openFlink, type SecondEngine } from '../../dev/verify/flink/flink.ts';
import type { LateEntry } from '../../dev/verify/flink/late-records.ts';
import { type BronzeDump, type BronzeRecord, OracleDatabase } from '../../dev/verify/oracle-database.ts';
import { columnsOf, type Definitions, type Row, textOf, VERIFIED_TABLES } from '../../dev/verify/tables.ts';
import { isWrong } from './judge.ts';
import { type Expected, expectedOf } from './reference.ts';
import { HOUR, makeDump } from './synthetic.ts';

const PLENTY = 50;
const PURCHASES = 'silver.purchases_enriched';
const definitions = Object.fromEntries(
  Object.values(schemas).map((schema) => [schema.name, schema.definition]),
) as unknown as Definitions;
const columns = new Map(VERIFIED_TABLES.map((table) => [table.name, columnsOf(table, definitions)] as const));

const flink = await openFlink((text) => console.error(text)).catch((error: unknown) => {
  if (error instanceof ConfigError) return error.message;
  throw error;
});
const missing = typeof flink === 'string' ? flink : undefined;

function rowsOf(expected: Expected, table: string): Row[] {
  const names = columns.get(table) ?? [];
  return (expected.tables[table] ?? []).map((row) => names.map((name) => textOf(row[name])));
}

/** What the late topics would hold: what the SQL oracles have as late, with the event's id. */
async function lateOf(database: OracleDatabase): Promise<LateEntry[]> {
  const reader = await database.connection.runAndReadAll(`
    WITH refused AS (
      SELECT 'gold.registrations_hourly' AS stage, 'bronze.app.registrations' AS topic, partition, "offset", window_start, window_start IS NULL AS at_dedupe
      FROM late."gold.registrations_hourly"
      UNION ALL
      SELECT 'silver.sessions', what, partition, "offset", NULL, beyond_horizon FROM late."silver.sessions" JOIN app_event a USING (partition, "offset")
      WHERE a.topic = what
    )
    SELECT stage, json_extract_string(value, '$.eventId'), ts, at_dedupe, window_start FROM refused JOIN record USING (topic, partition, "offset")`);
  return reader.getRowsJS().map(([stage, id, timestamp, isAtDedupe, windowStart]) => ({
    stage: stage as string,
    id: id as string,
    timestamp: Number(timestamp),
    isAtDedupe: isAtDedupe === true,
    windowStart: windowStart === null ? null : Number(windowStart),
  }));
}

/** What Flink makes of a dump, against what is held to be right. */
async function compare(engine: SecondEngine, dump: BronzeDump, truth: Expected): Promise<Map<string, Comparison>> {
  const database = await OracleDatabase.of(dump);
  try {
    await database.run();
    const late = await lateOf(database);
    const purchases = rowsOf(truth, PURCHASES);
    const found = await engine.rows(database, { late, purchases, columns: columns.get(PURCHASES) ?? [] }, columns);
    const compared = FLINK_TABLES.map((name) => {
      const identity = VERIFIED_TABLES.find((table) => table.name === name)?.identity ?? [];
      const rows = compareRows(name, columns.get(name) ?? [], identity, rowsOf(truth, name), found.get(name) ?? []);
      return [name, rows] as const;
    });
    return new Map(compared);
  } finally {
    database.close();
  }
}

/** A dump in which each of the tables has many rows, and something is late in each way. */
const [dump, truth, seed] = ((): [BronzeDump, Expected, number] => {
  for (let seed = Number(process.env['SLUICE_SEED'] ?? 1); ; seed++) {
    const made = makeDump(seed);
    const expected = expectedOf(made);
    const isLate = (expected.late['silver.sessions'] ?? 0) > 0 && (expected.late['gold.registrations_hourly'] ?? 0) > 0;
    if (isLate && FLINK_TABLES.every((name) => (expected.tables[name] ?? []).length >= PLENTY))
      return [made, expected, seed];
  }
})();

const changed = (topic: string, of: (record: BronzeRecord) => Partial<BronzeRecord>): BronzeDump => {
  const last = dump.records.findLast((each) => each.topic === topic && each.value !== null);
  assert.ok(last !== undefined, topic);
  return { ...dump, records: dump.records.map((each) => (each === last ? { ...each, ...of(each) } : each)) };
};

describe(`Flink${missing === undefined ? '' : ` (skipped: ${missing})`}`, { skip: missing }, () => {
  assert.ok(missing !== undefined || typeof flink !== 'string');
  const engine = flink as SecondEngine;

  test('gives the rows that the rules demand', async (t) => {
    const results = await compare(engine, dump, truth);
    for (const result of results.values()) {
      assert.ok(
        result.ok && result.rows >= PLENTY,
        `SLUICE_SEED=${seed}: ${result.name}\n${result.examples.join('\n')}`,
      );
      t.diagnostic(`seed ${seed}: ${result.name} ${result.rows} rows`);
    }
  });

  test('one changed bronze record is noticed, in the table that it is of and in no other', async () => {
    const moved = changed('bronze.app.registrations', ({ value, timestamp }) => ({
      timestamp: timestamp - 20 * HOUR,
      value: { ...(value as object), country: 'ZZ' },
    }));
    const results = await compare(engine, moved, truth);
    assert.deepEqual(
      FLINK_TABLES.filter((name) => isWrong(results.get(name)!)),
      ['gold.registrations_hourly'],
    );
  });

  test('nothing in, nothing out: no success', async () => {
    const empty: BronzeDump = { records: [], pins: [], ends: dump.ends };
    for (const result of (await compare(engine, empty, expectedOf(empty))).values()) assert.equal(result.ok, false);
  });
});
