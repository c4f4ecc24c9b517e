/** PostgreSQL as a warehouse: a table per topic, newest row per key, exactly once. */
import { hostname } from 'node:os';
import { randomBytes } from 'node:crypto';
import { ConfigError, ConnectorError, type Logger, type Sink, type SinkPartition } from '#topology';
import { escapeIdentifier } from 'pg';
import { TableWriter } from './batch.ts';
import { claimPartition, FORGET, OFFSETS_TABLE } from './claim.ts';
import { Database, Refused } from './database.ts';
import { sqlState } from './failure.ts';
import { ensureTable, type Table, type TableName, tableOf } from './table.ts';

/** What a topic's table is made of. */
export interface TableSource {
  /** Avro definition of the topic's values: a record. */
  readonly schema: unknown;
  readonly table: TableName;
}

/** Options of `createPostgresSink`. */
export interface PostgresSinkOptions {
  /** postgres://user:password@host:port/database. Never logged, never part of an error. */
  readonly connectionString: string;
  /** The app: its positions in sluice.sink_offsets are its own. */
  readonly application: string;
  readonly topics: readonly string[];
  schemaFor(topic: string): TableSource;
  readonly logger: Logger;
  /** Connections at most (4): as many partitions are written at once. */
  readonly maxConnections?: number;
  readonly connectTimeoutMs?: number;
  readonly statementTimeoutMs?: number;
}

/** Any number that other programs do not take for their own advisory lock: 'sluice' in ASCII. */
const DDL_LOCK = '126939419894629';
const SCHEMA_EXISTS = 'select 1 from pg_namespace where nspname = $1';
const OFFSETS_EXISTS =
  "select 1 from pg_class c where c.relnamespace = 'sluice'::regnamespace and c.relname = 'sink_offsets'";
const NO_RIGHT = '42501';

/**
 * A sink that keeps table `<schema>.<name>` equal to the newest record of every key of its topic: column `key` (the record's key, text), one
 * per Avro field in snake_case, `_offset` and `_partition` of the record. A record without value deletes the row.
 *
 * A table that was dropped is made again and filled from the start of its topic.
 *
 * Rows and position are one transaction, fenced by an epoch per partition (claim.ts), so a crash at any moment leaves neither a hole nor a row
 * of a former owner. Tables are made and get new nullable columns by themselves; any other difference is ConnectorError SLC_POSTGRES_SCHEMA
 * with the statement to run. Further: RetriableError SLC_POSTGRES_AWAY, ConnectorError SLC_POSTGRES_ACCESS, SinkRecordError SLC_RECORD_POSTGRES,
 * TaskMigratedError SLC_TASK_MIGRATED; ConfigError SLC_CONFIG_POSTGRES from this function itself.
 */
export function createPostgresSink(options: PostgresSinkOptions): Sink {
  const tables = new Map(
    options.topics.map((topic) => {
      const { schema, table } = options.schemaFor(topic);
      return [topic, tableOf(topic, schema, table)] as const;
    }),
  );
  const writers = new Map([...tables.values()].map((table, id) => [table, new TableWriter(table, id)]));
  const database = new Database({
    connectionString: options.connectionString,
    applicationName: `sluice ${options.application}`,
    maxConnections: options.maxConnections ?? 4,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    statementTimeoutMs: options.statementTimeoutMs ?? 15_000,
  });
  const owner = `${hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`;

  return {
    name: `PostgreSQL at ${database.target}`,
    open: () => makeTables(database, options.application, [...tables.values()], options.logger),
    async claim(topic: string, partition: number): Promise<SinkPartition> {
      const table = tables.get(topic);
      const writer = table === undefined ? undefined : writers.get(table);
      if (table === undefined || writer === undefined) {
        throw new ConfigError('SLC_CONFIG_POSTGRES', `topic ${topic} is none of the sink's`, { where: topic });
      }
      return claimPartition({ database, application: options.application, owner, table, writer, partition });
    },
    close: () => database.close(),
  };
}

/** One transaction under a lock: two sinks that start together would trip over each other's DDL. */
async function makeTables(
  database: Database,
  application: string,
  tables: readonly Table[],
  logger: Logger,
): Promise<void> {
  await database.transaction(async (client) => {
    await client.query('select pg_advisory_xact_lock($1::bigint)', [DDL_LOCK]);
    await refusable(async () => {
      for (const schema of new Set(['sluice', ...tables.map((table) => table.schema)])) {
        // "if not exists" would ask for the right to create even where nothing is to be created.
        const { rowCount } = await client.query(SCHEMA_EXISTS, [schema]);
        if (rowCount === 0) await client.query(`create schema ${escapeIdentifier(schema)}`);
      }
      const { rowCount } = await client.query(OFFSETS_EXISTS);
      if (rowCount === 0) for (const statement of OFFSETS_TABLE) await client.query(statement);
      for (const table of tables) {
        // A table that somebody dropped is filled again from the start of its topic: an empty table holds nothing.
        if (await ensureTable(client, table, logger)) await client.query(FORGET, [application, table.topic]);
      }
    });
  });
}

async function refusable(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof ConnectorError) throw new Refused(error);
    if (sqlState(error) !== NO_RIGHT) throw error;
    throw new Refused(
      new ConnectorError(
        'SLC_POSTGRES_SCHEMA',
        `the sink's user may not make its tables: ${(error as Error).message}`,
        {
          hint: 'run: grant create on database <database> to <user>; or make the schemas and tables with a user that may',
          cause: error,
        },
      ),
    );
  }
}
