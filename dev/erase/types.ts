/** What erasing a user is about, for all files of this folder. Where people are is told by the composition root (processors/personal-data.ts). */
import type { KafkaAdmin, KafkaClient, Schema, SerdeFactory, Topology } from '#topology';

/** A topic whose rows are about one user each, and its table in the warehouse where there is one. */
export interface PersonalTopic {
  readonly name: string;
  /** The field with the user's id. */
  readonly column: string;
  /** Rows of other users have the same key: no tombstone can be written. */
  readonly isKeyShared: boolean;
  readonly table: { readonly schema: string; readonly name: string; readonly column: string } | undefined;
}

/** A store with entries of one user each. */
export interface PersonalStore {
  readonly name: string;
  readonly isOf: (key: string, userId: string) => boolean;
}

/** Where rows are looked for, and whose. */
export interface RowSearch {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly topology: Pick<Topology, 'app'>;
  readonly serdes: SerdeFactory;
  /** Of values, under the topic's name. */
  readonly schemas: Readonly<Record<string, Schema<unknown>>>;
  readonly topics: readonly PersonalTopic[];
  /** By the id that a row has. */
  readonly isOf: (userId: string) => boolean;
  /** Wall clock, ms. */
  readonly deadline: number;
}

/** What is needed to look for a user, and to erase one. */
export interface EraseOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly topology: Topology;
  readonly serdes: SerdeFactory;
  /** Of values, under the topic's name. */
  readonly schemas: Readonly<Record<string, Schema<unknown>>>;
  /** Digits. */
  readonly userId: string;
  readonly topics: readonly PersonalTopic[];
  /** Their entries are erased. */
  readonly stores: readonly PersonalStore[];
  /** Its entries are counted. */
  readonly openSessions: PersonalStore;
  /** The table of the users that the shop has: a row there comes again. */
  readonly users: string;
  /** postgres://user:password@host:port/database; undefined: there is no warehouse. */
  readonly postgres: string | undefined;
  /** SLUICE_ERASURE_KEY: what the hash of the id is made with; '' without. */
  readonly secret: string;
  /** Wall clock, ms. */
  readonly deadline: number;
  /** What it does or waits for, for people. */
  readonly progress: (text: string) => void;
}
