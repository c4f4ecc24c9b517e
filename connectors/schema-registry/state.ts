import { identityOf } from './canonical.ts';
import type { LogEntry, SchemaVersion } from './records.ts';

/** All that the registry knows: a fold over the records of its topic, in order. */
export class RegistryState {
  readonly #subjects = new Map<string, Map<number, SchemaVersion>>();
  readonly #levels = new Map<string, string>();
  readonly #modes = new Map<string, string>();
  /** id -> its versions, soft-deleted ones included; one id may be in several subjects. */
  readonly #byId = new Map<number, Set<SchemaVersion>>();
  readonly #idByIdentity = new Map<string, number>();
  #globalLevel = 'BACKWARD';
  #globalMode = 'READWRITE';
  #maxId = 0;

  /** The largest id ever given out; never goes down. */
  get maxId(): number {
    return this.#maxId;
  }

  get globalLevel(): string {
    return this.#globalLevel;
  }

  /** Takes over what a record says. */
  apply(entry: LogEntry): void {
    switch (entry.type) {
      case 'schema':
        return this.#put(entry.value);
      case 'no-schema':
        return this.#remove(entry.subject, entry.version);
      case 'subject-deleted':
        for (const found of this.versions(entry.subject, true)) {
          if (found.version <= entry.version && !found.deleted) this.#put({ ...found, deleted: true });
        }
        return;
      case 'subject-cleared':
        for (const { version } of this.versions(entry.subject, true)) this.#remove(entry.subject, version);
        return;
      case 'level':
        if (entry.subject === null) this.#globalLevel = entry.level ?? 'BACKWARD';
        else set(this.#levels, entry.subject, entry.level);
        return;
      case 'mode':
        if (entry.subject === null) this.#globalMode = entry.mode ?? 'READWRITE';
        else set(this.#modes, entry.subject, entry.mode);
        return;
      case 'max-id':
        this.#maxId = Math.max(this.#maxId, entry.id);
        return;
      case 'nothing':
    }
  }

  /** Names of subjects that have a version, sorted. */
  subjects(withDeleted = false): string[] {
    return [...this.#subjects.keys()].filter((name) => this.versions(name, withDeleted).length > 0).sort();
  }

  /** Versions of a subject, oldest first. */
  versions(subject: string, withDeleted = false): SchemaVersion[] {
    const versions = [...(this.#subjects.get(subject)?.values() ?? [])];
    return versions.filter((found) => withDeleted || !found.deleted).sort((a, b) => a.version - b.version);
  }

  version(subject: string, version: number): SchemaVersion | undefined {
    return this.#subjects.get(subject)?.get(version);
  }

  /** All versions with this id, soft-deleted ones included; empty when there is none. */
  withId(id: number): readonly SchemaVersion[] {
    return [...(this.#byId.get(id) ?? [])];
  }

  /** The id of a schema that is known under any subject, by `identityOf`. */
  idOf(identity: string): number | undefined {
    return this.#idByIdentity.get(identity);
  }

  /** Ids of schemas that use this version. */
  referencedBy(subject: string, version: number): number[] {
    const uses = (found: SchemaVersion): boolean =>
      !found.deleted && (found.references ?? []).some((used) => used.subject === subject && used.version === version);
    const users = [...this.#subjects.values()].flatMap((versions) => [...versions.values()].filter(uses));
    return [...new Set(users.map((found) => found.id))];
  }

  /** The level set for the subject itself. */
  ownLevel(subject: string): string | undefined {
    return this.#levels.get(subject);
  }

  /** The level that holds for the subject. */
  level(subject: string): string {
    return this.#levels.get(subject) ?? this.#globalLevel;
  }

  get globalMode(): string {
    return this.#globalMode;
  }

  /** The mode set for the subject itself. */
  ownMode(subject: string): string | undefined {
    return this.#modes.get(subject);
  }

  /** The mode that holds for the subject. */
  mode(subject: string): string {
    return this.#modes.get(subject) ?? this.#globalMode;
  }

  #put(value: SchemaVersion): void {
    this.#remove(value.subject, value.version);
    const versions = this.#subjects.get(value.subject) ?? new Map<number, SchemaVersion>();
    this.#subjects.set(value.subject, versions.set(value.version, value));
    this.#byId.set(value.id, (this.#byId.get(value.id) ?? new Set()).add(value));
    const identity = identityOf(value.schema, value.schemaType, value.references);
    // A topic taken over may hold one schema under two ids: the order of its records, which compaction changes, must not matter.
    this.#idByIdentity.set(identity, Math.min(value.id, this.#idByIdentity.get(identity) ?? value.id));
    this.#maxId = Math.max(this.#maxId, value.id);
  }

  #remove(subject: string, version: number): void {
    const versions = this.#subjects.get(subject);
    const found = versions?.get(version);
    if (versions === undefined || found === undefined) return;
    versions.delete(version);
    if (versions.size === 0) this.#subjects.delete(subject);
    const sameId = this.#byId.get(found.id);
    sameId?.delete(found);
    if (sameId?.size !== 0) return;
    this.#byId.delete(found.id);
    const identity = identityOf(found.schema, found.schemaType, found.references);
    if (this.#idByIdentity.get(identity) === found.id) this.#idByIdentity.delete(identity);
  }
}

function set(map: Map<string, string>, key: string, value: string | null): void {
  if (value === null) map.delete(key);
  else map.set(key, value);
}
