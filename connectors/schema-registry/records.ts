/**
 * The records of topic `_schemas`, in Confluent's format, so that Confluent's registry or Karapace could take the topic over. Compaction compares
 * keys as bytes: the order of a key's fields matters. MAX_ID is ours (others skip it): ids stay used up after a schema was deleted for good.
 */

/** A schema that another one uses by name. */
export interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** One version of a subject. `deleted` = soft-deleted: hidden, but still found by id. */
export interface SchemaVersion {
  readonly subject: string;
  readonly version: number;
  readonly id: number;
  readonly schemaType?: string;
  readonly references?: readonly Reference[];
  readonly schema: string;
  readonly deleted: boolean;
}

/** A record to write. */
export interface LogRecord {
  readonly key: object;
  readonly value: object | null;
}

/** A record that was read. */
export type LogEntry =
  | { readonly type: 'schema'; readonly value: SchemaVersion }
  | { readonly type: 'no-schema'; readonly subject: string; readonly version: number }
  | { readonly type: 'subject-deleted'; readonly subject: string; readonly version: number }
  | { readonly type: 'subject-cleared'; readonly subject: string }
  | { readonly type: 'level'; readonly subject: string | null; readonly level: string | null }
  | { readonly type: 'mode'; readonly subject: string | null; readonly mode: string | null }
  | { readonly type: 'max-id'; readonly id: number }
  | { readonly type: 'nothing' };

export const NOOP: LogRecord = { key: { keytype: 'NOOP', magic: 0 }, value: null };

export function schemaRecord(value: SchemaVersion): LogRecord {
  const { subject, version, id, schemaType, references, schema, deleted } = value;
  return {
    key: { keytype: 'SCHEMA', subject, version, magic: 1 },
    value: {
      subject,
      version,
      id,
      ...(schemaType === undefined ? {} : { schemaType }),
      ...(references === undefined || references.length === 0 ? {} : { references }),
      schema,
      deleted,
    },
  };
}

export function noSchemaRecord(subject: string, version: number): LogRecord {
  return { key: { keytype: 'SCHEMA', subject, version, magic: 1 }, value: null };
}

export function subjectDeletedRecord(subject: string, version: number): LogRecord {
  return { key: { keytype: 'DELETE_SUBJECT', subject, magic: 0 }, value: { subject, version } };
}

export function levelRecord(subject: string | null, compatibilityLevel: string | null): LogRecord {
  const value = compatibilityLevel === null ? null : { compatibilityLevel };
  return { key: { keytype: 'CONFIG', subject, magic: 0 }, value };
}

export function modeRecord(subject: string | null, mode: string | null): LogRecord {
  return { key: { keytype: 'MODE', subject, magic: 0 }, value: mode === null ? null : { mode } };
}

export function maxIdRecord(maxId: number): LogRecord {
  return { key: { keytype: 'MAX_ID', magic: 0 }, value: { maxId } };
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads a record. Throws when it is none that a registry can go on with. */
export function parseRecord(key: string, value: string | null): LogEntry {
  const { keytype, subject: name, version } = fields(key);
  const content = value === null ? null : fields(value);
  const subject = typeof name === 'string' ? name : null;
  switch (keytype) {
    case 'SCHEMA':
      if (content !== null) return { type: 'schema', value: schemaVersion(content) };
      return { type: 'no-schema', subject: text(name), version: integer(version) };
    case 'DELETE_SUBJECT':
      if (content === null) return { type: 'nothing' };
      return { type: 'subject-deleted', subject: text(name), version: integer(content['version']) };
    case 'CLEAR_SUBJECT':
      return { type: 'subject-cleared', subject: text(name) };
    case 'CONFIG':
      return { type: 'level', subject, level: content === null ? null : text(content['compatibilityLevel']) };
    case 'MODE':
      return { type: 'mode', subject, mode: content === null ? null : text(content['mode']) };
    case 'MAX_ID':
      return content === null ? { type: 'nothing' } : { type: 'max-id', id: integer(content['maxId']) };
    case 'NOOP':
      return { type: 'nothing' };
    default:
      throw new TypeError(`a record of type ${JSON.stringify(keytype)}`);
  }
}

/** Reads references as clients send them and as they are stored. */
export function parseReferences(value: unknown): readonly Reference[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new TypeError('references must be a list');
  return value.map((item: unknown) => {
    const reference = Object(item) as Fields;
    return {
      name: text(reference['name']),
      subject: text(reference['subject']),
      version: integer(reference['version']),
    };
  });
}

function schemaVersion(value: Fields): SchemaVersion {
  const references = parseReferences(value['references']);
  return {
    subject: text(value['subject']),
    version: integer(value['version']),
    id: integer(value['id']),
    ...(typeof value['schemaType'] === 'string' ? { schemaType: value['schemaType'] } : {}),
    ...(references.length === 0 ? {} : { references }),
    schema: text(value['schema']),
    deleted: value['deleted'] === true,
  };
}

function fields(json: string): Fields {
  return Object(JSON.parse(json)) as Fields;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`${JSON.stringify(value)} is no text`);
  return value;
}

function integer(value: unknown): number {
  if (!Number.isInteger(value)) throw new TypeError(`${JSON.stringify(value)} is no whole number`);
  return value as number;
}
