import type { Reference } from './records.ts';

/** Attributes in the order in which two spellings of a schema are compared; others follow by name. */
const ORDER = [
  'type',
  'name',
  'namespace',
  'doc',
  'aliases',
  'fields',
  'symbols',
  'items',
  'values',
  'size',
  'default',
  'order',
];

function rank(attribute: string): number {
  const place = ORDER.indexOf(attribute);
  return place < 0 ? ORDER.length : place;
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  // {"type":"string"} is "string".
  const names = Object.keys(value);
  if (names.length === 1 && 'type' in value && typeof value.type === 'string') return value.type;
  const entries = Object.entries(value).sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1));
  // A default is data, not schema: the order of its fields stays.
  return Object.fromEntries(entries.map(([name, part]) => [name, name === 'default' ? part : canonical(part)]));
}

/**
 * Equal for two spellings of one schema: they share an id. Documentation counts, as in Confluent's registry: a new doc text is a new id.
 * A schema that is no JSON (Protobuf in a topic taken over) is compared as text.
 */
export function identityOf(schema: string, schemaType = 'AVRO', references: readonly Reference[] = []): string {
  let content: unknown = schema;
  try {
    content = canonical(JSON.parse(schema));
  } catch {
    // Compared as text.
  }
  return JSON.stringify([
    schemaType,
    content,
    references.map(({ name, subject, version }) => [name, subject, version]),
  ]);
}
