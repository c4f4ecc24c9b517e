/** A topic's table: its columns from the Avro schema, the DDL that makes it, and what must change where it exists already. */
import { ConfigError, ConnectorError, type Logger } from '#topology';
import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';
import { BIGINT, type ColumnType, fieldType, TEXT } from './types.ts';

/** Where a topic's rows go. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** A column; `field` is the Avro field that it holds, undefined for the sink's own. */
export interface Column {
  readonly name: string;
  readonly field: string | undefined;
  readonly type: ColumnType;
  readonly nullable: boolean;
  readonly comment: string;
  /** SQL literal for rows that were there before the column, where the Avro schema has a default. */
  readonly fallback: string | undefined;
}

/** A table as the sink needs it. `columns` in the order of the schema, without key, _offset and _partition. */
export interface Table {
  readonly topic: string;
  readonly title: string;
  readonly schema: string;
  readonly name: string;
  /** Quoted, with its schema. */
  readonly sql: string;
  readonly comment: string;
  readonly columns: readonly Column[];
}

const KEY: Column = own('key', TEXT, "the record's key");
const OFFSET: Column = own('_offset', BIGINT, 'offset of the record that the row is from');
const PARTITION: Column = own('_partition', { sql: 'integer', encode: String }, 'partition of that record');
/** PostgreSQL cuts longer names off without an error. */
const MAX_NAME_BYTES = 63;

function own(name: string, type: ColumnType, comment: string): Column {
  return { name, field: undefined, type, nullable: false, comment, fallback: undefined };
}

/** windowStart -> window_start, userID -> user_id. */
export function snakeCase(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}

interface AvroField {
  readonly name: string;
  readonly type: unknown;
  readonly doc?: string;
  readonly default?: unknown;
}

function literal(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' ? escapeLiteral(value) : undefined;
}

function column(field: AvroField, topic: string): Column {
  const { type, nullable } = fieldType(field.type, `${topic}.${field.name}`);
  const plain = typeof field.type === 'string';
  return {
    name: snakeCase(field.name),
    field: field.name,
    type,
    nullable,
    comment: field.doc ?? '',
    fallback: plain ? literal(field.default) : undefined,
  };
}

/** The table of a topic. ConfigError SLC_CONFIG_POSTGRES when the schema is no record, a name is taken twice or is too long. */
export function tableOf(topic: string, definition: unknown, name: TableName): Table {
  const { type, fields, doc } = definition as { type?: unknown; fields?: readonly AvroField[]; doc?: string };
  if (type !== 'record' || fields === undefined) {
    throw new ConfigError('SLC_CONFIG_POSTGRES', `the schema of ${topic} is no Avro record`, { where: topic });
  }
  const columns = fields.map((field) => column(field, topic));
  const seen = new Set<string>();
  for (const each of [KEY, ...columns, OFFSET, PARTITION]) {
    if (seen.has(each.name) || Buffer.byteLength(each.name) > MAX_NAME_BYTES) {
      throw new ConfigError('SLC_CONFIG_POSTGRES', `column ${each.name} of ${topic} is taken or longer than 63 bytes`, {
        hint: "rename the Avro field; key, _offset and _partition are the sink's own columns",
        where: topic,
      });
    }
    seen.add(each.name);
  }
  const sql = `${escapeIdentifier(name.schema)}.${escapeIdentifier(name.name)}`;
  return { topic, title: `${name.schema}.${name.name}`, ...name, sql, comment: doc ?? '', columns };
}

function definitionOf(column: Column): string {
  return `${escapeIdentifier(column.name)} ${column.type.sql}${column.nullable ? '' : ' not null'}`;
}

function commentOn(table: Table, column: Column): string {
  return `comment on column ${table.sql}.${escapeIdentifier(column.name)} is ${escapeLiteral(column.comment)}`;
}

/** Statements that make a table that is not there. */
export function createTable(table: Table): string[] {
  const columns = [KEY, ...table.columns, OFFSET, PARTITION];
  return [
    `create table ${table.sql} (${columns.map(definitionOf).join(', ')}, primary key (key))`,
    `comment on table ${table.sql} is ${escapeLiteral(table.comment)}`,
    ...columns.filter((each) => each.comment !== '').map((each) => commentOn(table, each)),
  ];
}

/** A column as the database has it. */
interface ExistingColumn {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly filled: boolean;
}

/** Statements that the sink may run by itself, and those that a person must decide on. */
export interface TableChange {
  readonly additive: readonly string[];
  readonly refused: readonly string[];
}

/**
 * What makes an existing table fit. By itself the sink only adds nullable columns. A column that is more lenient than the schema, or that the
 * schema does not have, may stay unless it refuses rows.
 */
export function changesOf(
  table: Table,
  existing: readonly ExistingColumn[],
  primaryKey: readonly string[],
): TableChange {
  const additive: string[] = [];
  const refused: string[] = [];
  const alter = `alter table ${table.sql}`;
  const wanted = [KEY, ...table.columns, OFFSET, PARTITION];
  for (const column of wanted) {
    const name = escapeIdentifier(column.name);
    const found = existing.find((each) => each.name === column.name);
    if (found === undefined) {
      const add = `${alter} add column ${definitionOf(column)}`;
      if (!column.nullable) refused.push(column.fallback === undefined ? add : `${add} default ${column.fallback}`);
      else additive.push(add, ...(column.comment === '' ? [] : [commentOn(table, column)]));
      continue;
    }
    if (found.type !== column.type.sql) {
      refused.push(`${alter} alter column ${name} type ${column.type.sql} using ${name}::${column.type.sql}`);
    }
    if (found.required && column.nullable) refused.push(`${alter} alter column ${name} drop not null`);
  }
  for (const found of existing) {
    const known = wanted.some((column) => column.name === found.name);
    if (!known && found.required && !found.filled) {
      refused.push(`${alter} alter column ${escapeIdentifier(found.name)} drop not null`);
    }
  }
  if (primaryKey.join() !== 'key') refused.push(`${alter} add primary key (key)`);
  return { additive, refused };
}

const COLUMNS = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as required,
         (a.atthasdef or a.attidentity <> '') as filled
  from pg_attribute a where a.attrelid = $1::oid and a.attnum > 0 and not a.attisdropped`;
const PRIMARY_KEY = `
  select a.attname as name from pg_index i cross join unnest(i.indkey) with ordinality as k(attnum, position)
  join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
  where i.indrelid = $1::oid and i.indisprimary order by k.position`;
const RELATION = `
  select c.oid, c.relkind in ('r', 'p') as "isTable" from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = $2`;

/**
 * Creates the table, or adds what may be added; true when it was not there. ConnectorError SLC_POSTGRES_SCHEMA with the statements to run where the existing one does not
 * fit. Runs inside the caller's transaction, which must hold a lock against other sinks doing the same.
 */
export async function ensureTable(client: ClientBase, table: Table, logger: Logger): Promise<boolean> {
  const found = await client.query<{ oid: number; isTable: boolean }>(RELATION, [table.schema, table.name]);
  const relation = found.rows[0];
  if (relation?.isTable === false)
    throw mustRun(
      table,
      [`alter table ${table.sql} rename to ${escapeIdentifier(`${table.name}_old`)}`],
      'is no table',
    );
  const statements: string[] = [];
  if (relation === undefined) statements.push(...createTable(table));
  else {
    const columns = await client.query<ExistingColumn>(COLUMNS, [relation.oid]);
    const primaryKey = await client.query<{ name: string }>(PRIMARY_KEY, [relation.oid]);
    const names = primaryKey.rows.map((row) => row.name);
    const { additive, refused } = changesOf(table, columns.rows, names);
    if (refused.length > 0) throw mustRun(table, refused, 'does not fit its schema');
    statements.push(...additive);
  }
  for (const statement of statements) {
    await client.query(statement);
    logger.info({ table: table.title, statement }, 'changed the warehouse');
  }
  return relation === undefined;
}

function mustRun(table: Table, statements: readonly string[], what: string): ConnectorError {
  return new ConnectorError('SLC_POSTGRES_SCHEMA', `table ${table.title} ${what}; run: ${statements.join('; ')}`, {
    hint: `look at the statements, run them in the target database, and the sink goes on by itself`,
    where: table.topic,
  });
}
