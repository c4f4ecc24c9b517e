/**
 * What one slot knows of a derived topic's clock (TIME.md rule 8): for each writer the newest promise whose end the slot's PROCESSED position
 * has passed; the watermark is the minimum over all writers, and a writer without a promise is -Infinity.
 */
import type { WriterPromise } from './ledger-records.ts';

/** More promises than this waiting for one writer are thinned: a skipped promise only delays. */
const MAX_WAITING = 512;

interface WriterState {
  m: number;
  waiting: { readonly m: number; readonly end: bigint }[];
}

/** The watermark of one partition of a derived topic as its reader sees it. Promises in, positions in; ms out. */
export class TopicWatermark {
  readonly #partition: number;
  readonly #writers = new Map<string, WriterState>();
  #watermark = -Infinity;

  /** `writers`: the roster of the topic; nobody else may write it. */
  constructor(partition: number, writers: readonly string[]) {
    this.#partition = partition;
    for (const writer of writers) this.#writers.set(writer, { m: -Infinity, waiting: [] });
  }

  /** Minimum over the writers as of the last `advance`, ms. */
  get watermark(): number {
    return this.#watermark;
  }

  /** What a writer has promised for the records that the slot has yet to read, ms: to check the invariant ow >= promise. */
  promiseOf(writer: string): number {
    return this.#writers.get(writer)?.m ?? -Infinity;
  }

  /** The writer that holds the minimum, for people. */
  heldBackBy(): string | undefined {
    let least: string | undefined;
    let m = Infinity;
    for (const [writer, state] of this.#writers) if (state.m < m) [least, m] = [writer, state.m];
    return least;
  }

  /** A promise was read from the ledger. Promises of unknown writers are ignored: they belong to a topology that is not this one. */
  receive(promise: WriterPromise): void {
    const state = this.#writers.get(promise.writer);
    if (state === undefined) return;
    state.waiting.push({ m: promise.m, end: promise.ends[this.#partition] ?? 0n });
    if (state.waiting.length > MAX_WAITING)
      state.waiting = state.waiting.filter((_, i, all) => (all.length - i) % 2 === 1);
  }

  /** Takes over the promises whose end `position` has passed. True when the watermark moved. */
  advance(position: bigint): boolean {
    let least = Infinity;
    for (const state of this.#writers.values()) {
      let passed = 0;
      for (const promise of state.waiting) {
        if (promise.end > position) break;
        if (promise.m > state.m) state.m = promise.m;
        passed++;
      }
      if (passed > 0) state.waiting.splice(0, passed);
      if (state.m < least) least = state.m;
    }
    if (least === Infinity || least <= this.#watermark) return false;
    this.#watermark = least;
    return true;
  }
}
