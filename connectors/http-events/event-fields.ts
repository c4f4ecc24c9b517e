/** The fields that an event may have, from the Avro schema of its topic: checked before encoding, so that a sender is told what is wrong in JSON's words. */
import { ConfigError } from '#topology';

/** One field as the sender has to send it. */
export interface EventField {
  readonly name: string;
  /** The schema has no default for it. */
  readonly required: boolean;
  /** Written when it is not sent. */
  readonly defaultValue: unknown;
  /** 'a whole number or null'. */
  readonly expected: string;
  readonly accepts: (this: void, value: unknown) => boolean;
}

interface ValueKind {
  readonly expected: string;
  readonly accepts: (this: void, value: unknown) => boolean;
}

/** Set by the collector, never by the sender. */
export const RECEIVED_AT = 'receivedAt';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** Beyond it neighbours are the same number in avsc, which computes 2n in a double. */
const LONG_LIMIT = 2 ** 52;

const KINDS: Readonly<Record<string, ValueKind>> = {
  null: { expected: 'null', accepts: (value) => value === null },
  boolean: { expected: 'true or false', accepts: (value) => typeof value === 'boolean' },
  // Half a surrogate pair has no UTF-8: it would be written as another character.
  string: { expected: 'a text', accepts: (value) => typeof value === 'string' && value.isWellFormed() },
  int: {
    expected: 'a whole number',
    accepts: (value) => Number.isInteger(value) && Object.is(Number(value) | 0, value),
  },
  long: { expected: 'a whole number', accepts: isLong },
  float: { expected: 'a number', accepts: (value) => typeof value === 'number' },
  double: { expected: 'a number', accepts: (value) => typeof value === 'number' },
  uuid: { expected: 'a UUID', accepts: (value) => typeof value === 'string' && UUID.test(value) },
  'timestamp-millis': {
    expected: 'a time in milliseconds since 1970',
    accepts: (value) => isLong(value) && value >= 0,
  },
};

/** Anything else is left to the encoder. */
const ANYTHING: ValueKind = { expected: 'a value of its type', accepts: () => true };

/** The fields of an event. ConfigError SLC_CONFIG_COLLECTOR when the schema has no envelope: eventId, occurredAt, receivedAt. */
export function eventFields(name: string, definition: unknown): readonly EventField[] {
  const { fields } = Object(definition) as { readonly fields?: unknown };
  const all = Array.isArray(fields) ? (fields as Record<string, unknown>[]) : [];
  for (const needed of ['eventId', 'occurredAt', RECEIVED_AT]) {
    if (!all.some((field) => field['name'] === needed)) {
      throw new ConfigError('SLC_CONFIG_COLLECTOR', `schema ${name} has no field ${needed}`, {
        hint: 'events have the fields eventId (uuid), occurredAt and receivedAt (timestamp-millis)',
      });
    }
  }
  return all.filter((field) => field['name'] !== RECEIVED_AT).map(fieldOf);
}

function fieldOf(field: Record<string, unknown>): EventField {
  const kinds = (Array.isArray(field['type']) ? field['type'] : [field['type']]).map(kindOf);
  // [null, X] reads better as 'X or null'.
  const named = kinds.toSorted((a, b) => Number(a.expected === 'null') - Number(b.expected === 'null'));
  return {
    name: String(field['name']),
    required: !('default' in field),
    defaultValue: field['default'],
    expected: named.map((kind) => kind.expected).join(' or '),
    accepts: (value) => kinds.some((kind) => kind.accepts(value)),
  };
}

function kindOf(type: unknown): ValueKind {
  if (typeof type === 'string') return KINDS[type] ?? ANYTHING;
  if (typeof type !== 'object' || type === null) return ANYTHING;
  const { logicalType, type: base } = type as { readonly logicalType?: unknown; readonly type?: unknown };
  if (typeof logicalType === 'string') return KINDS[logicalType] ?? ANYTHING;
  return typeof base === 'string' ? (KINDS[base] ?? ANYTHING) : ANYTHING;
}

function isLong(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= -LONG_LIMIT && Number(value) < LONG_LIMIT;
}
