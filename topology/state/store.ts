/**
 * State of a task. Stores hold live objects; what changed since the last commit is serialised at commit only, for the changelog.
 * All stores are rebuilt from their changelog by `restore`.
 */

import type { BatchBuilder } from '../record-batch.ts';

/** Where the state of a stage is: whole in memory, or above a file, of which what was used lately is in memory. */
export type StatePlace = 'memory' | 'disk';

/** What a store is, known at build time. `name` is unique in its stage; the changelog topic is `<app>-<name>-changelog`. */
export interface StoreSpec {
  readonly name: string;
  readonly kind:
    | 'key-value'
    | 'window'
    | 'versioned'
    | 'buffer'
    | 'seen'
    | 'suppress'
    | 'session'
    | 'join'
    | 'user-window'
    | 'user-session';
  /** How long a closed window or an old version is kept after event time has passed it, ms. */
  readonly retentionMs?: number;
  /** Its node holds what it took from the store beyond a record: it stays in memory as a whole. */
  readonly isWhole?: boolean;
  /** Whose it is, and where that stage keeps its state; without a place, where the application does. */
  readonly of?: { readonly stage: string; readonly place?: StatePlace | undefined };
}

/** One change for the changelog; null = tombstone. */
export interface ChangelogEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
  readonly timestamp: number;
}

/** Where changes can be written without being made: each is begun, gets its fields, and is ended. */
export interface ChangeSink {
  begin(timestamp: number): BatchBuilder;
  end(batch: BatchBuilder): void;
}

/** What every store can do. */
export interface StateStore {
  readonly name: string;
  /** Entries held now. */
  readonly size: number;
  /** What changed since the last call, serialised; afterwards nothing is dirty. A key that changed several times is in it once. */
  takeChanges(): ChangelogEntry[];
  /** As `takeChanges`, straight into `sink`. Returns how many. */
  writeChanges?(sink: ChangeSink): number;
  /** Applies one changelog record; only before the first record is processed. */
  restore(key: Uint8Array, value: Uint8Array | null): void;
  clear(): void;
}

/** The plain store: key (text or number or a window key) to a live object. Objects taken from it may be changed in place, followed by put. */
export interface KeyValueStore<K, V> extends StateStore {
  get(key: K): V | undefined;
  put(key: K, value: V): void;
  delete(key: K): void;
  entries(): IterableIterator<[K, V]>;
}
