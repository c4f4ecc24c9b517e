/** A lake of Parquet files: every record of a topic, once, by hour of event time. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { ConfigError, type Logger, type Sink, type SinkPartition } from '#topology';
import { fileError, makeFolder } from './durable.ts';
import type { ParquetFormat } from './format.ts';
import { hyparquetFormat } from './hyparquet.ts';
import { Housekeeper } from './housekeeper.ts';
import { liteFormat } from './lite.ts';
import { DEFAULT_MERGE_LIMITS, type MergeLimits } from './merge.ts';
import { claimPartition, type LakePartition } from './partition.ts';
import { logFolder, tableOf } from './table.ts';

/** What a topic's files are made of: Avro definitions, of a record for values, 'text' or any for keys. */
export interface LakeSource {
  readonly schema: unknown;
  readonly key: unknown;
}

/** Libraries that can write the files. */
export type ParquetWriterName = 'hyparquet-writer' | 'parquetjs-lite';

/** Options of `createParquetSink`. */
export interface ParquetSinkOptions {
  /** The lake's folder; a topic's is below it. Belongs to one application. */
  readonly root: string;
  readonly topics: readonly string[];
  schemaFor(topic: string): LakeSource;
  readonly logger: Logger;
  /** hyparquet-writer unless said. parquetjs-lite refuses what it would lose (docs/decisions). */
  readonly writer?: ParquetWriterName;
  readonly merge?: Partial<MergeLimits>;
  /** How long files that were merged stay for those who are reading them, ms (10 minutes). */
  readonly retentionMs?: number;
}

const FORMATS: Readonly<Record<ParquetWriterName, ParquetFormat>> = {
  'hyparquet-writer': hyparquetFormat,
  'parquetjs-lite': liteFormat,
};
const RETENTION_MS = 600_000;

/**
 * A sink that keeps every record of its topics in `<root>/<topic>/day=<UTC day>/hour=<hour>/*.parquet`, by event time: the columns of the Avro schema under
 * their own names (timestamps as UTC microseconds, decimals, dates and uuids as such), then _topic, _partition, _offset, _timestamp, _tombstone, _key.
 *
 * A file counts only when the log of its partition names it (`<root>/<topic>/_log/<partition>/`): read through `lakeFiles`, never by a pattern.
 * Rows and position are one entry of that log, and whoever creates the next entry has won, so a crash at any moment leaves neither a hole nor
 * a row twice. What `write` resolved for is on disk (fsync). Small files of an hour are merged in the background, an entry of the log too.
 *
 * Errors: RetriableError SLC_PARQUET_AWAY, ConnectorError SLC_PARQUET_ACCESS, SLC_PARQUET_LOG and SLC_PARQUET_SCHEMA, SinkRecordError SLC_RECORD_PARQUET,
 * TaskMigratedError SLC_TASK_MIGRATED; ConfigError SLC_CONFIG_PARQUET from this function itself.
 */
export function createParquetSink(options: ParquetSinkOptions): Sink {
  const root = resolve(options.root);
  const format = FORMATS[options.writer ?? 'hyparquet-writer'];
  if (format === undefined) {
    throw new ConfigError('SLC_CONFIG_PARQUET', `there is no Parquet writer ${String(options.writer)}`, {
      hint: `choose one of ${Object.keys(FORMATS).join(', ')}`,
    });
  }
  const tables = new Map(
    options.topics.map((topic) => [topic, tableOf(root, topic, options.schemaFor(topic), format)]),
  );
  const housekeeper = new Housekeeper(
    { ...DEFAULT_MERGE_LIMITS, ...options.merge },
    options.retentionMs ?? RETENTION_MS,
    options.logger,
  );
  const owner = `${hostname()}/${process.pid}/${randomBytes(4).toString('hex')}`;
  const claims = new Set<LakePartition>();

  return {
    name: `lake at ${root}`,
    async open() {
      try {
        for (const table of tables.values()) await makeFolder(logFolder(table.folder, 0));
      } catch (error) {
        throw fileError(error, root);
      }
    },
    async claim(topic: string, partition: number): Promise<SinkPartition> {
      const table = tables.get(topic);
      if (table === undefined) {
        throw new ConfigError('SLC_CONFIG_PARQUET', `topic ${topic} is none of the sink's`, { where: topic });
      }
      const claim = await claimPartition({
        table,
        partition,
        owner,
        onCommit: (each) => housekeeper.visit(each),
      });
      claims.add(claim);
      claim.closed.signal.addEventListener('abort', () => claims.delete(claim), { once: true });
      housekeeper.welcome(claim);
      return claim;
    },
    async close() {
      await Promise.all([...claims].map((claim) => claim.close()));
      await housekeeper.close();
    },
  };
}
