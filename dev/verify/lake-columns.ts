/** A record's value as JSON text in one form, from what a serde gives and from the columns of a lake's file: equal text is an equal value. */
import { SluiceError } from '#topology';

/** What an Avro definition means; names of records are resolved. */
type Shape =
  | { readonly kind: 'plain' | 'float' | 'bytes' | 'decimal' | 'time' | 'date' | 'uuid' }
  | { readonly kind: 'record'; readonly fields: readonly Field[] }
  | { readonly kind: 'array' | 'map'; readonly of: Shape };

interface Field {
  readonly name: string;
  readonly shape: Shape;
  /** What a row of an older file has that lacks the column, as SQL; undefined: null. */
  readonly fallback: string | undefined;
}

const FLOATS = new Set(['float', 'double']);
const BYTES = new Set(['bytes', 'fixed']);
const LOGICAL: Readonly<Record<string, 'decimal' | 'time' | 'date' | 'uuid' | undefined>> = {
  decimal: 'decimal',
  'timestamp-millis': 'time',
  date: 'date',
  uuid: 'uuid',
};
const PLAIN = new Set(['null', 'boolean', 'int', 'long', 'string', 'enum']);

/** Both forms of the values (or keys) of one Avro definition. Decimals are their unscaled integer as text, times ms, dates days, bytes hex. */
export class LakeColumns {
  readonly #shape: Shape;

  constructor(definition: unknown) {
    this.#shape = shapeOf(definition, new Map(), '');
  }

  /** JSON of a value as the serde gives it; null of null. */
  json(value: unknown): string | null {
    return value === null || value === undefined ? null : JSON.stringify(plain(this.#shape, value));
  }

  /** SQL of the same JSON over a column, an SQL expression. */
  sqlOf(column: string): string {
    return `CAST(to_json(${sql(this.#shape, column)}) AS VARCHAR)`;
  }

  /** SQL of the same JSON over columns of the record's fields; `present`: those that any of the files has. */
  sql(present: ReadonlySet<string>): string {
    if (this.#shape.kind !== 'record') throw new SluiceError('SLC_VERIFY_LAKE', 'the schema is no record');
    const parts = this.#shape.fields.map(({ name, shape, fallback }) => {
      const column = present.has(name) ? sql(shape, quote(name)) : 'NULL';
      return `${quote(name)} := ${fallback === undefined ? column : `coalesce(${column}, ${fallback})`}`;
    });
    return `CAST(to_json(struct_pack(${parts.join(', ')})) AS VARCHAR)`;
  }
}

/** An SQL identifier. */
export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** An SQL text. */
export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function get(definition: unknown, name: string): unknown {
  return typeof definition === 'object' && definition !== null ? Reflect.get(definition, name) : undefined;
}

function shapeOf(definition: unknown, names: Map<string, Shape>, namespace: string): Shape {
  if (Array.isArray(definition)) {
    const members = definition.filter((member) => member !== 'null');
    return members.length === 0 ? { kind: 'plain' } : shapeOf(members[0], names, namespace);
  }
  const type = typeof definition === 'string' ? definition : get(definition, 'type');
  if (typeof type === 'object' && type !== null) return shapeOf(type, names, namespace);
  const name = String(type);
  const logical = LOGICAL[String(get(definition, 'logicalType'))];
  if (logical !== undefined) return { kind: logical };
  if (name === 'array' || name === 'map')
    return { kind: name, of: shapeOf(get(definition, name === 'array' ? 'items' : 'values'), names, namespace) };
  if (name === 'record') return recordOf(definition, names, namespace);
  const known = names.get(name) ?? names.get(`${namespace}.${name}`);
  if (known !== undefined) return known;
  const kind = FLOATS.has(name) ? 'float' : BYTES.has(name) ? 'bytes' : PLAIN.has(name) ? 'plain' : undefined;
  if (kind === undefined) throw new SluiceError('SLC_VERIFY_LAKE', `no column can be compared as ${name}`);
  const shape: Shape = { kind };
  if (get(definition, 'name') !== undefined) names.set(fullName(definition, namespace), shape);
  return shape;
}

function recordOf(definition: unknown, names: Map<string, Shape>, namespace: string): Shape {
  const name = fullName(definition, namespace);
  const inner = name.includes('.') ? name.slice(0, name.lastIndexOf('.')) : '';
  const fields = get(definition, 'fields') as readonly { name: string; type: unknown; default?: unknown }[];
  const shape: Shape = {
    kind: 'record',
    fields: fields.map((field) => {
      const of = shapeOf(field.type, names, inner);
      return { name: field.name, shape: of, fallback: fallbackOf(of, field.type, field.default) };
    }),
  };
  names.set(name, shape);
  return shape;
}

function fullName(definition: unknown, namespace: string): string {
  const name = String(get(definition, 'name'));
  const own = get(definition, 'namespace');
  const space = typeof own === 'string' ? own : namespace;
  return name.includes('.') || space === '' ? name : `${space}.${name}`;
}

/** A field that may be null is null in files that lack it. */
function fallbackOf(shape: Shape, type: unknown, value: unknown): string | undefined {
  if (Array.isArray(type) || value === undefined || value === null) return undefined;
  if (shape.kind === 'bytes' || shape.kind === 'decimal') return undefined;
  if (typeof value === 'string') return text(value);
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

function plain(shape: Shape, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (shape.kind) {
    case 'record':
      return Object.fromEntries(
        shape.fields.map((field) => [field.name, plain(field.shape, Reflect.get(value, field.name))]),
      );
    case 'array':
      return (value as unknown[]).map((each) => plain(shape.of, each));
    case 'map':
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(shape.of, each)]));
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('hex');
    case 'uuid':
      // Sixteen bytes in the lake: they have no case.
      return (value as string).toLowerCase();
    case 'decimal':
      return (value as bigint).toString();
    default:
      return typeof value === 'bigint' ? String(value) : value;
  }
}

function sql(shape: Shape, column: string, depth = 0): string {
  const each = `each${depth}`;
  switch (shape.kind) {
    case 'record': {
      const parts = shape.fields.map(
        (field) => `${quote(field.name)} := ${sql(field.shape, `${column}.${quote(field.name)}`, depth)}`,
      );
      return `CASE WHEN ${column} IS NOT NULL THEN struct_pack(${parts.join(', ')}) END`;
    }
    case 'array':
      return `list_transform(${column}, lambda ${each}: ${sql(shape.of, each, depth + 1)})`;
    case 'map':
      return `map_from_entries(list_transform(map_entries(${column}), lambda ${each}: {'key': ${each}.key, 'value': ${sql(shape.of, `${each}.value`, depth + 1)}}))`;
    case 'bytes':
      return `lower(hex(${column}))`;
    case 'uuid':
      return `CAST(${column} AS VARCHAR)`;
    case 'decimal':
      // The digits without the point: no arithmetic, so all 38 stay.
      return `CAST(CAST(replace(CAST(${column} AS VARCHAR), '.', '') AS HUGEINT) AS VARCHAR)`;
    case 'time':
      return `epoch_ms(${column})`;
    case 'date':
      return `${column} - DATE '1970-01-01'`;
    case 'float':
      // JSON has no NaN, and JavaScript writes whole numbers without a point.
      return `CASE WHEN isfinite(${column}) THEN CASE WHEN ${column} = trunc(${column}) AND abs(${column}) < 9007199254740992
        THEN to_json(CAST(${column} AS BIGINT)) ELSE to_json(CAST(${column} AS DOUBLE)) END END`;
    default:
      return column;
  }
}
