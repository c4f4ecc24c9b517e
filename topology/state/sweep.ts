import type { StoreMirror } from './store-mirror.ts';

/** What a store above a file has of it in memory, as one: an entry, or all entries of a key. */
export interface Held {
  /** Estimated, as the budget counts it. */
  bytes: number;
  /** Looked at since the last sweep. */
  isUsed: boolean;
  /** Of the mirror, when it was last put there; -1: as it is on disk. */
  epoch: number;
}

/** What a sweep asks of its store. */
export interface Swept<T extends Held> {
  /** All that is in memory, in any order. */
  held(): Iterator<T>;
  /** True when it has changed since the last commit, or the disk would not give it back. */
  isBusy(held: T): boolean;
  /** Takes it out of memory; the budget gets its bytes back by the sweep. */
  letGo(held: T): void;
}

/** Lets a store above a file go of what was not used lately (second chance): a hand goes round, and spares once what was used since it came by. */
export class Sweep<T extends Held> {
  readonly #mirror: StoreMirror;
  readonly #store: Swept<T>;
  #hand: Iterator<T> | undefined;

  constructor(mirror: StoreMirror, store: Swept<T>) {
    this.#mirror = mirror;
    this.#store = store;
  }

  /** Lets go of about `bytes`, of `count` that are held; returns how much went. */
  evict(bytes: number, count: number): number {
    let freed = 0;
    // Two rounds: the first takes the marks off.
    for (let left = 2 * count; left > 0 && freed < bytes; left--) {
      const held = this.#next();
      if (held === undefined) break;
      if (held.isUsed) {
        held.isUsed = false;
        continue;
      }
      if (held.epoch >= this.#mirror.epoch || this.#store.isBusy(held)) continue;
      this.#store.letGo(held);
      this.#mirror.budget.add(-held.bytes);
      freed += held.bytes;
    }
    return freed;
  }

  /** All that was held is gone. */
  clear(): void {
    this.#hand = undefined;
  }

  #next(): T | undefined {
    this.#hand ??= this.#store.held();
    let next = this.#hand.next();
    if (next.done === true) {
      this.#hand = this.#store.held();
      next = this.#hand.next();
    }
    return next.done === true ? undefined : next.value;
  }
}
