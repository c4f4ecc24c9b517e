/** Limits and intervals of an application's slots. */
export interface RuntimeOptions {
  /** A commit is at most this far behind the first record it contains, ms. */
  readonly commitIntervalMs: number;
  /** From the end of a commit to the next one of the same slot at least, ms. */
  readonly minCommitIntervalMs: number;
  /** Of one commit: it is due when so many have been processed, */
  readonly maxBatchRecords: number;
  /** or when what it is to write takes so many bytes. */
  readonly maxBatchBytes: number;
  /** Fetched and not yet processed, per input; beyond it the partition is paused. */
  readonly maxQueuedBytes: number;
  /**
   * An origin partition waits while its clock is more than this ahead of a partition of its topic that has unread records, ms of event time; Infinity: never
   * (docs/SEMANTICS.md, Skew). It delays, and changes no result.
   */
  readonly maxSkewMs: number;
  /** Event time, ms. */
  readonly tickMs: number;
  readonly idleAfterMs: number;
  readonly transactionTimeoutMs: number;
  /** How often repartition topics are trimmed behind what is committed, ms. */
  readonly trimIntervalMs: number;
  /** How often the application looks whether its topics are as they were, ms. */
  readonly topicWatchMs: number;
}

/** Intervals and limits of DESIGN section 5. */
export const DEFAULT_RUNTIME_OPTIONS: RuntimeOptions = {
  commitIntervalMs: 100,
  minCommitIntervalMs: 10,
  maxBatchRecords: 50_000,
  maxBatchBytes: 16 * 2 ** 20,
  maxQueuedBytes: 4 * 2 ** 20,
  // Partitions of a topic that is read as it is written are seconds apart: it acts only where there is much to catch up.
  maxSkewMs: 24 * 3_600_000,
  tickMs: 1_000,
  idleAfterMs: 60_000,
  transactionTimeoutMs: 15_000,
  trimIntervalMs: 30_000,
  topicWatchMs: 5_000,
};
