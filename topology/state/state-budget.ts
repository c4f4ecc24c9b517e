/**
 * How much memory the persistent stores of a process may take, over all of its slots. Who goes above it puts what is on disk out of memory first; what has
 * changed and is not on disk yet stays, so a commit may go above the budget for a moment.
 */

/** A store that can let go of what its file holds too. */
export interface Evictable {
  /** Puts about `bytes` out of memory, what was not used lately first; returns how much went. */
  evict(bytes: number): number;
}

/** A slot that can write what is committed, after which more can be let go. */
export interface Flushable {
  /** False: not now, a transaction is under way, or there is nothing to write. */
  flush(): boolean;
}

/** After that much more the stores are asked again, though nothing could be let go the last time. */
const RETRY_BYTES = 2 ** 20;
const FLOOR = 0.95;

export class StateBudget {
  /** Bytes. */
  readonly limit: number;
  readonly #stores = new Set<Evictable>();
  readonly #slots = new Set<Flushable>();
  #used = 0;
  #askAt: number;

  constructor(limit: number) {
    this.limit = limit;
    this.#askAt = limit;
  }

  /** Estimated bytes of the objects in memory, and of what waits to be written. */
  get used(): number {
    return this.#used;
  }

  /** Takes (or, below 0, gives back) bytes. Never evicts by itself: whoever holds an object may go on using it until `relieve`. */
  add(bytes: number): void {
    this.#used += bytes;
  }

  join(member: Evictable | Flushable): void {
    if ('evict' in member) this.#stores.add(member);
    else this.#slots.add(member);
  }

  leave(member: Evictable | Flushable): void {
    if ('evict' in member) this.#stores.delete(member);
    else this.#slots.delete(member);
  }

  /** Between two records: goes back below the limit, as far as that is possible now. */
  relieve(): void {
    if (this.#used <= this.#askAt) return;
    if (!this.#evict()) {
      for (const slot of this.#slots) slot.flush();
      this.#evict();
    }
    this.#askAt = Math.max(this.limit, this.#used + RETRY_BYTES);
  }

  /** True when it was enough. Each store gives its share first, then whoever can. */
  #evict(): boolean {
    const target = this.limit * FLOOR;
    const share = Math.ceil((this.#used - target) / Math.max(1, this.#stores.size));
    for (const bytes of [share, Infinity]) {
      for (const store of this.#stores) {
        const excess = this.#used - target;
        if (excess <= 0) return true;
        store.evict(Math.min(excess, bytes));
      }
    }
    return this.#used <= this.limit;
  }
}
