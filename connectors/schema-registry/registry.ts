import { ApiError, invalidSchema } from './api-error.ts';
import { identityOf } from './canonical.ts';
import { compileSchema, incompatibilities, LEVELS } from './compatibility.ts';
import {
  levelRecord,
  type LogRecord,
  maxIdRecord,
  modeRecord,
  noSchemaRecord,
  type Reference,
  schemaRecord,
  type SchemaVersion,
  subjectDeletedRecord,
} from './records.ts';
import type { Decision } from './schema-log.ts';
import type { RegistryState } from './state.ts';

/** Where records go; SchemaLog. */
export interface RecordSink {
  write<T>(decide: () => Decision<T>): Promise<T>;
}

/** A schema as a client sends it. */
export interface SentSchema {
  readonly schema: string;
  readonly references: readonly Reference[];
}

/** It must fit into one of Kafka's batches. */
const MAX_SCHEMA = 250_000;

const INVALID_LEVEL =
  'Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive';

/** Kept in `_schemas` as Confluent's. IMPORT (ids given by the client) is not had. */
const MODES: readonly string[] = ['READWRITE', 'READONLY'];

/** What the API does, over the state and its log. Throws ApiError with Confluent's codes. */
export class SchemaRegistry {
  readonly #state: RegistryState;
  readonly #log: RecordSink;

  constructor(state: RegistryState, log: RecordSink) {
    this.#state = state;
    this.#log = log;
  }

  /** Registers a schema; the same one again has the same id. 409 when it is not compatible, 42205 in mode READONLY. */
  register(subject: string, sent: SentSchema): Promise<number> {
    return this.#log.write(() => {
      const state = this.#state;
      const candidate = compileSchema(sent, this.#lookup);
      const identity = identityOf(sent.schema, 'AVRO', sent.references);
      const earlier = state.versions(subject);
      const same = earlier.find((version) => identityOfVersion(version) === identity);
      if (same !== undefined) return { records: [], answer: same.id };
      this.#refuseReadOnly(subject);
      const wrong = incompatibilities(state.level(subject), candidate, earlier, this.#lookup);
      if (wrong.length > 0) {
        const details = `details: [${wrong.join('; ')}]`;
        throw new ApiError(
          409,
          409,
          `Schema being registered is incompatible with an earlier schema for subject "${subject}", ${details}`,
        );
      }
      const version = (state.versions(subject, true).at(-1)?.version ?? 0) + 1;
      const id = state.idOf(identity) ?? state.maxId + 1;
      const schema = JSON.stringify(JSON.parse(sent.schema));
      const record = schemaRecord({ subject, version, id, references: sent.references, schema, deleted: false });
      return { records: [record], answer: id };
    });
  }

  /** The version of a subject that is this schema. 40401, 40403. */
  find(subject: string, sent: SentSchema, withDeleted = false): SchemaVersion {
    const versions = this.#known(subject, withDeleted);
    compileSchema(sent, this.#lookup);
    const identity = identityOf(sent.schema, 'AVRO', sent.references);
    const found = versions.find((version) => identityOfVersion(version) === identity);
    if (found === undefined) throw new ApiError(404, 40403, 'Schema not found');
    return found;
  }

  /** Any version with this id, soft-deleted or not. 40403. */
  withId(id: number): readonly [SchemaVersion, ...SchemaVersion[]] {
    const [first, ...others] = this.#state.withId(id);
    if (first === undefined) throw new ApiError(404, 40403, `Schema ${id} not found`);
    return [first, ...others];
  }

  subjects(prefix: string, withDeleted: boolean): string[] {
    return this.#state.subjects(withDeleted).filter((name) => name.startsWith(prefix));
  }

  /** 40401 when there is none. */
  versions(subject: string, withDeleted = false): SchemaVersion[] {
    return this.#known(subject, withDeleted);
  }

  /** `version`: a number, 'latest' or -1. 40401, 40402, 42202. */
  version(subject: string, version: string, withDeleted = false): SchemaVersion {
    const versions = this.#known(subject, withDeleted);
    const wanted = version === 'latest' || version === '-1' ? versions.at(-1)?.version : Number(version);
    if (!Number.isInteger(wanted) || Number(wanted) < 1) {
      throw new ApiError(422, 42202, `The specified version '${version}' is not a valid version id.`);
    }
    const found = versions.find((one) => one.version === wanted);
    if (found === undefined) throw new ApiError(404, 40402, `Version ${version} not found.`);
    return found;
  }

  referencedBy(subject: string, version: string): number[] {
    return this.#state.referencedBy(subject, this.version(subject, version).version);
  }

  /** What is wrong with a schema beside one version, or beside those that its level looks at. Nothing beside the latest of no versions. */
  problems(subject: string, sent: SentSchema, version?: string): string[] {
    const candidate = compileSchema(sent, this.#lookup);
    const all = this.#state.versions(subject);
    const none = all.length === 0 && (version === 'latest' || version === '-1');
    const earlier = version === undefined || none ? all : [this.version(subject, version)];
    return incompatibilities(this.#state.level(subject), candidate, earlier, this.#lookup);
  }

  /** 40408 for a subject without a level of its own, unless `orGlobal`. */
  level(subject: string | undefined, orGlobal: boolean): string {
    if (subject === undefined) return this.#state.globalLevel;
    const own = this.#state.ownLevel(subject);
    if (own !== undefined) return own;
    if (orGlobal) return this.#state.globalLevel;
    throw new ApiError(404, 40408, `Subject '${subject}' does not have subject-level compatibility configured`);
  }

  setLevel(subject: string | null, level: unknown): Promise<string> {
    return this.#log.write(() => {
      const wanted = String(level).toUpperCase();
      if (!(LEVELS as readonly string[]).includes(wanted)) throw new ApiError(422, 42203, INVALID_LEVEL);
      return { records: [levelRecord(subject, wanted)], answer: wanted };
    });
  }

  removeLevel(subject: string): Promise<string> {
    return this.#log.write(() => {
      const answer = this.level(subject, false);
      return { records: [levelRecord(subject, null)], answer };
    });
  }

  /** 40409 for a subject without a mode of its own, unless `orGlobal`. */
  mode(subject: string | undefined, orGlobal: boolean): string {
    if (subject === undefined) return this.#state.globalMode;
    const own = this.#state.ownMode(subject);
    if (own !== undefined) return own;
    if (orGlobal) return this.#state.globalMode;
    throw new ApiError(404, 40409, `Subject '${subject}' does not have subject-level mode configured`);
  }

  /** 42204 for what is no mode. */
  setMode(subject: string | null, mode: unknown): Promise<string> {
    return this.#log.write(() => {
      const wanted = String(mode).toUpperCase();
      if (!MODES.includes(wanted)) {
        throw new ApiError(422, 42204, `Invalid mode. Valid values are ${MODES.join(', ')}`);
      }
      return { records: [modeRecord(subject, wanted)], answer: wanted };
    });
  }

  removeMode(subject: string): Promise<string> {
    return this.#log.write(() => {
      const answer = this.mode(subject, false);
      return { records: [modeRecord(subject, null)], answer };
    });
  }

  /** Soft, or for good what was soft-deleted before. 40406, 40407, 42206 when others refer to it. */
  deleteVersion(subject: string, version: string, permanent: boolean): Promise<number> {
    return this.#log.write(() => {
      const exact = this.#state.version(subject, Number(version));
      if (!permanent && exact?.deleted === true) {
        const what = `Subject '${subject}' Version ${version}`;
        throw new ApiError(404, 40406, `${what} was soft deleted. Set permanent=true to delete permanently`);
      }
      const found = this.version(subject, version, permanent);
      this.#refuseReadOnly(subject);
      this.#refuseReferenced(found);
      if (permanent && !found.deleted) {
        throw new ApiError(
          404,
          40407,
          `Subject '${subject}' Version ${found.version} was not deleted first before being permanently deleted`,
        );
      }
      const records = permanent ? this.#gone([found]) : [schemaRecord({ ...found, deleted: true })];
      return { records, answer: found.version };
    });
  }

  /** Like deleteVersion, for all versions. 40404, 40405. */
  deleteSubject(subject: string, permanent: boolean): Promise<number[]> {
    return this.#log.write(() => {
      const all = this.#known(subject, true);
      const versions = permanent ? all : all.filter(({ deleted }) => !deleted);
      if (versions.length === 0) {
        const what = `Subject '${subject}' was soft deleted`;
        throw new ApiError(404, 40404, `${what}. Set permanent=true to delete permanently`);
      }
      this.#refuseReadOnly(subject);
      for (const version of versions) this.#refuseReferenced(version);
      if (permanent && versions.some(({ deleted }) => !deleted)) {
        throw new ApiError(404, 40405, `Subject '${subject}' was not deleted first before being permanently deleted`);
      }
      const last = versions.at(-1)?.version ?? 0;
      const records = permanent ? this.#gone(versions) : [subjectDeletedRecord(subject, last)];
      return { records, answer: versions.map(({ version }) => version) };
    });
  }

  readonly #lookup = (subject: string, version: number): SchemaVersion | undefined =>
    this.#state.version(subject, version);

  #gone(versions: readonly SchemaVersion[]): LogRecord[] {
    return [
      maxIdRecord(this.#state.maxId),
      ...versions.map(({ subject, version }) => noSchemaRecord(subject, version)),
    ];
  }

  #known(subject: string, withDeleted = false): SchemaVersion[] {
    const versions = this.#state.versions(subject, withDeleted);
    if (versions.length === 0) throw new ApiError(404, 40401, `Subject '${subject}' not found.`);
    return versions;
  }

  #refuseReferenced({ subject, version }: SchemaVersion): void {
    if (this.#state.referencedBy(subject, version).length === 0) return;
    throw new ApiError(
      422,
      42206,
      `One or more references exist to the schema {subject=${subject},version=${version}}.`,
    );
  }

  #refuseReadOnly(subject: string): void {
    const mode = this.#state.mode(subject);
    if (mode !== 'READWRITE') throw new ApiError(422, 42205, `Subject ${subject} is in ${mode} mode`);
  }
}

/** Reads a body of POST /subjects/...: Avro only. ApiError 42201. */
export function sentSchema(body: unknown, parseReferences: (value: unknown) => readonly Reference[]): SentSchema {
  const { schema, schemaType = 'AVRO', references } = Object(body) as Record<string, unknown>;
  if (typeof schema !== 'string' || schema === '') throw invalidSchema('Invalid schema: empty');
  if (schema.length > MAX_SCHEMA) throw invalidSchema(`Invalid schema: longer than ${MAX_SCHEMA} characters`);
  if (schemaType !== 'AVRO') throw invalidSchema(`Schema type ${JSON.stringify(schemaType)} is not supported`);
  try {
    return { schema, references: parseReferences(references) };
  } catch (error) {
    throw invalidSchema(`Invalid references: ${String(error)}`);
  }
}

function identityOfVersion({ schema, schemaType, references }: SchemaVersion): string {
  return identityOf(schema, schemaType, references);
}
