import type { Clock } from '../clock.ts';
import { InvariantError } from '../errors.ts';
import { Heap } from '../state/heap.ts';

interface Timer {
  readonly at: number;
  readonly nth: number;
  readonly done: () => void;
}

/** Turns of the event loop until whoever can go on without a timer has gone on. */
const TURNS = 2;

/**
 * Time that passes only while somebody waits for it: a minute of an application takes as long as its work, and the same program sees the same order of events
 * in every run. Give it to `startStreamApp` and to FakeKafka.
 */
export class VirtualClock implements Clock {
  #now: number;
  #timers = 0;
  readonly #waiting = new Heap<Timer>((a, b) => a.at - b.at || a.nth - b.nth);

  /** `start`: ms since the epoch. */
  constructor(start = 0) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const done = (): void => {
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.push({ at: this.#now + Math.max(0, Math.ceil(ms)), nth: this.#timers++, done });
      signal?.addEventListener('abort', done);
    });
  }

  /** Lets time pass until the promise is settled, and gives what it gives. InvariantError SLC_BUG_FAKE when nobody waits for any time, or after `limitMs`. */
  async until<T>(promise: Promise<T>, limitMs = 600_000): Promise<T> {
    const end = this.#now + limitMs;
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    while (await this.#isAwaited(() => settled)) {
      const next = this.#waiting.pop();
      if (next === undefined || next.at > end)
        throw new InvariantError('SLC_BUG_FAKE', `still waiting at ${this.#now} ms of virtual time`);
      this.#now = Math.max(this.#now, next.at);
      next.done();
    }
    return promise;
  }

  /** Lets so much time pass. */
  pass(ms: number): Promise<void> {
    return this.until(this.sleep(ms));
  }

  async #isAwaited(isSettled: () => boolean): Promise<boolean> {
    for (let turn = 0; turn < TURNS && !isSettled(); turn++) await new Promise((resolve) => setImmediate(resolve));
    return !isSettled();
  }
}
