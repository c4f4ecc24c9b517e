import type { ClockSource } from './types.ts';

/** A sender that has set no clock for this long has gone, ms. */
const SENDER_GONE_MS = 60_000;

/** The time that the senders have reached, for hints. */
export class SenderClock {
  readonly #source: ClockSource;
  readonly #now: () => number;
  #largest: number | undefined;
  #heardAt = 0;

  constructor(source: ClockSource, now: () => number) {
    this.#source = source;
    this.#now = now;
  }

  /** A sender says what time it is there, ms. */
  hear(time: number): void {
    this.#heardAt = this.#now();
    if (this.#largest === undefined || time > this.#largest) this.#largest = time;
  }

  /** True while the time is one that senders have said. */
  get isSaid(): boolean {
    return this.#source === 'sender' || (this.#largest !== undefined && this.#now() - this.#heardAt < SENDER_GONE_MS);
  }

  /** ms; undefined = nothing can be said yet. */
  reached(): number | undefined {
    return this.isSaid ? this.#largest : this.#now();
  }
}
