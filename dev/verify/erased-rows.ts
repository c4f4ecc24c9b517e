/** Rows of users who were erased: verify leaves them out, theirs only. */
import type { KafkaAdmin, KafkaClient } from '#topology';
import { hashOfUser, readErasures } from '../erase/erasures.ts';
import type { Row } from './tables.ts';

/** Tables with rows of one user each, and how erasures are recorded; handed in by the composition root. */
export interface PersonalTables {
  /** By name of the table. `isErasedInKafka`: its topic takes tombstones; else only the warehouse's rows are erased. */
  readonly tables: ReadonlyMap<string, { readonly column: string; readonly isErasedInKafka: boolean }>;
  /** SLUICE_ERASURE_KEY; '' without. */
  readonly secret: string;
}

/** Rows without those of erased users. */
export interface RowsLeft {
  readonly expected: readonly Row[];
  readonly actual: readonly Row[];
  /** Expected rows that were left out. */
  readonly erased: number;
}

/** Who was erased, by the record of it. */
export class ErasedUsers {
  readonly #app: string;
  readonly #personal: PersonalTables | undefined;
  readonly #hashes: ReadonlySet<string>;
  readonly #known = new Map<string, boolean>();

  constructor(app: string, personal: PersonalTables | undefined, hashes: Iterable<string>) {
    this.#app = app;
    this.#personal = personal;
    this.#hashes = new Set(hashes);
  }

  static async read(
    client: KafkaClient,
    admin: KafkaAdmin,
    options: { readonly app: string; readonly personal: PersonalTables | undefined; readonly deadline: number },
  ): Promise<ErasedUsers> {
    const { app, personal, deadline } = options;
    const erasures = personal === undefined ? new Map() : await readErasures(client, admin, app, deadline);
    return new ErasedUsers(app, personal, erasures.keys());
  }

  /**
   * Both sides without the keys that an erased user has a row under, on either side: a tombstone has no column that tells whose it is. All of them where
   * nothing of the table is erased in that place.
   */
  without(
    table: string,
    place: 'Kafka' | 'PostgreSQL',
    columns: readonly string[],
    expected: readonly Row[],
    actual: readonly Row[],
  ): RowsLeft {
    const personal = this.#personal?.tables.get(table);
    const isErased = personal !== undefined && (place === 'PostgreSQL' || personal.isErasedInKafka);
    if (!isErased || this.#hashes.size === 0) return { expected, actual, erased: 0 };
    const [key, user] = [columns.indexOf('_key'), columns.indexOf(personal.column)];
    const keys = new Set(
      [...expected, ...actual].filter((row) => this.#isErased(row[user] ?? null)).map((row) => row[key] ?? null),
    );
    const stays = (row: Row): boolean => !keys.has(row[key] ?? null);
    const left = expected.filter(stays);
    return { expected: left, actual: actual.filter(stays), erased: expected.length - left.length };
  }

  #isErased(userId: string | null): boolean {
    if (userId === null) return false;
    let isErased = this.#known.get(userId);
    if (isErased === undefined) {
      isErased = this.#hashes.has(hashOfUser(this.#app, userId, this.#personal?.secret ?? ''));
      this.#known.set(userId, isErased);
    }
    return isErased;
  }
}
