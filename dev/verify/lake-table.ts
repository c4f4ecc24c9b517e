/** A topic in the lake as rows, and their comparison with the topic's records: in SQL, since it is all of them. */
import { type DuckDBAppender, type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Comparison } from './compare.ts';
import { LakeColumns, quote, text } from './lake-columns.ts';
import type { LakePartitionView } from './lake.ts';
import type { Range } from './read-topics.ts';

/** What came of one topic. */
export interface LakeTopicResult {
  readonly topic: string;
  readonly rows: Comparison;
  /** Records that the sink's dead letters hold instead of the lake. */
  readonly dead: number;
}

/** What a record is when it decodes; undefined: it does not. */
type Decoded = { readonly key: unknown; readonly value: unknown } | undefined;
type Append = (partition: number, offset: number, timestamp: number, decoded: Decoded) => void;

const MEMORY_LIMIT = '2GB';
const EXAMPLES = 5;

/** How the rows of a topic's files become records again. */
export class LakeTable {
  readonly topic: string;
  readonly values: LakeColumns;
  /** undefined: keys are text. */
  readonly keys: LakeColumns | undefined;
  readonly cleanup: 'delete' | 'compact';

  constructor(topic: string, definition: unknown, key: unknown, cleanup: 'delete' | 'compact') {
    this.topic = topic;
    this.cleanup = cleanup;
    this.values = new LakeColumns(definition);
    this.keys = key === undefined ? undefined : new LakeColumns(key);
  }

  key(value: unknown): string | null {
    if (this.keys !== undefined) return this.keys.json(value);
    return typeof value === 'string' ? value : null;
  }

  /** A query of topic, partition, offset, ts (ms), key and value (JSON) over exactly these files; undefined when there are none. */
  async select(connection: DuckDBConnection, files: readonly string[]): Promise<string | undefined> {
    if (files.length === 0) return undefined;
    const list = files.map(text).join(', ');
    const source = `read_parquet([${list}], union_by_name = true, hive_partitioning = false)`;
    const columns = (await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`)).getRowsJS();
    const present = new Set(columns.map(([name]) => name as string));
    const key = this.keys === undefined ? '"_key"' : this.keys.sqlOf('"_key"');
    return `SELECT "_topic" AS topic, "_partition" AS partition, "_offset" AS "offset", epoch_ms("_timestamp") AS ts,
      ${key} AS key, CASE WHEN NOT "_tombstone" THEN ${this.values.sql(present)} END AS value FROM ${source}`;
  }
}

/**
 * Compares the rows of a topic's files with its records below the ends of `ranges`. `records` hands over those that must be in the lake and answers
 * how many it left out as dead letters. An empty topic with an empty lake is right: it shows nothing, and nothing is wrong.
 */
export async function compareLakeTopic(
  table: LakeTable,
  ranges: readonly Range[],
  partitions: readonly LakePartitionView[],
  records: (append: Append) => Promise<number>,
): Promise<LakeTopicResult> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: MEMORY_LIMIT });
  const connection = await instance.connect();
  try {
    await connection.run(`CREATE TABLE kept (partition INTEGER, "start" BIGINT, "end" BIGINT);
      CREATE TABLE wanted (partition INTEGER, "offset" BIGINT, ts BIGINT, key VARCHAR, value VARCHAR)`);
    const kept = await connection.createAppender('kept');
    for (const range of ranges) {
      kept.appendInteger(range.partition);
      kept.appendBigInt(range.start);
      kept.appendBigInt(range.end);
      kept.endRow();
    }
    kept.closeSync();
    const wanted = await connection.createAppender('wanted');
    const dead = await records((...record) => append(wanted, table, ...record));
    wanted.closeSync();
    const rows = await table.select(
      connection,
      partitions.flatMap((partition) => partition.files),
    );
    const byLog = partitions.reduce((sum, partition) => sum + partition.rows, 0);
    await connection.run(`CREATE TABLE file_row AS ${rows ?? NO_ROWS}`);
    await connection.run(`SET VARIABLE topic = ${text(table.topic)}; SET VARIABLE cleanup = ${text(table.cleanup)}`);
    await connection.run(COMPARE);
    return { topic: table.topic, rows: await resultOf(connection, table.topic, byLog), dead };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

const NO_ROWS = `SELECT NULL::VARCHAR AS topic, partition, "offset", ts, key, value FROM wanted WHERE false`;
/** Both sides, row by row: what the lake has beyond the range that Kafka still keeps, or that was taken before, is not compared. */
const COMPARE = `
CREATE TABLE found AS
  SELECT f.* FROM file_row f JOIN kept USING (partition) WHERE f."offset" >= kept."start" AND f."offset" < kept."end"
  UNION ALL SELECT f.* FROM file_row f ANTI JOIN kept USING (partition);
-- What Kafka has compacted away: a newer record of the key is in the lake, or it is a delete, which goes in the end too.
CREATE TABLE compacted AS
  SELECT partition, "offset" FROM (
    SELECT partition, "offset", value IS NULL OR "offset" < max("offset") OVER (PARTITION BY partition, key) AS may_go FROM found)
  ANTI JOIN wanted USING (partition, "offset")
  WHERE may_go AND getvariable('cleanup') = 'compact';
CREATE TABLE pair AS
  SELECT partition, "offset", w."offset" IS NULL AS is_extra, f."offset" IS NULL AS is_missing, f.topic,
    w.ts AS wanted_ts, f.ts AS found_ts, w.key AS wanted_key, f.key AS found_key, json(w.value) AS wanted_value, f.value AS found_value,
    row_number() OVER (PARTITION BY partition, "offset") AS copy
  FROM wanted w FULL JOIN (FROM found ANTI JOIN compacted USING (partition, "offset")) f USING (partition, "offset");
CREATE VIEW wrong AS
  SELECT partition, "offset", CASE
    WHEN is_missing THEN 'missing'
    WHEN is_extra THEN 'extra'
    WHEN copy > 1 THEN 'twice'
    ELSE 'different' END AS what,
    CASE WHEN is_missing OR is_extra OR copy > 1 THEN '' ELSE concat_ws('; ',
      CASE WHEN wanted_ts IS DISTINCT FROM found_ts THEN 'timestamp ' || wanted_ts || ' in the topic, ' || found_ts || ' in the lake' END,
      CASE WHEN wanted_key IS DISTINCT FROM found_key
        THEN 'key ' || coalesce(wanted_key, 'null') || ' in the topic, ' || coalesce(found_key, 'null') || ' in the lake' END,
      CASE WHEN wanted_value IS DISTINCT FROM found_value
        THEN 'value ' || coalesce(wanted_value, 'null') || ' in the topic, ' || coalesce(found_value, 'null') || ' in the lake' END,
      CASE WHEN topic IS DISTINCT FROM getvariable('topic') THEN 'it says topic ' || coalesce(topic, 'null') END) END AS detail
  FROM pair
  WHERE is_missing OR is_extra OR copy > 1 OR wanted_ts IS DISTINCT FROM found_ts OR wanted_key IS DISTINCT FROM found_key
    OR wanted_value IS DISTINCT FROM found_value OR topic IS DISTINCT FROM getvariable('topic')`;

function append(
  to: DuckDBAppender,
  table: LakeTable,
  partition: number,
  offset: number,
  timestamp: number,
  decoded: Decoded,
): void {
  to.appendInteger(partition);
  to.appendBigInt(BigInt(offset));
  to.appendBigInt(BigInt(timestamp));
  // What does not decode is in no file: it is missed unless the dead letters have it.
  for (const each of [table.key(decoded?.key), table.values.json(decoded?.value)]) {
    if (each === null) to.appendNull();
    else to.appendVarchar(each);
  }
  to.endRow();
}

async function resultOf(connection: DuckDBConnection, topic: string, byLog: number): Promise<Comparison> {
  const ask = async (query: string) => (await connection.runAndReadAll(query)).getRowsJS();
  const [counts = []] = await ask(
    `SELECT (SELECT count(*) FROM wanted), (SELECT count(*) FROM file_row),
       ${['missing', 'extra', 'twice', 'different'].map((what) => `count(*) FILTER (what = '${what}') AS ${quote(what)}`).join(', ')} FROM wrong`,
  );
  const [rows = 0, inFiles = 0, missing = 0, extra = 0, twice = 0, differing = 0] = counts.map(Number);
  const shown = await ask(
    `SELECT what || ' ' || partition || '@' || "offset" || CASE WHEN detail = '' THEN '' ELSE ': ' || detail END
     FROM wrong ORDER BY partition, "offset" LIMIT ${EXAMPLES}`,
  );
  const examples = shown.map(([line]) => (line as string).slice(0, 2_000));
  if (inFiles !== byLog) examples.push(`the log says ${byLog} rows, the files have ${inFiles}`);
  return {
    name: `${topic} in the lake`,
    rows,
    differing,
    missing,
    extra: extra + twice,
    examples,
    ok: examples.length === 0,
  };
}
