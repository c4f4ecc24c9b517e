/** Counts of durations by size, cheap enough to be kept always; read by whoever asks. */

/** A histogram as it is read: `counts[i]` durations of at most `bounds[i]` ms, and not of a bound before; the last count is of all longer ones. */
export interface DurationCounts {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  /** ms. */
  readonly sum: number;
}

/** Upper bounds, ms. */
const BOUNDS = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 15_000] as const;

/** Counts durations. */
export class DurationHistogram {
  readonly #counts: number[] = Array.from({ length: BOUNDS.length + 1 }, () => 0);
  #sum = 0;

  /** A duration in ms. */
  observe(ms: number): void {
    const found = BOUNDS.findIndex((bound) => ms <= bound);
    const at = found < 0 ? BOUNDS.length : found;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += ms;
  }

  read(): DurationCounts {
    return { bounds: BOUNDS, counts: [...this.#counts], sum: this.#sum };
  }
}

/** Several histograms as one. */
export function sumOfDurations(all: readonly DurationCounts[]): DurationCounts {
  const counts = Array.from({ length: BOUNDS.length + 1 }, (_, i) =>
    all.reduce((sum, each) => sum + (each.counts[i] ?? 0), 0),
  );
  return { bounds: BOUNDS, counts, sum: all.reduce((sum, each) => sum + each.sum, 0) };
}
