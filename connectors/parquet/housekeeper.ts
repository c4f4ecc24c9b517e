/** Work on the lake that no write waits for: merges and removals, one at a time per process. */
import { type Logger, TaskMigratedError } from '#topology';
import { filesToMerge, mergeFiles, type MergeLimits } from './merge.ts';
import type { LakePartition } from './partition.ts';
import { forgetOld, removeLeftovers } from './vacuum.ts';

/** After a failure (a full disk) a partition is left alone for so long. */
const PAUSE_MS = 30_000;
/** How often old entries and files are looked for, of the retention. */
const FORGET_SHARE = 4;

/** Runs merges and removals for all claims of a process. Its failures are logged and cost nothing but space. */
export class Housekeeper {
  readonly #limits: MergeLimits;
  readonly #retentionMs: number;
  readonly #logger: Logger;
  /** In the order of their first visit. */
  readonly #waiting = new Map<LakePartition, 'new' | 'visited'>();
  readonly #forgotten = new WeakMap<LakePartition, number>();
  readonly #pausedUntil = new WeakMap<LakePartition, number>();
  #working: Promise<void> | undefined;

  constructor(limits: MergeLimits, retentionMs: number, logger: Logger) {
    this.#limits = limits;
    this.#retentionMs = retentionMs;
    this.#logger = logger;
  }

  /** A new claim: its former owner may have left something behind. */
  welcome(claim: LakePartition): void {
    this.#waiting.set(claim, 'new');
    this.#work();
  }

  /** A commit: there may be something to merge or to forget. */
  visit(claim: LakePartition): void {
    if (!this.#waiting.has(claim)) this.#waiting.set(claim, 'visited');
    this.#work();
  }

  /** Waits for what is under way; claims that are closed end it soon. */
  async close(): Promise<void> {
    this.#waiting.clear();
    await this.#working;
  }

  #work(): void {
    this.#working ??= this.#all().finally(() => (this.#working = undefined));
  }

  async #all(): Promise<void> {
    for (;;) {
      const next = this.#waiting.entries().next().value;
      if (next === undefined) return;
      const [claim, reason] = next;
      this.#waiting.delete(claim);
      if (claim.closed.signal.aborted || (this.#pausedUntil.get(claim) ?? 0) > Date.now()) continue;
      try {
        await this.#tend(claim, reason);
      } catch (error) {
        this.#failed(claim, error);
      }
    }
  }

  async #tend(claim: LakePartition, reason: 'new' | 'visited'): Promise<void> {
    if (reason === 'new') {
      const removed = await removeLeftovers(claim, this.#retentionMs);
      if (removed > 0) this.#logger.info({ topic: claim.table.topic, removed }, 'removed files of a writer that died');
    }
    const files = filesToMerge(claim.files.values(), claim.table.schema, this.#limits);
    if (files !== undefined) {
      await mergeFiles(claim, files);
      // Behind the others: one busy partition does not keep the rest waiting.
      this.#waiting.set(claim, 'visited');
    }
    const now = Date.now();
    if (now - (this.#forgotten.get(claim) ?? 0) < this.#retentionMs / FORGET_SHARE) return;
    this.#forgotten.set(claim, now);
    await forgetOld(claim, this.#retentionMs);
  }

  #failed(claim: LakePartition, error: unknown): void {
    if (claim.closed.signal.aborted) return;
    this.#pausedUntil.set(claim, Date.now() + PAUSE_MS);
    // The next write meets the new owner too, and says so to the engine.
    if (error instanceof TaskMigratedError) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn(
      { topic: claim.table.topic, partition: claim.partition, reason },
      'tidying the lake failed; it goes on later',
    );
  }
}
