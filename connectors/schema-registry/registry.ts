import { ApiError, invalidSchema } from './api-error.ts';
import { identityOf } from './canonical.ts';
import { compileSchema, incompatibilities, LEVELS } from './compatibility.ts';
import {
  levelRecord,
  type LogRecord,
  maxIdRecord,
  noSchemaRecord,
  type Reference,
  schemaRecord,
  type SchemaVersion,
  subjectDeletedRecord,
} from './records.ts';
import type { RegistryState } from './state.ts';

/** Where records go; SchemaLog. */
export interface RecordSink {
  write(records: readonly LogRecord[]): Promise<void>;
}

/** A schema as a client sends it. */
export interface SentSchema {
  readonly schema: string;
  readonly references: readonly Reference[];
}

const INVALID_LEVEL =
  'Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive';

/** What the API does, over the state and its log. Throws ApiError with Confluent's codes. Writes go one after the other. */
export class SchemaRegistry {
  readonly #state: RegistryState;
  readonly #log: RecordSink;
  #last: Promise<unknown> = Promise.resolve();

  constructor(state: RegistryState, log: RecordSink) {
    this.#state = state;
    this.#log = log;
  }

  /** Registers a schema; the same one again has the same id. 409 when it is not compatible. */
  register(subject: string, sent: SentSchema): Promise<number> {
    return this.#serial(async () => {
      const state = this.#state;
      const candidate = compileSchema(sent, this.#lookup);
      const identity = identityOf(sent.schema, 'AVRO', sent.references);
      const earlier = state.versions(subject);
      const same = earlier.find((version) => identityOfVersion(version) === identity);
      if (same !== undefined) return same.id;
      const mode = state.mode(subject);
      if (mode !== 'READWRITE') throw new ApiError(422, 42205, `Subject ${subject} is in ${mode} mode`);
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
      await this.#log.write([
        schemaRecord({ subject, version, id, references: sent.references, schema, deleted: false }),
      ]);
      return id;
    });
  }

  /** The version of a subject that is this schema. 40401, 40403. */
  find(subject: string, sent: SentSchema): SchemaVersion {
    const versions = this.#known(subject);
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

  /** What is wrong with a schema beside one version, or beside those that its level looks at. */
  problems(subject: string, sent: SentSchema, version?: string): string[] {
    const candidate = compileSchema(sent, this.#lookup);
    const earlier = version === undefined ? this.#state.versions(subject) : [this.version(subject, version)];
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
    return this.#serial(async () => {
      const wanted = String(level).toUpperCase();
      if (!(LEVELS as readonly string[]).includes(wanted)) throw new ApiError(422, 42203, INVALID_LEVEL);
      await this.#log.write([levelRecord(subject, wanted)]);
      return wanted;
    });
  }

  removeLevel(subject: string): Promise<string> {
    return this.#serial(async () => {
      const level = this.level(subject, false);
      await this.#log.write([levelRecord(subject, null)]);
      return level;
    });
  }

  mode(subject?: string): string {
    return this.#state.mode(subject);
  }

  /** Soft, or for good what was soft-deleted before. 42206 when others refer to it, 40407. */
  deleteVersion(subject: string, version: string, permanent: boolean): Promise<number> {
    return this.#serial(async () => {
      const found = this.version(subject, version, permanent);
      this.#refuseReferenced(found);
      if (permanent && !found.deleted) {
        throw new ApiError(
          404,
          40407,
          `Subject '${subject}' Version ${found.version} was not deleted first before being permanently deleted`,
        );
      }
      await this.#log.write(permanent ? this.#gone([found]) : [schemaRecord({ ...found, deleted: true })]);
      return found.version;
    });
  }

  /** Like deleteVersion, for all versions. 40405. */
  deleteSubject(subject: string, permanent: boolean): Promise<number[]> {
    return this.#serial(async () => {
      const versions = this.#known(subject, permanent);
      for (const version of versions) this.#refuseReferenced(version);
      if (permanent && versions.some(({ deleted }) => !deleted)) {
        throw new ApiError(404, 40405, `Subject '${subject}' was not deleted first before being permanently deleted`);
      }
      const last = versions.at(-1)?.version ?? 0;
      await this.#log.write(permanent ? this.#gone(versions) : [subjectDeletedRecord(subject, last)]);
      return versions.map(({ version }) => version);
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

  #serial<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work, work);
    this.#last = next.catch(() => undefined);
    return next;
  }
}

/** Reads a body of POST /subjects/...: Avro only. ApiError 42201. */
export function sentSchema(body: unknown, parseReferences: (value: unknown) => readonly Reference[]): SentSchema {
  const { schema, schemaType = 'AVRO', references } = Object(body) as Record<string, unknown>;
  if (typeof schema !== 'string' || schema === '') throw invalidSchema('Invalid schema: empty');
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
