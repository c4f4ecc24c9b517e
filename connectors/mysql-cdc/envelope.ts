/**
 * Debezium's change envelope as Avro: schemas built from a table's columns, records of namespace `<topic>`: Envelope, Value, Source, Key.
 * A column that an earlier version of the schema had keeps its nullability where it was nullable; a column that is new to the schema is always ["null", T] with
 * default null: so every version reads all earlier ones (BACKWARD_TRANSITIVE).
 */
import type { AvroType } from './row-types.ts';
import type { Column, Row } from './types.ts';
import { columnType, type ColumnType } from './row-types.ts';

/** 'c' insert, 'u' update, 'd' delete, 'r' row of a snapshot. */
export type Operation = 'c' | 'u' | 'd' | 'r';

/** Where a change comes from: Debezium's `source` block. */
export interface ChangeSource {
  readonly version: string;
  readonly connector: 'mariadb' | 'mysql';
  readonly name: string;
  /** Time of the change in the database, ms. */
  readonly ts_ms: number;
  readonly snapshot: 'first' | 'true' | 'last' | 'false';
  readonly db: string;
  readonly sequence: string | null;
  readonly table: string;
  readonly server_id: number;
  readonly gtid: string | null;
  readonly file: string;
  /** Where the transaction begins in `file`; with `row` it orders all changes of a file. */
  readonly pos: number;
  /** Number of the row within its transaction, from 0, over all captured tables. */
  readonly row: number;
  readonly thread: number | null;
  readonly query: string | null;
}

interface Field {
  readonly name: string;
  readonly type: AvroType | readonly AvroType[];
  readonly default?: null;
}

const nullable = (name: string, type: AvroType): Field => ({ name, type: ['null', type], default: null });

const SOURCE_FIELDS: readonly Field[] = [
  { name: 'version', type: 'string' },
  { name: 'connector', type: 'string' },
  { name: 'name', type: 'string' },
  { name: 'ts_ms', type: 'long' },
  nullable('snapshot', 'string'),
  { name: 'db', type: 'string' },
  nullable('sequence', 'string'),
  nullable('table', 'string'),
  { name: 'server_id', type: 'long' },
  nullable('gtid', 'string'),
  { name: 'file', type: 'string' },
  { name: 'pos', type: 'long' },
  { name: 'row', type: 'int' },
  nullable('thread', 'long'),
  nullable('query', 'string'),
];

const TRANSACTION = {
  type: 'record',
  name: 'block',
  namespace: 'event',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'total_order', type: 'long' },
    { name: 'data_collection_order', type: 'long' },
  ],
} as const;

/** A column as it is written: its field in the schema and its conversion. */
export interface WrittenColumn {
  readonly name: string;
  readonly nullable: boolean;
  readonly type: ColumnType;
}

/** Decides type and nullability of each column. `earlier`: the nullability of the fields of the subject's newest version, undefined for a new subject. */
export function writtenColumns(
  columns: readonly Column[],
  earlier: ReadonlyMap<string, boolean> | undefined,
  table: string,
): WrittenColumn[] {
  return columns.map((column) => ({
    name: column.name,
    nullable: column.nullable || (earlier !== undefined && (earlier.get(column.name) ?? true)),
    type: columnType(column.type, `${table}.${column.name}`),
  }));
}

/** The schema of a topic's values. */
export function envelopeSchema(topic: string, columns: readonly WrittenColumn[]): object {
  const fields = columns.map(({ name, nullable: optional, type }) =>
    optional ? nullable(avroName(name), type.avro) : { name: avroName(name), type: type.avro },
  );
  return {
    type: 'record',
    name: 'Envelope',
    namespace: avroNamespace(topic),
    fields: [
      { name: 'before', type: ['null', { type: 'record', name: 'Value', fields }], default: null },
      { name: 'after', type: ['null', 'Value'], default: null },
      { name: 'source', type: { type: 'record', name: 'Source', fields: SOURCE_FIELDS } },
      { name: 'op', type: 'string' },
      { name: 'ts_ms', type: ['null', 'long'], default: null },
      { name: 'transaction', type: ['null', TRANSACTION], default: null },
    ],
  };
}

/** The schema of a topic's keys: the primary key, in its order. */
export function keySchema(topic: string, columns: readonly WrittenColumn[]): object {
  return {
    type: 'record',
    name: 'Key',
    namespace: avroNamespace(topic),
    fields: columns.map(({ name, type }) => ({ name: avroName(name), type: type.avro })),
  };
}

/** Nullability of the columns in an envelope schema, as `writtenColumns` wants it; undefined when it is no envelope. */
export function earlierColumns(schema: unknown): Map<string, boolean> | undefined {
  const before = fieldsOf(schema).find((field) => field['name'] === 'before')?.['type'];
  const value = Array.isArray(before) ? before.find((branch) => branch !== 'null') : undefined;
  const fields = fieldsOf(value);
  if (fields.length === 0) return undefined;
  return new Map(fields.map((field) => [String(field['name']), Array.isArray(field['type'])]));
}

function fieldsOf(schema: unknown): Record<string, unknown>[] {
  const fields: unknown = typeof schema === 'object' && schema !== null ? Reflect.get(schema, 'fields') : undefined;
  return Array.isArray(fields) ? (fields as Record<string, unknown>[]) : [];
}

/** Avro allows letters, digits and underscores in names. */
export function avroName(name: string): string {
  const safe = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
  return /^\d/.test(safe) ? `_${safe}` : safe;
}

/** A database or table may be called what no Avro name can be: `2024-orders`. */
function avroNamespace(topic: string): string {
  return topic.split('.').map(avroName).join('.');
}

/** A row's values for the record; `missing` hears of a null in a column that the schema does not let be null. */
export function rowValue(columns: readonly WrittenColumn[], row: Row, missing: (column: string) => void): Row {
  const value: Record<string, unknown> = {};
  for (const column of columns) {
    const raw = row[column.name];
    const converted = raw === null || raw === undefined ? null : column.type.convert(raw);
    if (converted === null && !column.nullable) missing(column.name);
    value[avroName(column.name)] = converted;
  }
  return value;
}
