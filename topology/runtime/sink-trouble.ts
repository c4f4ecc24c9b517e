/** What a sink stage waits for, said once and not once per partition and attempt. */
import type { Clock } from '../clock.ts';
import { RetriableError, SluiceError, TaskMigratedError } from '../errors.ts';
import type { Logger } from '../logger.ts';

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** What a person must mend is looked at this often. */
const MEND_MS = 15_000;
const SAY_AGAIN_MS = 5_000;

export class SinkTrouble {
  readonly #stage: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #random: () => number;
  readonly #troubled = new Map<string, number>();
  #message: string | undefined;
  #said = '';
  #saidAt = -Infinity;

  constructor(stage: string, clock: Clock, logger: Logger, random: () => number) {
    this.#stage = stage;
    this.#clock = clock;
    this.#logger = logger;
    this.#random = random;
  }

  /** What the stage waits for; undefined while all goes well. */
  get waitingFor(): string | undefined {
    return this.#message;
  }

  /** Notes that `who` failed and waits: longer each time in a row, with jitter, and longest for what does not pass by itself. */
  async wait(who: string, error: unknown, signal: AbortSignal): Promise<void> {
    const failures = (this.#troubled.get(who) ?? 0) + 1;
    this.#troubled.set(who, failures);
    const passes = error instanceof RetriableError || error instanceof TaskMigratedError;
    const longest = passes ? Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures - 1, 10)) : MEND_MS;
    this.#say(who, error, passes);
    await this.#clock.sleep(longest * (0.5 + this.#random() / 2), signal);
  }

  /** Notes that `who` goes on. */
  passed(who: string): void {
    if (!this.#troubled.delete(who) || this.#troubled.size > 0) return;
    this.#logger.info({ stage: this.#stage, after: this.#said }, 'the sink goes on');
    this.#message = undefined;
    this.#said = '';
  }

  /** `who` is no concern of this stage any more. */
  forget(who: string): void {
    this.passed(who);
  }

  #say(who: string, error: unknown, passes: boolean): void {
    const code = error instanceof SluiceError ? error.code : 'SLC_BUG';
    const text = error instanceof Error ? error.message : String(error);
    const hint = error instanceof SluiceError ? error.hint : undefined;
    if (error instanceof TaskMigratedError) {
      this.#logger.info({ stage: this.#stage, who, code }, `another owner has it: ${text}`);
      return;
    }
    this.#message = text;
    const now = this.#clock.now();
    if (code === this.#said && now - this.#saidAt < SAY_AGAIN_MS) return;
    this.#said = code;
    this.#saidAt = now;
    const fields = { stage: this.#stage, who, code, hint };
    if (passes) this.#logger.warn(fields, `the sink waits: ${text}`);
    else
      this.#logger.error(
        { ...fields, stack: hint === undefined && error instanceof Error ? error.stack : undefined },
        `the sink stands still: ${text}`,
      );
  }
}
