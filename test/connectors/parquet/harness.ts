/** A lake in a folder of its own, read by DuckDB through its logs. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { createParquetSink, lakeFiles, type ParquetSinkOptions } from '../../../connectors/parquet/index.ts';
import type { Logger, Sink, SinkRecord } from '#topology';
import type { SinkHarness } from '../sink.contract.ts';

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
export const topic = 'gold.numbers';
export const definition = {
  type: 'record',
  name: 'Numbers',
  fields: [
    { name: 'someNumber', type: 'long' },
    { name: 'label', type: ['null', 'string'], default: null },
  ],
};

/** Some hours in July 2026. */
const START = Date.UTC(2026, 6, 1, 22);
const QUARTER = 900_000;

export interface TestLake {
  readonly root: string;
  query(sql: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

export async function makeLake(): Promise<TestLake> {
  const root = await mkdtemp(join(tmpdir(), 'sluice-lake-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  await connection.run("set timezone = 'UTC'");
  return {
    root,
    query: async (sql) => (await connection.runAndReadAll(sql)).getRowObjects(),
    async close() {
      connection.closeSync();
      instance.closeSync();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** DuckDB's name for committed files. */
export function parquet(files: readonly string[]): string {
  const list = files.map((file) => `'${file.replaceAll("'", "''")}'`).join(', ');
  return `read_parquet([${list}], hive_partitioning = false, union_by_name = true, filename = true)`;
}

export function makeSink(root: string, more: Partial<ParquetSinkOptions> = {}): Sink {
  return createParquetSink({
    root,
    topics: [topic],
    schemaFor: () => ({ schema: definition, key: 'text' }),
    logger: silent,
    merge: { fanIn: 4 },
    ...more,
  });
}

/** Records of several hours, some late. */
export function numberRecord(offset: bigint, key: string, n: number): SinkRecord {
  const timestamp = START + Number(offset / 40n) * QUARTER - (offset % 13n === 0n ? 2 * 3_600_000 : 0);
  return { offset, timestamp, key, value: { someNumber: n, label: `n${n}` } };
}

export async function startHarness(more: Partial<ParquetSinkOptions> = {}): Promise<SinkHarness & { lake: TestLake }> {
  const lake = await makeLake();
  const sinks: Sink[] = [];
  const read = async (columns: string, order: string): Promise<Record<string, unknown>[]> => {
    const files = await lakeFiles(lake.root, topic);
    if (files.length === 0) return [];
    return lake.query(`select ${columns} from ${parquet(files)} order by ${order}`);
  };
  return {
    lake,
    topic,
    makeSink() {
      const sink = makeSink(lake.root, more);
      sinks.push(sink);
      return sink;
    },
    record: numberRecord,
    poison: (offset, key) => ({ ...numberRecord(offset, key, 1), value: { someNumber: 1, label: 'a\uD800b' } }),
    async rows() {
      const rows = await read('_key, "someNumber" as n, _tombstone', '_partition, _offset');
      const newest = new Map<string, number>();
      for (const row of rows) {
        if (row['_tombstone'] === true) newest.delete(String(row['_key']));
        else newest.set(String(row['_key']), Number(row['n']));
      }
      return newest;
    },
    // The suite takes a partition after the other, and offsets only grow within one.
    history: async () => (await read('_offset', '_partition, _offset')).map((row) => row['_offset'] as bigint),
    async close() {
      await Promise.all(sinks.map((sink) => sink.close()));
      await lake.close();
    },
  };
}
