import { DirtyMap } from './dirty-map.ts';
import { keyFromText, keyKind, keyText } from './key-codec.ts';
import type { ChangelogEntry, KeyValueStore, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';

const encoder = new TextEncoder();

/**
 * Key-value store in memory. Keys: text, numbers, bigints, booleans. Changelog: key = kind byte ('t', 'n', 'i', 'b') + UTF-8 text,
 * value = JSON (value-codec.ts).
 */
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
    return this.#map.get(idOf(key));
  }

  put(key: K, value: V): void {
    this.#map.put(idOf(key), value);
  }

  delete(key: K): void {
    this.#map.delete(idOf(key));
  }

  *entries(): IterableIterator<[K, V]> {
    for (const [id, value] of this.#map.entries()) yield [keyOf<K>(id), value];
  }

  takeChanges(): ChangelogEntry[] {
    return this.#map.takeChanges((id, value) => ({
      key: encoder.encode(id),
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

function idOf(key: unknown): string {
  return (keyKind(key) ?? 't') + keyText(key);
}

function keyOf<K>(id: string): K {
  const kind = id[0];
  return keyFromText(id.slice(1), kind === 't' ? undefined : kind) as K;
}
