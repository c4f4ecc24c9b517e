import { ConfigError, type Schema } from '#topology';

/** Why an event is refused. */
export interface Refusal {
  readonly code: 'SLC_EVENT_FORMAT' | 'SLC_EVENT_UNKNOWN' | 'SLC_EVENT_AHEAD' | 'SLC_EVENT_TOO_LARGE';
  readonly reason: string;
}

type Properties = Readonly<Record<string, unknown>>;

interface Field {
  readonly name: string;
  readonly types: readonly Kind[];
  readonly optional: boolean;
  readonly byDefault: unknown;
}

type Kind = 'null' | 'string' | 'uuid' | 'long' | 'int' | 'double' | 'boolean' | 'timestamp-millis';

/** Filled in by the collector: a sender must not say it. */
const RECEIVED_AT = 'receivedAt';
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const INT32 = 2 ** 31;

const ACCEPTS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  string: (value) => typeof value === 'string',
  uuid: (value) => typeof value === 'string' && UUID.test(value),
  long: (value) => Number.isSafeInteger(value),
  int: (value) => Number.isInteger(value) && Number(value) >= -INT32 && Number(value) < INT32,
  double: (value) => typeof value === 'number' && Number.isFinite(value),
  boolean: (value) => typeof value === 'boolean',
  'timestamp-millis': (value) => Number.isSafeInteger(value) && Number(value) >= 0,
};

/**
 * Checks the properties of an event against the Avro record of its topic: no field too many, none missing, each of its type. Returns the value to
 * write (with `receivedAt`), or what is wrong. Only flat records of simple types are events. ConfigError SLC_CONFIG_EVENT for others.
 */
export function eventFormat<T>(schema: Schema<T>): (properties: unknown, receivedAt: number) => { value: T } | Refusal {
  const fields = fieldsOf(schema).filter(({ name }) => name !== RECEIVED_AT);
  const names = new Set(fields.map(({ name }) => name));
  return (properties, receivedAt) => {
    if (typeof properties !== 'object' || properties === null || Array.isArray(properties))
      return refuse('properties is no object');
    const given = properties as Properties;
    const extra = Object.keys(given).find((name) => !names.has(name));
    if (extra !== undefined) return refuse(`there is no field ${JSON.stringify(extra.slice(0, 100))}`);
    const value: Record<string, unknown> = { [RECEIVED_AT]: receivedAt };
    for (const { name, types, optional, byDefault } of fields) {
      const part = Object.hasOwn(given, name) ? given[name] : undefined;
      if (part === undefined && !optional) return refuse(`field ${name} is missing`);
      if (part !== undefined && !types.some((type) => ACCEPTS[type](part)))
        return refuse(`field ${name} must be ${types.join(' or ')}`);
      value[name] = part === undefined ? byDefault : part;
    }
    return { value: value as T };
  };
}

function refuse(reason: string): Refusal {
  return { code: 'SLC_EVENT_FORMAT', reason };
}

function fieldsOf(schema: Schema<unknown>): Field[] {
  const { fields } = Object(schema.definition) as {
    fields?: readonly { name: string; type: unknown; default?: unknown }[];
  };
  return (fields ?? []).map((field) => {
    const types = Array.isArray(field.type)
      ? field.type.map((type) => kindOf(type, schema))
      : [kindOf(field.type, schema)];
    return { name: field.name, types, optional: Object.hasOwn(field, 'default'), byDefault: field.default };
  });
}

function kindOf(type: unknown, schema: Schema<unknown>): Kind {
  const { type: base, logicalType } = (typeof type === 'object' && type !== null ? type : { type }) as Record<
    string,
    unknown
  >;
  const kind = String(logicalType ?? base);
  if (Object.hasOwn(ACCEPTS, kind)) return kind as Kind;
  throw new ConfigError(
    'SLC_CONFIG_EVENT',
    `schema ${schema.name} has a field of type ${kind}: the collector takes simple types only`,
  );
}
