import type { DiskEntry, DiskTable } from './disk-table.ts';
import type { Evictable, StateBudget } from './state-budget.ts';
import type { StateStore } from './store.ts';
import { asBuffer } from './value-codec.ts';

/** A store whose content may lie on disk only. */
export interface PersistentStore extends StateStore, Evictable {
  /** After the restore: looks at what its table holds. Before it, the store is not to be read. */
  attach(): void;
  /** The key under which an entry of the changelog lies on disk. */
  diskKey(changelogKey: Uint8Array): Uint8Array;
  /** What further tables must hold of changes, to find entries otherwise than by key. */
  indexOf?(changes: readonly DiskEntry[]): { readonly table: string; readonly entries: readonly DiskEntry[] }[];
}

/** Of a key and value in memory, next to their content: map entry, object, numbers. Rather too much: what it misses, the budget misses. */
const OBJECT_BYTES = 300;
/** JSON as objects, against its bytes. */
const GROWTH = 2;
/** Of what waits to be written: two buffers, a text and a map entry. */
const PENDING_BYTES = 300;

/** What an entry takes in memory when it takes `bytes` in the changelog. */
export function estimate(bytes: number): number {
  return OBJECT_BYTES + GROWTH * bytes;
}

/** What of a store is committed and not on disk yet, the last value per key. */
export class StoreMirror {
  readonly table: DiskTable;
  readonly budget: StateBudget;
  /** Counts the writes to disk: what was put under an earlier number is there. */
  epoch = 0;
  /** Of what waits. */
  bytes = 0;
  #pending = new Map<string, DiskEntry>();

  constructor(table: DiskTable, budget: StateBudget) {
    this.table = table;
    this.budget = budget;
  }

  get size(): number {
    return this.#pending.size;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    const id = asBuffer(key).toString('latin1');
    const known = this.#pending.get(id);
    const fresh = known === undefined ? PENDING_BYTES + key.length : -sizeOf(known.value);
    this.#count(sizeOf(value) + fresh);
    this.#pending.set(id, { key, value });
  }

  /** All that waits, in key order: neighbours share pages. */
  inOrder(): DiskEntry[] {
    const ids = [...this.#pending.keys()].sort();
    return ids.flatMap((id) => this.#pending.get(id) ?? []);
  }

  /** What waited is on disk. */
  written(): void {
    this.forget();
    this.epoch++;
  }

  /** What waits is not written. */
  forget(): void {
    this.#count(-this.bytes);
    this.#pending = new Map();
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.budget.add(bytes);
  }
}

function sizeOf(value: Uint8Array | null): number {
  return value?.length ?? 0;
}
