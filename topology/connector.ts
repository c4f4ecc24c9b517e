/** The contract of sources and sinks. A connector that breaks it fails the contract suite in test/connectors/. */

/** One record of a topic as a sink gets it: decoded, in offset order per partition. `value` null = tombstone. */
export interface SinkRecord {
  readonly offset: bigint;
  /** Event time, ms since the epoch. */
  readonly timestamp: number;
  readonly key: unknown;
  readonly value: unknown;
}

/**
 * A fenced claim on one partition of a target. `nextOffset` is the first offset that the target does not hold yet (null: it holds none):
 * the caller seeks there.
 */
export interface SinkPartition {
  readonly nextOffset: bigint | null;
  /**
   * Writes the records and moves the target's position from the last `nextOffset` to `nextOffset` in ONE atomic step; when it resolves, both are durable.
   * An empty list moves the position only. Throws TaskMigratedError when another owner has claimed the partition since; RetriableError when the target
   * is away (the same call again is safe); RecordError when one record cannot be written, naming it, with nothing written.
   */
  write(records: readonly SinkRecord[], nextOffset: bigint): Promise<void>;
  close(): Promise<void>;
}

/** Where a sink stage writes. One instance per process; `claim` per partition. */
export interface Sink {
  readonly name: string;
  /** Makes what the topics need in the target (tables, folders). Idempotent. Throws RetriableError while the target is away. */
  open(): Promise<void>;
  /** Takes the partition over: whoever had it before is fenced from here on. */
  claim(topic: string, partition: number): Promise<SinkPartition>;
  close(): Promise<void>;
}
