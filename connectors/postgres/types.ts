/** Avro types as PostgreSQL columns, and their values as text that PostgreSQL reads back without loss. */
import { ConfigError } from '#topology';

/** A value that its column cannot hold. Internal: becomes a SinkRecordError that names the record. */
export class UnfitValue extends Error {}

/** What a column is and how a value becomes an element of an array literal (`{a,b}`); throws UnfitValue. */
export interface ColumnType {
  readonly sql: string;
  encode(value: unknown): string;
}

/** An Avro field as a column. */
export interface FieldType {
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/** Years that both sides write with four digits and no era. */
const MIN_TIMESTAMP_MS = -62_135_596_800_000;
const MAX_TIMESTAMP_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const DAY_MS = 86_400_000;
const MAX_LONG = 2n ** 63n - 1n;
const MAX_INT = 2 ** 31 - 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function unfit(value: unknown, wanted: string): never {
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value).slice(0, 80);
  throw new UnfitValue(`${text} is no ${wanted}`);
}

/** An element of an array literal for any text. PostgreSQL's text holds neither NUL nor half of a surrogate pair. */
export function encodeText(value: unknown): string {
  if (typeof value !== 'string') return unfit(value, 'text');
  if (value.includes('\0')) throw new UnfitValue('text holds a NUL character');
  if (!value.isWellFormed()) throw new UnfitValue('text holds a lone surrogate');
  return `"${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function encodeLong(value: unknown): string {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value.toString();
  if (typeof value === 'bigint' && value <= MAX_LONG && value >= -MAX_LONG - 1n) return value.toString();
  return unfit(value, '64-bit integer');
}

function encodeInteger(value: unknown): string {
  if (typeof value === 'number' && Number.isInteger(value) && value <= MAX_INT && value >= -MAX_INT - 1) {
    return value.toString();
  }
  return unfit(value, '32-bit integer');
}

function encodeTimestamp(value: unknown): string {
  const fits =
    Number.isSafeInteger(value) && (value as number) >= MIN_TIMESTAMP_MS && (value as number) <= MAX_TIMESTAMP_MS;
  return fits ? new Date(value as number).toISOString() : unfit(value, 'time between the years 1 and 9999 in ms');
}

function encodeDate(value: unknown): string {
  const ms = typeof value === 'number' && Number.isInteger(value) ? value * DAY_MS : Number.NaN;
  if (!(ms >= MIN_TIMESTAMP_MS && ms <= MAX_TIMESTAMP_MS)) return unfit(value, 'day between the years 1 and 9999');
  return new Date(ms).toISOString().slice(0, 10);
}

function encodeDouble(value: unknown): string {
  return typeof value === 'number' ? String(value) : unfit(value, 'number');
}

function encodeBytes(value: unknown): string {
  return value instanceof Uint8Array
    ? String.raw`"\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}"`
    : unfit(value, 'bytes');
}

/** Numbers with a fixed scale: unscaled bigint in, decimal text out. */
function decimalType(precision: number, scale: number): ColumnType {
  const limit = 10n ** BigInt(precision);
  return {
    sql: `numeric(${precision},${scale})`,
    encode(value) {
      if (typeof value !== 'bigint') return unfit(value, 'unscaled decimal (bigint)');
      const magnitude = value < 0n ? -value : value;
      if (magnitude >= limit) return unfit(value, `decimal of ${precision} digits`);
      const digits = magnitude.toString().padStart(scale + 1, '0');
      const point = digits.length - scale;
      const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
      return value < 0n ? `-${text}` : text;
    },
  };
}

/** The key and every Avro string. */
export const TEXT: ColumnType = { sql: 'text', encode: encodeText };
/** Offsets. */
export const BIGINT: ColumnType = { sql: 'bigint', encode: encodeLong };

const PRIMITIVES: Readonly<Record<string, ColumnType>> = {
  string: TEXT,
  enum: TEXT,
  long: BIGINT,
  int: { sql: 'integer', encode: encodeInteger },
  boolean: {
    sql: 'boolean',
    encode: (value) => (typeof value === 'boolean' ? (value ? 't' : 'f') : unfit(value, 'boolean')),
  },
  float: { sql: 'real', encode: encodeDouble },
  double: { sql: 'double precision', encode: encodeDouble },
  bytes: { sql: 'bytea', encode: encodeBytes },
  fixed: { sql: 'bytea', encode: encodeBytes },
};

const LOGICAL: Readonly<Record<string, ColumnType>> = {
  'long:timestamp-millis': { sql: 'timestamp with time zone', encode: encodeTimestamp },
  'int:date': { sql: 'date', encode: encodeDate },
  'string:uuid': {
    sql: 'uuid',
    encode: (value) => (typeof value === 'string' && UUID.test(value) ? value : unfit(value, 'uuid')),
  },
};

function property(definition: unknown, name: string): unknown {
  return typeof definition === 'object' && definition !== null ? Reflect.get(definition, name) : undefined;
}

/**
 * The column of an Avro type. Unions only of null and one type. Records, arrays, maps and time types finer than ms have no column:
 * ConfigError SLC_CONFIG_POSTGRES naming the field.
 */
export function fieldType(definition: unknown, where: string): FieldType {
  if (Array.isArray(definition)) {
    const members = definition.filter((member) => member !== 'null');
    if (members.length !== 1) throw noColumn(definition, where);
    return { ...fieldType(members[0], where), nullable: members.length < definition.length };
  }
  const type = typeof definition === 'string' ? definition : property(definition, 'type');
  const logical = property(definition, 'logicalType');
  let column: ColumnType | undefined;
  if (typeof type === 'string') {
    if (logical === undefined) column = PRIMITIVES[type];
    else if (logical === 'decimal') {
      column = decimalType(Number(property(definition, 'precision')), Number(property(definition, 'scale') ?? 0));
    } else if (typeof logical === 'string') column = LOGICAL[`${type}:${logical}`];
  }
  if (column === undefined) throw noColumn(definition, where);
  return { type: column, nullable: false };
}

function noColumn(definition: unknown, where: string): ConfigError {
  return new ConfigError(
    'SLC_CONFIG_POSTGRES',
    `no PostgreSQL column can hold ${where}: ${JSON.stringify(definition)}`,
    {
      hint: 'use a primitive Avro type, timestamp-millis, date, decimal or uuid, each alone or with null',
    },
  );
}
