/** Avro schemas as Parquet columns, independent of the library that writes them. */
import { ConfigError } from '#topology';

/** A column without parts. `decimal` has precision and scale, `fixed` its size in bytes. */
export interface LeafType {
  readonly kind: 'boolean' | 'int' | 'long' | 'float' | 'double' | 'string' | 'bytes' | 'timestamp' | 'date' | 'uuid';
}
export interface FixedType {
  readonly kind: 'fixed';
  readonly size: number;
}
export interface DecimalType {
  readonly kind: 'decimal';
  readonly precision: number;
  readonly scale: number;
}
export interface StructType {
  readonly kind: 'struct';
  readonly fields: readonly Column[];
}
export interface ListType {
  readonly kind: 'list';
  readonly element: Column;
}
/** Keys are text, as in Avro. */
export interface MapType {
  readonly kind: 'map';
  readonly value: Column;
}
export type ColumnType = LeafType | FixedType | DecimalType | StructType | ListType | MapType;

/** A column or a part of one. */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** Null only for tombstones. */
  readonly required?: boolean;
}

/** Columns that every lake file has behind those of its schema. `_tombstone`: the record had no value, so its other columns are null. */
const OWN_COLUMNS: readonly Column[] = [
  { name: '_topic', type: { kind: 'string' }, nullable: false },
  { name: '_partition', type: { kind: 'int' }, nullable: false },
  { name: '_offset', type: { kind: 'long' }, nullable: false },
  { name: '_timestamp', type: { kind: 'timestamp' }, nullable: false },
  { name: '_tombstone', type: { kind: 'boolean' }, nullable: false },
];
/** Folders by event time: readers take them for columns too. */
const HIVE_COLUMNS = ['day', 'hour'];

const PLAIN: Readonly<Record<string, LeafType>> = {
  boolean: { kind: 'boolean' },
  int: { kind: 'int' },
  long: { kind: 'long' },
  float: { kind: 'float' },
  double: { kind: 'double' },
  string: { kind: 'string' },
  enum: { kind: 'string' },
  bytes: { kind: 'bytes' },
};
const LOGICAL: Readonly<Record<string, LeafType>> = {
  'long:timestamp-millis': { kind: 'timestamp' },
  'int:date': { kind: 'date' },
  'string:uuid': { kind: 'uuid' },
};
/** What 16 bytes hold: more is read by few. */
const MAX_PRECISION = 38;

function property(definition: unknown, name: string): unknown {
  return typeof definition === 'object' && definition !== null ? Reflect.get(definition, name) : undefined;
}

/** Named types met so far, by full name, and those that are being read: a type inside itself has no columns. */
class Names {
  readonly #types = new Map<string, ColumnType | undefined>();

  fullName(definition: unknown, namespace: string): string {
    const name = String(property(definition, 'name'));
    const own = property(definition, 'namespace');
    if (name.includes('.')) return name;
    const space = typeof own === 'string' ? own : namespace;
    return space === '' ? name : `${space}.${name}`;
  }

  define(name: string, type: ColumnType | undefined): void {
    this.#types.set(name, type);
  }

  find(name: string, namespace: string): ColumnType | undefined {
    return this.#types.get(name.includes('.') || namespace === '' ? name : `${namespace}.${name}`);
  }
}

function columnOf(name: string, definition: unknown, where: string, names: Names, namespace: string): Column {
  if (!Array.isArray(definition))
    return { name, type: typeOf(definition, where, names, namespace), nullable: definition === 'null' };
  const members = definition.filter((member) => member !== 'null');
  if (members.length !== 1) throw noColumn(definition, where);
  return {
    name,
    type: typeOf(members[0], where, names, namespace),
    nullable: members.length < definition.length,
  };
}

function typeOf(definition: unknown, where: string, names: Names, namespace: string): ColumnType {
  const type = typeof definition === 'string' ? definition : property(definition, 'type');
  if (typeof type === 'object' && type !== null) return typeOf(type, where, names, namespace);
  const logical = property(definition, 'logicalType');
  const found =
    typeof logical === 'string'
      ? logicalType(String(type), logical, definition)
      : plainType(String(type), definition, where, names, namespace);
  if (found === undefined) throw noColumn(definition, where);
  return found;
}

function logicalType(type: string, logical: string, definition: unknown): ColumnType | undefined {
  if (logical !== 'decimal') return LOGICAL[`${type}:${logical}`];
  const precision = Number(property(definition, 'precision'));
  const scale = Number(property(definition, 'scale') ?? 0);
  return precision >= 1 && precision <= MAX_PRECISION ? { kind: 'decimal', precision, scale } : undefined;
}

function plainType(
  type: string,
  definition: unknown,
  where: string,
  names: Names,
  namespace: string,
): ColumnType | undefined {
  if (type === 'array') {
    return { kind: 'list', element: columnOf('element', property(definition, 'items'), where, names, namespace) };
  }
  if (type === 'map') {
    return { kind: 'map', value: columnOf('value', property(definition, 'values'), where, names, namespace) };
  }
  if (type !== 'record' && type !== 'fixed' && type !== 'enum') return PLAIN[type] ?? names.find(type, namespace);
  const name = names.fullName(definition, namespace);
  let found: ColumnType | undefined = PLAIN[type];
  if (type === 'fixed') found = { kind: 'fixed', size: Number(property(definition, 'size')) };
  if (type === 'record') {
    names.define(name, undefined);
    const inner = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
    const fields = property(definition, 'fields') as readonly { name: string; type: unknown }[];
    if (!Array.isArray(fields) || fields.length === 0) throw noColumn(definition, where);
    found = {
      kind: 'struct',
      fields: fields.map((field) => columnOf(field.name, field.type, `${where}.${field.name}`, names, inner)),
    };
  }
  names.define(name, found);
  return found;
}

function noColumn(definition: unknown, where: string): ConfigError {
  return new ConfigError(
    'SLC_CONFIG_PARQUET',
    `no Parquet column can hold ${where}: ${JSON.stringify(definition)?.slice(0, 200)}`,
    {
      hint: 'use primitive types, records, arrays and maps, timestamp-millis, date, decimal of up to 38 digits or uuid, each alone or with null; no record inside itself',
      where,
    },
  );
}

/**
 * The columns of a topic's files: those of its schema, all nullable since a record may have no value, then those of the record itself, `_key` last.
 * `key` is 'text' or an Avro definition. ConfigError SLC_CONFIG_PARQUET where a type has no column or a name is taken.
 */
export function columnsOf(topic: string, definition: unknown, key: unknown): readonly Column[] {
  const value = columnOf('value', definition, topic, new Names(), '');
  if (value.type.kind !== 'struct') {
    throw new ConfigError('SLC_CONFIG_PARQUET', `the schema of ${topic} is no Avro record`, { where: topic });
  }
  const keyType: ColumnType =
    key === 'text' ? { kind: 'string' } : columnOf('_key', key, `${topic}-key`, new Names(), '').type;
  const columns = [
    ...value.type.fields.map((field) => ({ ...field, nullable: true, required: !field.nullable })),
    ...OWN_COLUMNS,
    { name: '_key', type: keyType, nullable: true },
  ];
  const seen = new Set<string>(HIVE_COLUMNS);
  for (const { name } of columns) {
    // Readers of SQL do not tell case apart.
    if (seen.has(name.toLowerCase())) {
      throw new ConfigError('SLC_CONFIG_PARQUET', `column ${name} of ${topic} is taken`, {
        hint: "rename the Avro field: day, hour and names with _ in front are the lake's own",
        where: topic,
      });
    }
    seen.add(name.toLowerCase());
  }
  return columns;
}
