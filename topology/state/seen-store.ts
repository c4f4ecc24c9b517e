import { hash } from 'node:crypto';
import { SeenIds } from './seen-ids.ts';
import type { ChangelogEntry, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';

/** Of the SHA-256 of an identity: two of a billion identities are alike by a chance of 10^-21. */
const HASH_BYTES = 16;
/** Each grows by itself, so that no commit waits until all of millions have been put into a larger table. */
const SHARDS = 32;

/**
 * When each identity was seen, ms; forgets by event time. Identities are kept as 128 bits of their hash, in typed arrays: some 50 bytes each, whatever their
 * length (docs/decisions/0009). Changelog: key = those bits; value = JSON list of times, the earliest first.
 */
export class MemorySeenStore implements StateStore {
  readonly name: string;
  readonly #shards = Array.from({ length: SHARDS }, () => new SeenIds());
  /** Hashes as text of one character per byte. */
  readonly #dirty = new Set<string>();
  #last = { id: '', hash: hashOf('') };

  constructor(name: string) {
    this.name = name;
  }

  /** Sightings remembered. */
  get size(): number {
    return this.#shards.reduce((sum, { size }) => sum + size, 0);
  }

  /** True when the identity was seen at most `within` ms before or after the timestamp. */
  near(id: string, timestamp: number, within: number): boolean {
    const hash = this.#hashOf(id);
    return this.#of(hash)
      .timesOf(hash)
      .some((seen) => Math.abs(seen - timestamp) <= within);
  }

  add(id: string, timestamp: number): void {
    const hash = this.#hashOf(id);
    this.#of(hash).add(hash, timestamp);
    this.#dirty.add(hash.toString('latin1'));
  }

  /** Forgets every sighting before `horizon` (ms). */
  forgetBefore(horizon: number): void {
    for (const shard of this.#shards) {
      for (let hash = shard.takeBefore(horizon); hash !== undefined; hash = shard.takeBefore(horizon)) {
        this.#dirty.add(hash.toString('latin1'));
      }
    }
  }

  takeChanges(): ChangelogEntry[] {
    const changes = [...this.#dirty].map((text) => {
      const key = Buffer.from(text, 'latin1');
      const times = this.#of(key)
        .timesOf(key)
        .sort((a, b) => a - b);
      return { key, value: times.length === 0 ? null : encodeValue(times), timestamp: times.at(-1) ?? 0 };
    });
    this.#dirty.clear();
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    const bytes = asBuffer(key);
    // Versions before wrote the identity itself, which is longer.
    const hash = bytes.length === HASH_BYTES ? bytes : hashOf(bytes.toString('utf8'));
    const shard = this.#of(hash);
    shard.removeAll(hash);
    if (value === null) return;
    for (const timestamp of decodeValue(asBuffer(value)) as readonly number[]) shard.add(hash, timestamp);
  }

  clear(): void {
    for (const shard of this.#shards) shard.clear();
    this.#dirty.clear();
  }

  #of(hash: Buffer): SeenIds {
    const shard = this.#shards[(hash.at(-1) ?? 0) % SHARDS];
    if (shard === undefined) throw new RangeError(`no shard of ${hash.toString('hex')}`);
    return shard;
  }

  /** Whoever asks for an identity adds it next. */
  #hashOf(id: string): Buffer {
    if (id !== this.#last.id) this.#last = { id, hash: hashOf(id) };
    return this.#last.hash;
  }
}

function hashOf(id: string): Buffer {
  return hash('sha256', id, 'buffer').subarray(0, HASH_BYTES);
}
