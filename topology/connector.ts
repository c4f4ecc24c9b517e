/** The contract of sources and sinks. A connector that breaks it fails the contract suite in test/connectors/. */

import { RecordError } from './errors.ts';

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
   * is away (the same call again is safe); SinkRecordError when records cannot be written, naming them, with nothing written.
   */
  write(records: readonly SinkRecord[], nextOffset: bigint): Promise<void>;
  close(): Promise<void>;
}

/** Where a sink stage writes. One instance per process; `claim` per partition. */
export interface Sink {
  readonly name: string;
  /** It keeps every record that it is given, and replaces none: topics of updates are refused (checkSinks). */
  readonly appendsOnly?: boolean;
  /** Makes what the topics need in the target (tables, folders). Idempotent. Throws RetriableError while the target is away. */
  open(): Promise<void>;
  /** Takes the partition over: whoever had it before is fenced from here on. */
  claim(topic: string, partition: number): Promise<SinkPartition>;
  close(): Promise<void>;
}

/** A record that a target refused for what it holds. */
export interface RejectedRecord {
  readonly offset: bigint;
  /** Why, for people. May quote the value. */
  readonly reason: string;
}

/** Some records of a batch can never be written; nothing of the batch was. The same batch without them is the next step. */
export class SinkRecordError extends RecordError {
  override name = 'SinkRecordError';
  /** At least one, by offset. Perhaps not all there are: the batch without them may show others. */
  readonly rejected: readonly RejectedRecord[];

  constructor(code: string, target: string, rejected: readonly RejectedRecord[]) {
    const first = rejected[0];
    super(code, `${target} refuses ${rejected.length} record(s), offset ${first?.offset}: ${first?.reason}`);
    this.rejected = rejected;
  }
}
