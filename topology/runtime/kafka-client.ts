/**
 * The port to Kafka: all that the engine and the connectors ask of a client. It hands over record batches (bytes with offsets), not record
 * objects, and accepts ready batches, so that speed is a matter of drivers and decoders. Two implementations pass one contract suite:
 * topology/kafkajs/ (real) and topology/testing/fake-kafka.ts.
 *
 * Every method rejects with RetriableError SLC_BROKER_* while the broker is away (the driver has retried within its limits before),
 * TaskMigratedError when a producer is fenced, ConfigError when the broker refuses what was asked.
 */
import type { TopicPartition } from '../record.ts';
import type { BatchBuilder, RecordBatch } from '../record-batch.ts';

/** What is wanted of a topic. `config` holds Kafka's topic settings as text. */
export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly config?: Readonly<Record<string, string>>;
}

/** A committed position of a group: `offset` is the next one to read. */
export interface CommittedOffset extends TopicPartition {
  readonly offset: bigint;
  readonly metadata: string | null;
}

/** A member of a group as `join` makes them. */
export interface GroupMember {
  readonly memberId: string;
  readonly epoch: string;
  /** Partition numbers that it owns. */
  readonly partitions: readonly number[];
  /** How many copies of each slot's state it wishes there to be. */
  readonly standby: number;
  /** Slots of which it had copies when it joined. */
  readonly copies: readonly number[];
  /** As in JoinOptions. */
  readonly place: string | undefined;
}

/** Administration and positions. */
export interface KafkaAdmin {
  /** Creates what is missing, waits until it can be used. ConfigError SLC_CONFIG_TOPIC when one exists with another number of partitions. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;
  listTopics(): Promise<string[]>;
  /** Partition count per topic; absent when the topic does not exist. */
  partitionCounts(topics: readonly string[]): Promise<Map<string, number>>;
  /** Kafka's settings of each topic that exists, as they are in force now, by Kafka's names; `names` says which. */
  topicSettings(topics: readonly string[], names: readonly string[]): Promise<Map<string, ReadonlyMap<string, string>>>;
  /** First offset kept, and the end: the last stable offset when `committed`, else the high watermark. In the order asked. */
  offsets(
    partitions: readonly TopicPartition[],
    options: { readonly committed: boolean },
  ): Promise<{ start: bigint; end: bigint }[]>;
  /** Per partition the first offset whose timestamp is at least `timestamp` (ms); undefined when there is none. In the order asked. */
  offsetsAt(partitions: readonly TopicPartition[], timestamp: number): Promise<(bigint | undefined)[]>;
  /** What each partition takes on the disk of its leader, bytes; undefined when the broker does not tell. In the order asked. */
  sizes(partitions: readonly TopicPartition[]): Promise<(number | undefined)[]>;
  /** Committed offsets of a group; partitions without one are absent. Read after fencing, or a pending transaction may hide the newest. */
  committedOffsets(group: string, partitions: readonly TopicPartition[]): Promise<CommittedOffset[]>;
  /** Who is in a group now; nobody when there is none. RetriableError SLC_BROKER_REBALANCING while it shares its partitions out. */
  groupMembers(group: string): Promise<GroupMember[]>;
  /** Deletes records before the offset of each partition (never compacts). */
  deleteRecords(before: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void>;
  deleteTopics(topics: readonly string[]): Promise<void>;
  /** Forgets groups with their committed offsets; one that is not there is no error. RetriableError SLC_BROKER_GROUP_BUSY while one has members. */
  deleteGroups(groups: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Records for one partition, encoded and ready to go. The builder may be used again when `send` has resolved. */
export interface ReadyBatch extends TopicPartition {
  readonly batch: BatchBuilder;
}

/** Where a ready batch landed: the offset of its first record. */
export interface SendResult extends TopicPartition {
  readonly baseOffset: bigint;
}

/** A producer. Idempotent; with a transactionalId, transactional and fenced by it. Not for concurrent use. */
export interface KafkaProducer {
  /** Start + abort of an empty transaction: fences every predecessor of the transactional id and waits for its markers. */
  fence(): Promise<void>;
  begin(): Promise<void>;
  /** Sends and waits for the acks (acks=all). Batches of at most ~900 kB; several for one partition go in the order given. Results in the order given. */
  send(batches: readonly ReadyBatch[]): Promise<SendResult[]>;
  sendOffsets(group: string, offsets: readonly CommittedOffset[]): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
  close(): Promise<void>;
}

/** What one fetch brought for one partition. */
export interface FetchedRecords extends TopicPartition {
  /** Data batches in offset order: committed only (under read_committed), decompressed, checksum verified. Control records are never in it. May be empty. */
  readonly batches: readonly RecordBatch[];
  /** Where the next fetch starts: moved over markers, aborted and compacted-away offsets too. */
  readonly nextOffset: bigint;
  /** The end of what can be read now (last stable offset under read_committed). `nextOffset >= endOffset` = at the log's end. */
  readonly endOffset: bigint;
  readonly bytes: number;
}

/** Reads partitions by explicit position, without a group. */
export interface KafkaReader {
  /** Starts (or restarts) reading at an offset; 'earliest' = the first one kept. What was fetched for the partition before is dropped. */
  seek(partition: TopicPartition, offset: bigint | 'earliest'): void;
  /** Stops reading the partition; nothing of it is handed over after this returns. */
  remove(partition: TopicPartition): void;
  /** No further fetches for the partition until resume; what is under way is still handed over. */
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /**
   * Waits at most `maxWaitMs` and hands over what came, possibly nothing. A partition whose position moved without data (markers) is handed over with no batches;
   * one that is at its end is handed over with no batches at least once after a seek. One call at a time. OffsetOutOfRange: RetriableError never; TaskCorruptedError
   * SLC_TASK_OFFSET_OUT_OF_RANGE naming the partition.
   */
  poll(maxWaitMs: number): Promise<FetchedRecords[]>;
  close(): Promise<void>;
}

/** Options of a reader. `maxBytes` bounds one fetch, `maxBytesPerPartition` the share of a partition in it. */
export interface ReaderOptions {
  readonly committed: boolean;
  readonly maxBytes?: number;
  readonly maxBytesPerPartition?: number;
}

/** Membership of a consumer group, for the assignment only: reading is a KafkaReader's work. */
export interface GroupMembership {
  /** Partition numbers assigned to this member: it owns partition p of every subscribed topic (co-partitioned, sticky). */
  readonly assigned: readonly number[];
  /**
   * Resolves when the group has answered this member once more after the call: what it is assigned is its own still. Stays pending while it is not
   * heard; when the member was expelled, `onAssigned` or `onLost` comes first.
   */
  confirmed(): Promise<void>;
  /** Has the group share out once more, soon: what `copies` of the options tells has changed. Nothing is lost meanwhile. */
  again(): void;
  /** Leaves the group. */
  leave(): Promise<void>;
}

/** Options of `join`. */
export interface JoinOptions {
  readonly group: string;
  readonly topics: readonly string[];
  /** Static topology epoch: members of another epoch get nothing (TaskMigrated is for them to report). */
  readonly epoch: string;
  readonly sessionTimeoutMs: number;
  /** Only of applications that keep copies of the state of slots. */
  readonly standby?: {
    /** How many of each slot, beside its owner's state. */
    readonly count: number;
    /** Where this member keeps state beside memory: members of one place find each other's. undefined: nowhere. */
    readonly place: string | undefined;
    /** Slots of which this member has one that lags behind by little; asked whenever it (re)joins. */
    copies(): readonly number[];
  };
  /** Called after every (re)join with the partition numbers that this member owns now. `memberId` as `groupMembers` has it. Must not throw. */
  onAssigned(
    partitions: readonly number[],
    info: { readonly otherEpochs: readonly string[]; readonly memberId: string },
  ): void;
  /** Called when the membership is lost for good (crash of the client's loop): the caller must treat all its slots as lost and join again. */
  onLost(error: Error): void;
}

/** The port. One per process. */
export interface KafkaClient {
  admin(): Promise<KafkaAdmin>;
  producer(options?: {
    readonly transactionalId?: string;
    readonly transactionTimeoutMs?: number;
  }): Promise<KafkaProducer>;
  reader(options: ReaderOptions): Promise<KafkaReader>;
  join(options: JoinOptions): Promise<GroupMembership>;
  close(): Promise<void>;
}
