import { keyFromId, keyId } from './key-codec.ts';
import type { MemoryKeyValueStore } from './memory-store.ts';
import type { ChangelogEntry } from './store.ts';
import { estimate, type PersistentStore, type StoreMirror } from './store-mirror.ts';
import { type Held, Sweep } from './sweep.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';
import { utf8 } from '../utf8.ts';

/** `value` undefined: deleted, and the disk may not know yet. */
interface Cell<V> extends Held {
  readonly id: string;
  value: V | undefined;
  isDirty: boolean;
}

/** The methods of the store in memory. */
type KeyValue<K, V> = Pick<MemoryKeyValueStore<K, V>, keyof MemoryKeyValueStore<K, V>>;

/** Key-value store above a file: what was used lately is in memory as objects, all that is committed is on disk sooner or later. Changelog as in memory. */
export class PersistentKeyValueStore<K, V> implements KeyValue<K, V>, PersistentStore {
  readonly name: string;
  readonly #mirror: StoreMirror;
  readonly #live = new Map<string, Cell<V>>();
  readonly #dirty = new Set<string>();
  #deleted: string[] = [];
  #deletedEpoch = 0;
  /** Entries that are on disk and not in memory. */
  #away = 0;
  #size = 0;
  readonly #sweep: Sweep<Cell<V>>;

  constructor(name: string, mirror: StoreMirror) {
    this.name = name;
    this.#mirror = mirror;
    this.#sweep = new Sweep(mirror, {
      held: () => this.#live.values(),
      isBusy: ({ isDirty, value }) => isDirty || value === undefined,
      letGo: ({ id }) => {
        this.#live.delete(id);
        this.#away++;
      },
    });
  }

  get size(): number {
    return this.#size;
  }

  attach(): void {
    this.#size = this.#away = this.#mirror.table.count();
  }

  diskKey(changelogKey: Uint8Array): Uint8Array {
    return changelogKey;
  }

  get(key: K): V | undefined {
    return this.#get(keyId(key));
  }

  put(key: K, value: V): void {
    const id = keyId(key);
    const cell = this.#live.get(id) ?? this.#take(id);
    if (cell === undefined) this.#insert({ id, value, bytes: estimate(0), isDirty: true, isUsed: true, epoch: 0 });
    else {
      if (cell.value === undefined) this.#size++;
      cell.value = value;
      cell.isDirty = cell.isUsed = true;
    }
    this.#dirty.add(id);
  }

  delete(key: K): void {
    const id = keyId(key);
    const cell = this.#live.get(id) ?? this.#take(id);
    if (cell?.value === undefined) return;
    cell.value = undefined;
    cell.isDirty = true;
    this.#size--;
    this.#dirty.add(id);
  }

  /** Each once, in no order; what is put meanwhile may be missing. */
  *entries(): IterableIterator<[K, V]> {
    // What the disk does not know, or knows otherwise; then the disk, unless memory knows better.
    const first = new Set<string>();
    for (const [id, cell] of this.#live) if (!this.#isOnDisk(cell)) first.add(id);
    for (const id of first) {
      const value = this.#get(id);
      if (value !== undefined) yield [keyFromId(id) as K, value];
    }
    for (const { key, value } of this.#mirror.table.entries()) {
      const id = key.toString('utf8');
      if (first.has(id)) continue;
      const cell = this.#live.get(id);
      if (cell === undefined) yield [keyFromId(id) as K, decodeValue(value) as V];
      else if (cell.value !== undefined) yield [keyFromId(id) as K, cell.value];
    }
  }

  takeChanges(): ChangelogEntry[] {
    this.#forgetDeleted();
    if (this.#dirty.size === 0) return [];
    const changes: ChangelogEntry[] = [];
    for (const id of this.#dirty) {
      const cell = this.#live.get(id);
      if (cell === undefined) continue;
      const key = utf8(id);
      const value = cell.value === undefined ? null : encodeValue(cell.value);
      changes.push({ key, value, timestamp: 0 });
      cell.isDirty = false;
      cell.epoch = this.#mirror.epoch;
      this.#resize(cell, estimate(key.length + (value?.length ?? 0)));
      if (value === null) this.#deleted.push(id);
    }
    this.#dirty.clear();
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    this.#mirror.put(key, value);
  }

  evict(bytes: number): number {
    this.#forgetDeleted();
    return this.#sweep.evict(bytes, this.#live.size);
  }

  /** Gives back what it has of the budget. */
  clear(): void {
    for (const { bytes } of this.#live.values()) this.#mirror.budget.add(-bytes);
    this.#live.clear();
    this.#dirty.clear();
    this.#deleted = [];
    this.#away = this.#size = 0;
    this.#sweep.clear();
  }

  #get(id: string): V | undefined {
    const cell = this.#live.get(id) ?? this.#take(id);
    if (cell === undefined) return undefined;
    cell.isUsed = true;
    return cell.value;
  }

  /** From disk into memory. */
  #take(id: string): Cell<V> | undefined {
    if (this.#away === 0) return undefined;
    const key = utf8(id);
    const bytes = this.#mirror.table.get(key);
    if (bytes === undefined) return undefined;
    this.#away--;
    this.#size--;
    const size = estimate(key.length + bytes.length);
    const value = decodeValue(asBuffer(bytes)) as V;
    return this.#insert({ id, value, bytes: size, isDirty: false, isUsed: true, epoch: -1 });
  }

  #insert(cell: Cell<V>): Cell<V> {
    this.#live.set(cell.id, cell);
    this.#size++;
    this.#mirror.budget.add(cell.bytes);
    return cell;
  }

  #resize(cell: Cell<V>, bytes: number): void {
    this.#mirror.budget.add(bytes - cell.bytes);
    cell.bytes = bytes;
  }

  #isOnDisk(cell: Cell<V>): boolean {
    return !cell.isDirty && cell.epoch < this.#mirror.epoch;
  }

  /** Deleted entries stay in memory until the disk has forgotten them. */
  #forgetDeleted(): void {
    if (this.#deletedEpoch === this.#mirror.epoch) return;
    this.#deletedEpoch = this.#mirror.epoch;
    const deleted = this.#deleted;
    this.#deleted = [];
    for (const id of deleted) {
      const cell = this.#live.get(id);
      if (cell === undefined || cell.value !== undefined) continue;
      if (this.#isOnDisk(cell)) {
        this.#live.delete(id);
        this.#mirror.budget.add(-cell.bytes);
      } else this.#deleted.push(id);
    }
  }
}
