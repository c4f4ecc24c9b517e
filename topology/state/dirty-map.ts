import type { ChangelogEntry } from './store.ts';

/** A map of live objects that remembers which keys changed since the last commit: the base of all stores in memory. */
export class DirtyMap<V> {
  readonly #live = new Map<string, V>();
  readonly #dirty = new Set<string>();

  get size(): number {
    return this.#live.size;
  }

  get(id: string): V | undefined {
    return this.#live.get(id);
  }

  put(id: string, value: V): void {
    this.#live.set(id, value);
    this.#dirty.add(id);
  }

  delete(id: string): void {
    if (this.#live.delete(id)) this.#dirty.add(id);
  }

  /** From the changelog: not dirty. */
  restore(id: string, value: V | undefined): void {
    if (value === undefined) this.#live.delete(id);
    else this.#live.set(id, value);
  }

  values(): IterableIterator<V> {
    return this.#live.values();
  }

  entries(): IterableIterator<[string, V]> {
    return this.#live.entries();
  }

  clear(): void {
    this.#live.clear();
    this.#dirty.clear();
  }

  /** Serialises what changed, once per key; afterwards nothing is dirty. */
  takeChanges(encode: (id: string, value: V | undefined) => ChangelogEntry): ChangelogEntry[] {
    if (this.#dirty.size === 0) return [];
    const changes: ChangelogEntry[] = [];
    for (const id of this.#dirty) changes.push(encode(id, this.#live.get(id)));
    this.#dirty.clear();
    return changes;
  }
}
