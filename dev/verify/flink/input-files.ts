/** The files that Flink reads, made of the dump that the SQL oracles have too: no column is cleaned or joined here. */
import { join } from 'node:path';
import type { OracleDatabase } from '../oracle-database.ts';
import type { Row } from '../tables.ts';
import type { LateEntry } from './late-records.ts';

/** Stage whose late topic counts, the topic that the file is made of, and its columns besides id, time and lateness. */
const EVENTS = {
  registrations: ['gold.registrations_hourly', 'bronze.app.registrations', ['country']],
  pageviews: ['silver.sessions', 'bronze.app.pageviews', ['anonymousId', 'channel']],
  cart_events: ['silver.sessions', 'bronze.app.cart_events', ['anonymousId', 'channel', 'action']],
} as const satisfies Record<string, readonly [string, string, readonly string[]]>;

/** Of silver.purchases_enriched, as numbers and as text. */
const PURCHASE_NUMBERS = ['purchaseId', 'userId', 'quantity', 'revenue'];
const PURCHASE_TEXTS = ['category', 'country'];
const SALES = 'gold.sales_perf_24h';

/** What the files are made of, besides the bronze records in the database. */
export interface FlinkDump {
  readonly late: readonly LateEntry[];
  /** Records of silver.purchases_enriched and their columns. */
  readonly purchases: readonly Row[];
  readonly columns: readonly string[];
}

/** Writes them into a folder; resolves with how far behind the newest record one of each file is at most, plus 1, ms. */
export async function writeInputFiles(
  database: OracleDatabase,
  dump: FlinkDump,
  folder: string,
): Promise<Record<string, number>> {
  await appendLate(database, dump.late);
  await appendPurchases(database, dump);
  const behind: Record<string, number> = {};
  for (const [file, [stage, topic, columns]] of Object.entries(EVENTS)) {
    behind[file] = await writeFile(database, join(folder, `${file}.json`), eventsOf(stage, topic, columns));
  }
  behind['purchases'] = await writeFile(database, join(folder, 'purchases.json'), PURCHASES);
  return behind;
}

/**
 * An event is late as a whole when each of its records was, or when it was one that no session took. Flink counts an id once, however long ago it was: where records of
 * one id lie so far apart that several count (no simulator sends such), those that the SQL oracles take get ids of their own.
 */
function eventsOf(stage: string, topic: string, columns: readonly string[]): string {
  const text = columns.map((name) => `json_extract_string(value, '$.${name}') AS "${name}"`).join(', ');
  return `
    WITH event AS (
      SELECT *, json_extract_string(value, '$.eventId') AS event_id,
        max(ts) OVER (PARTITION BY event_id) - min(ts) OVER (PARTITION BY event_id) > seen_within(topic) AS comes_again
      FROM record WHERE topic = '${topic}' AND value IS NOT NULL
    ),
    told AS (
      SELECT id, ts, count(*) FILTER (at_dedupe) AS records, bool_or(NOT at_dedupe AND window_start IS NULL) AS whole,
        coalesce('|' || string_agg(DISTINCT iso(window_start), '|') || '|', '') AS windows
      FROM flink.late WHERE stage = '${stage}' GROUP BY id, ts
    )
    SELECT event_id || CASE WHEN comes_again THEN '@' || event."offset" ELSE '' END AS id, event.ts,
      CAST(json_extract_string(value, '$.receivedAt') AS BIGINT) AS "receivedAt",
      CAST(json_extract_string(value, '$.userId') AS BIGINT) AS "userId", ${text},
      CASE
        WHEN coalesce(whole, false) OR coalesce(records, 0) >= count(*) OVER (PARTITION BY event_id, event.ts) THEN 'all'
        WHEN comes_again AND NOT EXISTS (FROM first_event f WHERE f.topic = event.topic AND f.partition = event.partition AND f."offset" = event."offset") THEN 'all'
        ELSE coalesce(windows, '')
      END AS late
    FROM event LEFT JOIN told ON told.id = event.event_id AND told.ts = event.ts
    ORDER BY event."offset", event.partition`;
}

const PURCHASES = `
  WITH told AS (
    SELECT id, '|' || string_agg(DISTINCT iso(window_start), '|') || '|' AS windows FROM flink.late WHERE stage = '${SALES}' GROUP BY id
  )
  SELECT purchase.id, ts, "userId", category, country, quantity, revenue, coalesce(windows, '') AS late
  FROM flink.purchase LEFT JOIN told ON told.id = purchase.id
  ORDER BY n`;

/** The rows of a query in its order; resolves with how far back their time goes at most, plus 1. */
async function writeFile({ connection }: OracleDatabase, file: string, query: string): Promise<number> {
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE written AS SELECT row_number() OVER () AS line, * FROM (${query})`,
  );
  await connection.run(
    `COPY (SELECT * EXCLUDE (line) FROM written ORDER BY line) TO '${file.replaceAll("'", "''")}' (FORMAT json)`,
  );
  const reader = await connection.runAndReadAll(
    `SELECT coalesce(max(newest - ts), 0) + 1 FROM (SELECT ts, max(ts) OVER (ORDER BY line) AS newest FROM written)`,
  );
  return Number(reader.getRowsJS()[0]?.[0]);
}

async function appendLate({ connection }: OracleDatabase, entries: readonly LateEntry[]): Promise<void> {
  await connection.run(
    'CREATE SCHEMA flink; CREATE TABLE flink.late (stage VARCHAR, id VARCHAR, ts BIGINT, at_dedupe BOOLEAN, window_start BIGINT)',
  );
  const to = await connection.createAppender('late', 'flink');
  for (const { stage, id, timestamp, isAtDedupe, windowStart } of entries) {
    to.appendVarchar(stage);
    to.appendVarchar(id);
    to.appendBigInt(BigInt(timestamp));
    to.appendBoolean(isAtDedupe);
    if (windowStart === null) to.appendNull();
    else to.appendBigInt(BigInt(windowStart));
    to.endRow();
  }
  to.closeSync();
}

async function appendPurchases({ connection }: OracleDatabase, { purchases, columns }: FlinkDump): Promise<void> {
  await connection.run(
    `CREATE TABLE flink.purchase (n BIGINT, id VARCHAR, ts BIGINT, "userId" BIGINT, quantity BIGINT, revenue BIGINT, category VARCHAR, country VARCHAR)`,
  );
  const to = await connection.createAppender('purchase', 'flink');
  for (const [n, row] of purchases.entries()) {
    const of = (name: string): string => row[columns.indexOf(name)] ?? '';
    const [id, ...numbers] = PURCHASE_NUMBERS.map(of);
    to.appendBigInt(BigInt(n));
    to.appendVarchar(id ?? '');
    for (const number of [of('_ts'), ...numbers]) to.appendBigInt(BigInt(number));
    for (const name of PURCHASE_TEXTS) to.appendVarchar(of(name));
    to.endRow();
  }
  to.closeSync();
}
