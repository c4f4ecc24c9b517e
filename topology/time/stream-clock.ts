import { asBuffer, decodeValue, encodeValue } from '../state/value-codec.ts';
import type { ChangelogEntry } from '../state/store.ts';

/** Key of the clock in its operator's changelog; no store begins a key of its own with a zero byte and this text. */
const CLOCK_KEY = Buffer.from('\0stream-time', 'latin1');

/** True for a changelog record of a clock. */
export function isClockKey(key: Uint8Array): boolean {
  return key[0] === 0 && CLOCK_KEY.equals(key);
}

/**
 * Stream time of one operator: the largest timestamp (ms) that it has taken. It is part of the operator's state, in the changelog of its store, so that
 * the same record is late before and after a restart.
 */
export class StreamClock {
  #now = -Infinity;
  #saved = -Infinity;

  /** -Infinity before the first record; never goes back. */
  get now(): number {
    return this.#now;
  }

  /** Takes a record's timestamp; returns the time after it. */
  observe(timestamp: number): number {
    if (timestamp > this.#now) this.#now = timestamp;
    return this.#now;
  }

  /** What the changelog does not know yet. */
  takeChanges(): ChangelogEntry[] {
    if (this.#now === this.#saved) return [];
    this.#saved = this.#now;
    return [{ key: CLOCK_KEY, value: encodeValue(this.#now), timestamp: Math.max(0, this.#now) }];
  }

  /** Takes a changelog record if it is the clock's; false: it is the store's. */
  restore(key: Uint8Array, value: Uint8Array | null): boolean {
    if (!isClockKey(key)) return false;
    this.#now = value === null ? -Infinity : Number(decodeValue(asBuffer(value)));
    this.#saved = this.#now;
    return true;
  }
}
