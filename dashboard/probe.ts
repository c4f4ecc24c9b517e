/** Asks one thing again and again, whatever becomes of it: an answer that does not come in time counts as none, and the next one is asked for. */
import type { PartNow } from './snapshot.ts';

/** Something to ask. */
export interface Probe<T> {
  /** What a person calls it. */
  readonly name: string;
  /** Pause between an answer and the next question, ms. */
  readonly everyMs: number;
  /** For one answer, ms. */
  readonly timeoutMs: number;
  /** `deadline`: wall clock, ms. */
  read(deadline: number): Promise<T>;
  /** After a failure: what was opened is to be thrown away. Must not throw. */
  reset?(): void;
}

/** A failing probe is asked again after a pause that grows up to this, ms. */
const MAX_PAUSE_MS = 10_000;
/** After a slow answer the pause is so many times as long as it took, up to a limit: what is slow has enough to do. */
const PAUSE_PER_ANSWER = 2;
const MAX_SLOW_MS = 5_000;
const REASON_LENGTH = 200;

/** A probe that runs. */
export class RunningProbe<T> {
  readonly #probe: Probe<T>;
  readonly #onAnswer: () => void;
  #timer: NodeJS.Timeout | undefined;
  #value: T | undefined;
  #state: PartNow['state'] = 'unknown';
  #detail: string | null = null;
  #since = Date.now();
  #failures = 0;
  #stopped = false;
  #slowdown = 1;

  /** `onAnswer`: after each answer and each failure. */
  constructor(probe: Probe<T>, onAnswer: () => void) {
    this.#probe = probe;
    this.#onAnswer = onAnswer;
  }

  /** The last answer, however old; undefined before any. */
  get value(): T | undefined {
    return this.#value;
  }

  get part(): PartNow {
    return { name: this.#probe.name, state: this.#state, detail: this.#detail, since: this.#since };
  }

  start(): void {
    void this.#ask();
  }

  /** While nobody looks: pauses are so many times longer. 1 asks at once. */
  slowDown(times: number): void {
    const isFaster = times < this.#slowdown;
    this.#slowdown = times;
    if (!isFaster || this.#timer === undefined) return;
    clearTimeout(this.#timer);
    void this.#ask();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#probe.reset?.();
  }

  async #ask(): Promise<void> {
    this.#timer = undefined;
    const begun = performance.now();
    try {
      const value = await within(this.#probe.timeoutMs, this.#probe.read(Date.now() + this.#probe.timeoutMs));
      if (this.#stopped) return;
      this.#value = value;
      this.#failures = 0;
      this.#become('up', null);
    } catch (error) {
      if (this.#stopped) return;
      this.#failures++;
      this.#probe.reset?.();
      this.#become('down', reasonOf(error));
    }
    const took = performance.now() - begun;
    const { everyMs } = this.#probe;
    const pause = this.#failures === 0 ? everyMs : Math.min(MAX_PAUSE_MS, everyMs * 2 ** (this.#failures - 1));
    this.#timer = setTimeout(
      () => void this.#ask(),
      Math.max(pause * this.#slowdown, Math.min(MAX_SLOW_MS, took * PAUSE_PER_ANSWER)),
    );
    this.#onAnswer();
  }

  #become(state: PartNow['state'], detail: string | null): void {
    if (state !== this.#state) this.#since = Date.now();
    this.#state = state;
    this.#detail = detail;
  }
}

/** Rejects when the work takes longer. The work itself goes on: it has limits of its own, and what it throws then is dropped. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1_000} s`)), ms);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** One line, without what an address may hold. */
function reasonOf(error: unknown): string {
  const own = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const text = own instanceof Error ? own.message || own.name : String(own);
  const [line = ''] = text.split('\n');
  return line.replaceAll(/:\/\/[^/\s@]*@/g, '://').slice(0, REASON_LENGTH);
}
