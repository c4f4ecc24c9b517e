/**
 * MySQL column types -> Avro types, and column values -> values of those types. The same text forms come from a SELECT (mysql2 with dateStrings
 * and bigNumberStrings) and from the binlog (zongji with the same options), so one conversion serves the snapshot and the stream.
 *
 * TINYINT..INT -> int, INT UNSIGNED and BIGINT -> long, BIGINT UNSIGNED -> decimal(20,0) (a long would wrap), DECIMAL -> bytes decimal, DATE -> int date,
 * DATETIME(0..3) -> timestamp-millis, DATETIME(4..6) -> local-timestamp-micros, TIMESTAMP -> timestamp-micros, TIME -> long microseconds (up to 838 h, so no
 * time-micros), YEAR -> int, FLOAT/DOUBLE, BIT(1) -> boolean, BIT(n) and binary types -> bytes, all text, JSON, ENUM, SET, UUID, INET -> string.
 * A zero date ('0000-00-00') is no date: null.
 */
import { ConfigError, RecordError } from '#topology';

/** An Avro type as JSON. */
export type AvroType = string | { readonly type: string; readonly [attribute: string]: unknown };

/** How one column is written. */
export interface ColumnType {
  readonly avro: AvroType;
  /** The driver's value (never null) -> what avsc writes; null for what has no value in Avro (zero dates). Throws RecordError SLC_RECORD_ENCODE. */
  convert(value: unknown): unknown;
  /** True for FLOAT: a SELECT in text form rounds it to 6 digits, so the snapshot reads it as a double. */
  readonly roundsInText?: boolean;
}

const INT: ColumnType = { avro: 'int', convert: Number };
const YEAR: ColumnType = { avro: 'int', convert: Number };
const FLOAT: ColumnType = { avro: 'float', convert: Number, roundsInText: true };
const DOUBLE: ColumnType = { avro: 'double', convert: Number };
const STRING: ColumnType = { avro: 'string', convert: toText };
const JSON_TEXT: ColumnType = {
  avro: { type: 'string', 'connect.name': 'io.debezium.data.Json' },
  convert: (value) => (typeof value === 'object' && !Buffer.isBuffer(value) ? JSON.stringify(value) : toText(value)),
};
const LONG: ColumnType = { avro: 'long', convert: toLong };
const BYTES: ColumnType = { avro: 'bytes', convert: toBytes };
const BOOLEAN: ColumnType = { avro: 'boolean', convert: (value) => toBytes(value).some((byte) => byte !== 0) };
const DATE: ColumnType = {
  avro: { type: 'int', logicalType: 'date' },
  convert: (value) => {
    const millis = dateTimeMillis(toText(value));
    return millis === null ? null : millis / 86_400_000;
  },
};
const TIMESTAMP_MILLIS: ColumnType = {
  avro: { type: 'long', logicalType: 'timestamp-millis' },
  convert: (value) => dateTimeMillis(toText(value)),
};
const TIME_MICROS: ColumnType = {
  avro: { type: 'long', 'connect.name': 'io.debezium.time.MicroTime' },
  convert: (value) => timeMicros(toText(value)),
};

function microTimestamp(logicalType: string): ColumnType {
  return { avro: { type: 'long', logicalType }, convert: (value) => dateTimeMicros(toText(value)) };
}

function decimal(precision: number, scale: number): ColumnType {
  return {
    avro: { type: 'bytes', logicalType: 'decimal', precision, scale },
    convert: (value) => unscaledBytes(toText(value), scale),
  };
}

/** `decimal(10,2) unsigned` -> ['decimal', [10, 2], unsigned]. */
function parseType(type: string): { name: string; arguments: number[]; unsigned: boolean } {
  const match = /^([a-z0-9_]+)\s*(?:\(([\d,\s]*)\))?/i.exec(type.trim());
  const list = match?.[2] ?? '';
  return {
    name: (match?.[1] ?? type).toLowerCase(),
    arguments: list === '' ? [] : list.split(',').map(Number),
    unsigned: /\bunsigned\b/i.test(type),
  };
}

/** The Avro type and conversion of a column. Throws ConfigError SLC_CDC_TYPE for a type that cannot be captured. */
export function columnType(type: string, where: string): ColumnType {
  const parsed = parseType(type);
  const [first, second] = parsed.arguments;
  switch (parsed.name) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
      return INT;
    case 'int':
    case 'integer':
      return parsed.unsigned ? LONG : INT;
    case 'bigint':
      return parsed.unsigned ? decimal(20, 0) : LONG;
    case 'decimal':
    case 'numeric':
      return decimal(first ?? 10, second ?? 0);
    case 'float':
      return FLOAT;
    case 'double':
    case 'real':
      return DOUBLE;
    case 'year':
      return YEAR;
    case 'bit':
      return (first ?? 1) === 1 ? BOOLEAN : BYTES;
    default:
      return temporal(parsed.name, first ?? 0) ?? textual(parsed.name, type, where);
  }
}

function temporal(name: string, digits: number): ColumnType | undefined {
  if (name === 'date') return DATE;
  if (name === 'datetime') return digits <= 3 ? TIMESTAMP_MILLIS : microTimestamp('local-timestamp-micros');
  if (name === 'timestamp') return microTimestamp('timestamp-micros');
  return name === 'time' ? TIME_MICROS : undefined;
}

function textual(name: string, type: string, where: string): ColumnType {
  if (name === 'json') return JSON_TEXT;
  if (name === 'uuid') return addressed(uuidText);
  if (name === 'inet4') return addressed((bytes) => bytes.join('.'));
  if (name === 'inet6') return addressed(inet6Text);
  if (/^(?:char|varchar|tinytext|text|mediumtext|longtext|enum|set)$/.test(name)) return STRING;
  if (/^(?:binary|varbinary|tinyblob|blob|mediumblob|longblob|vector)$/.test(name)) return BYTES;
  throw new ConfigError('SLC_CDC_TYPE', `column ${where} has type ${type}, which cannot be captured`, {
    where,
    hint: 'leave the table out of the capture, or move the column to another table',
  });
}

/** MariaDB's own types: the binlog has their bytes, a SELECT their text. */
function addressed(format: (bytes: Buffer) => string): ColumnType {
  return { avro: 'string', convert: (value) => (Buffer.isBuffer(value) ? format(value) : toText(value)) };
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The canonical form with `::`, which is the one of URLs. */
function inet6Text(bytes: Buffer): string {
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

function refuse(value: unknown, wanted: string): never {
  throw new RecordError('SLC_RECORD_ENCODE', `the database gave ${typeof value} where ${wanted} was expected`);
}

function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  return refuse(value, 'text');
}

function toBytes(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  return refuse(value, 'bytes');
}

/** A number while it is exact, else a bigint. */
function toLong(value: unknown): number | bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  if (typeof value !== 'string' && typeof value !== 'bigint') return refuse(value, 'an integer');
  const exact = BigInt(value);
  const number = Number(exact);
  return Number.isSafeInteger(number) ? number : exact;
}

/** Two's complement, big endian, as short as possible: Avro's and Debezium's decimal. */
function unscaledBytes(text: string, scale: number): Buffer {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text);
  if (match === null) return refuse(text, 'a decimal');
  const digits = (match[2] ?? '') + (match[3] ?? '').padEnd(scale, '0').slice(0, scale);
  let value = BigInt(digits === '' ? '0' : digits);
  if (match[1] === '-') value = -value;
  let bytes = 1;
  while (BigInt.asIntN(bytes * 8, value) !== value) bytes++;
  const hex = BigInt.asUintN(bytes * 8, value)
    .toString(16)
    .padStart(bytes * 2, '0');
  return Buffer.from(hex, 'hex');
}

interface DateTime {
  /** Milliseconds since the epoch, rounded down. */
  readonly millis: number;
  /** 0 to 999. */
  readonly micros: number;
}

/** '2026-02-28 23:59:59.123456' read as UTC; null for zero dates. Years before 100 are right, too. */
function parseDateTime(text: string): DateTime | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?)?/.exec(text);
  if (match === null) return refuse(text, 'a date');
  const [, year = '', month = '', day = '', hour = '0', minute = '0', second = '0', digits = ''] = match;
  if (Number(month) === 0 || Number(day) === 0) return null;
  const fraction = Number(digits.padEnd(6, '0'));
  const micros = fraction % 1000;
  const time: [number, number, number, number] = [+hour, +minute, +second, (fraction - micros) / 1000];
  if (Number(year) >= 100) return { millis: Date.UTC(+year, +month - 1, +day, ...time), micros };
  const date = new Date(0);
  date.setUTCFullYear(+year, +month - 1, +day);
  date.setUTCHours(...time);
  return { millis: date.getTime(), micros };
}

/** Milliseconds since the epoch of a date and time in text form, read as UTC; null for zero dates. */
export function dateTimeMillis(text: string): number | null {
  return parseDateTime(text)?.millis ?? null;
}

function dateTimeMicros(text: string): bigint | null {
  const time = parseDateTime(text);
  return time === null ? null : BigInt(time.millis) * 1000n + BigInt(time.micros);
}

/** '-838:59:59.000001' -> microseconds. */
function timeMicros(text: string): number {
  const match = /^(-?)(\d{1,3}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?$/.exec(text);
  if (match === null) return refuse(text, 'a time');
  const [, sign, hours, minutes, seconds, fraction = ''] = match;
  const whole = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds);
  const micros = whole * 1_000_000 + Number(fraction.padEnd(6, '0'));
  return sign === '-' && micros !== 0 ? -micros : micros;
}
