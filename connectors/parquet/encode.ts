/** Values as Parquet stores them: 64-bit integers, times and decimals as bigint, uuids as 16 bytes, all else as it is. */
import type { Column, ColumnType } from './columns.ts';

/** A value that its column cannot hold. Internal: becomes a SinkRecordError that names the record. */
export class UnfitValue extends Error {}

/** Times that every reader shows: years 1 to 9999, ms since the epoch. */
export const MIN_TIME_MS = -62_135_596_800_000;
export const MAX_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const DAY_MS = 86_400_000;
const MAX_LONG = 2n ** 63n - 1n;
const MAX_INT = 2 ** 31 - 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function unfit(value: unknown, wanted: string): never {
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value).slice(0, 80);
  throw new UnfitValue(`${text} is no ${wanted}`);
}

function encodeText(value: unknown): string {
  if (typeof value !== 'string') return unfit(value, 'text');
  if (!value.isWellFormed()) throw new UnfitValue('text holds a lone surrogate');
  return value;
}

function encodeLong(value: unknown): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'bigint' && value <= MAX_LONG && value >= -MAX_LONG - 1n) return value;
  return unfit(value, '64-bit integer');
}

function encodeInt(value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) return unfit(value, '32-bit integer');
  return value <= MAX_INT && value >= -MAX_INT - 1 ? value : unfit(value, '32-bit integer');
}

/** Microseconds, which is what Iceberg's timestamps are. */
function encodeTime(value: unknown): bigint {
  const fits = typeof value === 'number' && Number.isSafeInteger(value) && value >= MIN_TIME_MS && value <= MAX_TIME_MS;
  return fits ? BigInt(value) * 1_000n : unfit(value, 'time between the years 1 and 9999 in ms');
}

function encodeDate(value: unknown): number {
  const ms = typeof value === 'number' && Number.isInteger(value) ? value * DAY_MS : Number.NaN;
  return ms >= MIN_TIME_MS && ms <= MAX_TIME_MS ? ms / DAY_MS : unfit(value, 'day between the years 1 and 9999');
}

function encodeUuid(value: unknown): Uint8Array {
  if (typeof value !== 'string' || !UUID.test(value)) return unfit(value, 'uuid');
  return Buffer.from(value.replaceAll('-', ''), 'hex');
}

function encodeDecimal(value: unknown, precision: number): bigint {
  if (typeof value !== 'bigint') return unfit(value, 'unscaled decimal (bigint)');
  const limit = 10n ** BigInt(precision);
  return value < limit && value > -limit ? value : unfit(value, `decimal of ${precision} digits`);
}

function encodeBytes(value: unknown, size?: number): Uint8Array {
  if (!(value instanceof Uint8Array)) return unfit(value, 'bytes');
  if (size !== undefined && value.length !== size) throw new UnfitValue(`${value.length} bytes are not ${size}`);
  return value;
}

function encodeType(type: ColumnType, value: unknown): unknown {
  switch (type.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? value : unfit(value, 'boolean');
    case 'int':
      return encodeInt(value);
    case 'long':
      return encodeLong(value);
    case 'float':
    case 'double':
      return typeof value === 'number' ? value : unfit(value, 'number');
    case 'string':
      return encodeText(value);
    case 'bytes':
      return encodeBytes(value);
    case 'fixed':
      return encodeBytes(value, type.size);
    case 'timestamp':
      return encodeTime(value);
    case 'date':
      return encodeDate(value);
    case 'uuid':
      return encodeUuid(value);
    case 'decimal':
      return encodeDecimal(value, type.precision);
    case 'struct':
      return encodeStruct(type.fields, value);
    case 'list':
      if (!Array.isArray(value)) return unfit(value, 'array');
      return value.map((element) => encodeValue(type.element, element));
    case 'map':
      return encodeMap(type.value, value);
  }
}

function encodeStruct(fields: readonly Column[], value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return unfit(value, 'record');
  return Object.fromEntries(fields.map((field) => [field.name, encodeValue(field, Reflect.get(value, field.name))]));
}

function encodeMap(column: Column, value: unknown): Map<string, unknown> {
  if (typeof value !== 'object' || value === null) return unfit(value, 'map');
  // Readers that make objects of maps lose this one key, ours for merges among them.
  if (Object.hasOwn(value, '__proto__')) return unfit('__proto__', 'key of a map');
  return new Map(Object.entries(value).map(([key, each]) => [encodeText(key), encodeValue(column, each)]));
}

/** A value of a column; throws UnfitValue naming the column. */
export function encodeValue(column: Column, value: unknown): unknown {
  if (value === null || value === undefined) {
    if (column.nullable) return null;
    throw new UnfitValue(`${column.name}: null where the schema has none`);
  }
  try {
    return encodeType(column.type, value);
  } catch (error) {
    throw error instanceof UnfitValue ? new UnfitValue(`${column.name}: ${error.message}`) : error;
  }
}
