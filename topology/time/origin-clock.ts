/**
 * The clock of one origin partition (TIME.md rules 2 and 3):
 *   W(o) = max( max event time at offsets <= o minus outOfOrderness, the largest pin at or before o ).
 * A function of the log and the pins alone. Never goes back.
 */
export class OriginClock {
  readonly outOfOrdernessMs: number;
  #watermark: number;

  /** `start` = the clock committed with the position, ms (-Infinity: none). */
  constructor(outOfOrdernessMs: number, start: number) {
    this.outOfOrdernessMs = outOfOrdernessMs;
    this.#watermark = start;
  }

  /** W at the present position, ms. */
  get watermark(): number {
    return this.#watermark;
  }

  /** A record at the present offset: moves the clock and returns the record's ow. */
  observe(timestamp: number): number {
    const watermark = timestamp - this.outOfOrdernessMs;
    if (watermark > this.#watermark) this.#watermark = watermark;
    return this.#watermark;
  }

  /** A pin at or before the present position. */
  pin(m: number): void {
    if (m > this.#watermark) this.#watermark = m;
  }
}
