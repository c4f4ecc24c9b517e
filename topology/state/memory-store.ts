import { DirtyMap } from './dirty-map.ts';
import { keyFromId, keyId } from './key-codec.ts';
import type { ChangelogEntry, KeyValueStore, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';
import { utf8 } from '../utf8.ts';

/** Key-value store in memory. Keys: text, numbers, bigints, booleans, and window keys. Changelog: key = keyId() in UTF-8, value = JSON (value-codec.ts). */
export class MemoryKeyValueStore<K, V> implements KeyValueStore<K, V>, StateStore {
  readonly name: string;
  readonly #map = new DirtyMap<V>();

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#map.size;
  }

  get(key: K): V | undefined {
    return this.#map.get(keyId(key));
  }

  put(key: K, value: V): void {
    this.#map.put(keyId(key), value);
  }

  delete(key: K): void {
    this.#map.delete(keyId(key));
  }

  *entries(): IterableIterator<[K, V]> {
    for (const [id, value] of this.#map.entries()) yield [keyFromId(id) as K, value];
  }

  takeChanges(): ChangelogEntry[] {
    return this.#map.takeChanges((id, value) => ({
      key: utf8(id),
      value: value === undefined ? null : encodeValue(value),
      timestamp: 0,
    }));
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    const id = asBuffer(key).toString('utf8');
    this.#map.restore(id, value === null ? undefined : (decodeValue(asBuffer(value)) as V));
  }

  clear(): void {
    this.#map.clear();
  }
}
