import { DirtyMap } from './dirty-map.ts';
import { Heap } from './heap.ts';
import type { ChangelogEntry, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';
import { utf8 } from '../utf8.ts';

interface Sighting {
  readonly id: string;
  readonly timestamp: number;
}

/** When each identity was seen, ms; forgets by event time. Changelog: key = identity in UTF-8; value = JSON list of times, the earliest first. */
export class MemorySeenStore implements StateStore {
  readonly name: string;
  readonly #times = new DirtyMap<readonly number[]>();
  /** What to forget next; may name what a restore has replaced since: forgetting looks at the times themselves. */
  readonly #oldest = new Heap<Sighting>((a, b) => a.timestamp - b.timestamp);

  constructor(name: string) {
    this.name = name;
  }

  /** Identities remembered. */
  get size(): number {
    return this.#times.size;
  }

  /** True when the identity was seen at most `within` ms before or after the timestamp. */
  near(id: string, timestamp: number, within: number): boolean {
    return this.#times.get(id)?.some((seen) => Math.abs(seen - timestamp) <= within) ?? false;
  }

  add(id: string, timestamp: number): void {
    const times = [...(this.#times.get(id) ?? []), timestamp].sort((a, b) => a - b);
    this.#times.put(id, times);
    this.#oldest.push({ id, timestamp });
  }

  /** Forgets every sighting before `horizon` (ms). */
  forgetBefore(horizon: number): void {
    for (let next = this.#oldest.peek(); next !== undefined && next.timestamp < horizon; next = this.#oldest.peek()) {
      this.#oldest.pop();
      const times = this.#times.get(next.id);
      if (times === undefined) continue;
      const kept = times.filter((seen) => seen >= horizon);
      if (kept.length === 0) this.#times.delete(next.id);
      else if (kept.length < times.length) this.#times.put(next.id, kept);
    }
  }

  takeChanges(): ChangelogEntry[] {
    return this.#times.takeChanges((id, times) => ({
      key: utf8(id),
      value: times === undefined ? null : encodeValue(times),
      timestamp: times?.at(-1) ?? 0,
    }));
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    const id = asBuffer(key).toString('utf8');
    const times = value === null ? undefined : (decodeValue(asBuffer(value)) as readonly number[]);
    this.#times.restore(id, times);
    for (const timestamp of times ?? []) this.#oldest.push({ id, timestamp });
  }

  clear(): void {
    this.#times.clear();
    this.#oldest.clear();
  }
}
