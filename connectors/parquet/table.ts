/** A topic in the lake: its folder, its columns, and records as rows of its files. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { RejectedRecord, SinkRecord } from '#topology';
import { type Column, columnsOf } from './columns.ts';
import { encodeValue, MAX_TIME_MS, MIN_TIME_MS, UnfitValue } from './encode.ts';
import type { ParquetFormat, RowGroup } from './format.ts';
import { ROW_GROUP_ROWS } from './limits.ts';

const HOUR_MS = 3_600_000;

/** What a topic's files are made of. */
export interface LakeTable {
  readonly topic: string;
  readonly folder: string;
  readonly columns: readonly Column[];
  /** Short name of the columns. */
  readonly schema: string;
  readonly format: ParquetFormat;
  /** Metadata of each file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Rows of one hour of event time, in offset order. */
export interface HourRows {
  /** Hours since the epoch. */
  readonly hour: number;
  readonly firstOffset: bigint;
  readonly lastOffset: bigint;
  readonly group: RowGroup;
}

/** The table of a topic. ConfigError SLC_CONFIG_PARQUET when files cannot hold its columns. */
export function tableOf(
  root: string,
  topic: string,
  source: { readonly schema: unknown; readonly key: unknown },
  format: ParquetFormat,
): LakeTable {
  const columns = columnsOf(topic, source.schema, source.key);
  format.check(topic, columns);
  const metadata = {
    'sluice.topic': topic,
    'avro.schema': JSON.stringify(source.schema),
    'avro.key': JSON.stringify(source.key),
  };
  const schema = createHash('sha256').update(JSON.stringify(columns)).digest('hex').slice(0, 12);
  return { topic, folder: join(root, topic), columns, schema, format, metadata };
}

/** The folder of an hour below the topic's: day=2026-01-31/hour=07, UTC. */
export function hourFolder(hour: number): string {
  const [day, time] = new Date(hour * HOUR_MS).toISOString().split('T', 2);
  return `day=${day}/hour=${time?.slice(0, 2)}`;
}

/** The log of a partition. Its name begins with _, so readers of whole folders pass it over. */
export function logFolder(topicFolder: string, partition: number): string {
  return join(topicFolder, '_log', String(partition));
}

function rowOf(table: LakeTable, partition: number, record: SinkRecord): unknown[] {
  const { value, timestamp } = record;
  if (!(Number.isInteger(timestamp) && timestamp >= MIN_TIME_MS && timestamp <= MAX_TIME_MS)) {
    throw new UnfitValue(`event time ${timestamp} is not between the years 1 and 9999 in ms`);
  }
  if (typeof value !== 'object') throw new UnfitValue('the value is no record');
  const own: Readonly<Record<string, unknown>> = {
    _topic: table.topic,
    _partition: partition,
    _offset: record.offset,
    _timestamp: timestamp,
    _tombstone: value === null,
    _key: record.key,
  };
  return table.columns.map((column) => {
    const isOwn = Object.hasOwn(own, column.name);
    const field: unknown = isOwn ? own[column.name] : value === null ? null : Reflect.get(value, column.name);
    if (column.required === true && value !== null && (field === null || field === undefined)) {
      throw new UnfitValue(`${column.name}: null where the schema has none`);
    }
    const encoded = encodeValue(column, field);
    const reason = table.format.unfit(column, encoded);
    if (reason !== undefined) throw new UnfitValue(`${column.name}: ${reason}`);
    return encoded;
  });
}

/** Rows by hour of event time, in the order of the first record of each, and the records that no file can hold. */
export function encodeRecords(
  table: LakeTable,
  partition: number,
  records: readonly SinkRecord[],
): { readonly hours: readonly HourRows[]; readonly rejected: readonly RejectedRecord[] } {
  const rejected: RejectedRecord[] = [];
  const hours = new Map<number, { first: bigint; last: bigint; rows: number; data: unknown[][] }>();
  for (const record of records) {
    let row: unknown[];
    try {
      row = rowOf(table, partition, record);
    } catch (error) {
      if (!(error instanceof UnfitValue)) throw error;
      rejected.push({ offset: record.offset, reason: error.message });
      continue;
    }
    const hour = Math.floor(record.timestamp / HOUR_MS);
    let found = hours.get(hour);
    if (found === undefined) {
      found = { first: record.offset, last: record.offset, rows: 0, data: table.columns.map(() => []) };
      hours.set(hour, found);
    }
    found.last = record.offset;
    found.rows += 1;
    for (const [index, value] of row.entries()) found.data[index]?.push(value);
  }
  return {
    hours: [...hours].map(([hour, { first, last, rows, data }]) => ({
      hour,
      firstOffset: first,
      lastOffset: last,
      group: { rows, data },
    })),
    rejected,
  };
}

/** A file of one hour. */
export async function encodeFile(table: LakeTable, group: RowGroup): Promise<Uint8Array> {
  const builder = table.format.build(table.columns, table.metadata);
  for (let from = 0; from < group.rows; from += ROW_GROUP_ROWS) {
    const to = Math.min(group.rows, from + ROW_GROUP_ROWS);
    await builder.add({ rows: to - from, data: group.data.map((column) => column.slice(from, to)) });
  }
  return builder.finish();
}

/**
 * <hour>/<topic>-<partition>-<first>-<last>-<epoch>.parquet. The epoch keeps apart what two owners write of the same offsets: the former one's
 * file must never take the place of a committed one.
 */
export function filePath(
  table: LakeTable,
  partition: number,
  hour: string,
  range: { readonly first: bigint | string; readonly last: bigint | string; readonly epoch: number },
): string {
  return `${hour}/${table.topic}-${partition}-${range.first}-${range.last}-${range.epoch}.parquet`;
}
