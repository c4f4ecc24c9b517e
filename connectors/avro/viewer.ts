/** Values for people and for programs that know no schema of ours: read with the schema that they were written with, shown as JSON. */
import avsc, { type Type } from 'avsc';
import { type Clock, RecordError, systemClock } from '#topology';
import { ConfluentRegistry } from './confluent-registry.ts';
import { messageOf } from './reader-type.ts';
import type { RegistryClient } from './registry-client.ts';
import { WriterSchemas } from './writer-schemas.ts';

/** A value as it was written. */
export interface ViewedValue {
  readonly schemaId: number;
  /**
   * JSON: decimals as text with their scale ("12.50"), timestamps and dates as ISO 8601 in UTC, longs beyond 2^53 and bytes (hex) as text, a union's
   * branch as {"name": value} only where the value alone does not tell it.
   */
  readonly value: unknown;
}

/** A subject's newest schema. */
export interface SubjectVersion {
  readonly id: number;
  readonly version: number;
}

/** Reads what it is given, whoever wrote it. */
export interface AvroViewer {
  /**
   * Throws NotReadyError while the schema is fetched (its `ready` rejects with RetriableError SLC_REGISTRY_AWAY), RecordError SLC_RECORD_DECODE,
   * SLC_RECORD_SCHEMA_UNKNOWN or SLC_RECORD_SCHEMA_INCOMPATIBLE.
   */
  view(bytes: Buffer): ViewedValue;
  /** undefined when the registry knows no such subject. RetriableError SLC_REGISTRY_AWAY, ConfigError SLC_CONFIG_REGISTRY_ACCESS. */
  latest(subject: string): Promise<SubjectVersion | undefined>;
}

/** A registry that can be asked for a subject, too. */
export interface SubjectRegistry extends RegistryClient {
  latest(subject: string): Promise<SubjectVersion | undefined>;
}

const HEADER_BYTES = 5;
const LIMITS = { unknownForMs: 10_000, maxIds: 10_000 };
const REQUESTS = { requestTimeoutMs: 5_000, attempts: 3, backoffMs: 100 };

/** A viewer over a registry behind HTTP. Throws ConfigError SLC_CONFIG_REGISTRY_URL. */
export function createAvroViewer(options: { readonly registryUrl: string; readonly clock?: Clock }): AvroViewer {
  const { registryUrl: url, clock = systemClock } = options;
  return viewerOver(new ConfluentRegistry({ url, clock, ...REQUESTS }), clock);
}

/** A viewer over any registry. */
export function viewerOver(registry: SubjectRegistry, clock: Clock = systemClock): AvroViewer {
  const writers = new WriterSchemas(registry, clock, LIMITS);
  return {
    view(bytes) {
      if (bytes.length < HEADER_BYTES || bytes[0] !== 0) {
        throw new RecordError('SLC_RECORD_DECODE', 'it does not start with a 0 byte and the id of a schema');
      }
      const schemaId = bytes.readUInt32BE(1);
      const type = writers.get(schemaId);
      return { schemaId, value: shown(type, decoded(type, schemaId, bytes)) };
    },
    latest: (subject) => registry.latest(subject),
  };
}

function decoded(type: Type, schemaId: number, bytes: Buffer): unknown {
  let result: { value: unknown; offset: number };
  try {
    result = type.decode(bytes, HEADER_BYTES);
  } catch (cause) {
    throw new RecordError('SLC_RECORD_DECODE', `not a value of schema ${schemaId}: ${messageOf(cause)}`, { cause });
  }
  if (result.offset === bytes.length) return result.value;
  const problem = result.offset < 0 ? 'the value is cut off' : `${bytes.length - result.offset} bytes too many`;
  throw new RecordError('SLC_RECORD_DECODE', `schema ${schemaId}: ${problem}`);
}

function shown(type: Type, value: unknown): unknown {
  const { types } = avsc;
  if (value === null || value === undefined) return null;
  if (type instanceof types.LogicalType) return shownLogical(type, value);
  if (type instanceof types.RecordType) {
    const record = value as Readonly<Record<string, unknown>>;
    return Object.fromEntries(type.fields.map((field) => [field.name, shown(field.type, record[field.name])]));
  }
  if (type instanceof types.ArrayType) return (value as unknown[]).map((item) => shown(type.itemsType, item));
  if (type instanceof types.MapType) {
    const entries = Object.entries(value as Readonly<Record<string, unknown>>);
    // avsc's own types name a class here, not the instance that there is.
    const values = type.valuesType as Type;
    return Object.fromEntries(entries.map(([key, item]) => [key, shown(values, item)]));
  }
  if (type instanceof types.UnwrappedUnionType) {
    const branch = type.types.find((each) => each.isValid(value));
    return branch === undefined ? plain(value) : shown(branch, value);
  }
  if (type instanceof types.WrappedUnionType) {
    const [[name, held] = ['', null]] = Object.entries(value as Readonly<Record<string, unknown>>);
    const branch = type.types.find((each) => (each.branchName ?? each.typeName) === name);
    return { [name]: branch === undefined ? plain(held) : shown(branch, held) };
  }
  return plain(value);
}

function shownLogical(type: Type, value: unknown): unknown {
  const kind = type.typeName.replace('logical:', '');
  if (typeof value === 'bigint') return decimalText(value, (type as Type & { readonly scale?: number }).scale ?? 0);
  if (typeof value !== 'number') return plain(value);
  switch (kind) {
    case 'date':
      return isoOf(value * 86_400_000)?.slice(0, 10) ?? value;
    case 'timestamp-millis':
      return isoOf(value) ?? value;
    case 'timestamp-micros':
      return isoOf(Math.floor(value / 1_000))?.replace('Z', `${digits(value, 1_000)}Z`) ?? value;
    case 'local-timestamp-millis':
      return isoOf(value)?.replace('Z', '') ?? value;
    case 'local-timestamp-micros':
      return isoOf(Math.floor(value / 1_000))?.replace('Z', digits(value, 1_000)) ?? value;
    default:
      return value;
  }
}

/** What is left of a number of a finer unit. */
function digits(value: number, unit: number): string {
  return String(((value % unit) + unit) % unit).padStart(3, '0');
}

function isoOf(ms: number): string | undefined {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : undefined;
}

/** -1250 with scale 2: -12.50. */
function decimalText(unscaled: bigint, scale: number): string {
  const text = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  const whole = text.slice(0, text.length - scale);
  const sign = unscaled < 0n ? '-' : '';
  return scale === 0 ? sign + whole : `${sign}${whole}.${text.slice(-scale)}`;
}

/** What JSON has no word for, as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}
