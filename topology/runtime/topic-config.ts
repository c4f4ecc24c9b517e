import type { TopicSpec } from './kafka-client.ts';

/**
 * What a Kafka topic is for; decides how long it is kept.
 * 'origin': bronze, history. 'derived': written by a stage, newest record per key. 'table': written by a stage, every record kept (read as-of or as
 * a stream of facts). 'repartition' and 'changelog': internal to an app. 'ledger', 'hints': clocks. 'late', 'dlq': what a stage put aside.
 */
export type TopicKind =
  | 'origin'
  | 'derived'
  | 'table'
  | 'repartition'
  | 'changelog'
  | 'ledger'
  | 'hints'
  | 'late'
  | 'dlq';

/** The parts of a topic's declaration that decide its settings in Kafka. */
export interface DeclaredTopic {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  readonly origin: object | undefined;
}

/** Limits of what is kept, in bytes per partition. */
export interface TopicLimits {
  /** Of topics kept for good (origin, table): beyond it Kafka deletes the oldest segment, whatever was archived. */
  readonly historyBytes?: number;
  /** Of `.late` and `.dlq` topics. */
  readonly asideBytes?: number;
  /** Of every topic's segments, at most: Kafka deletes and compacts whole segments only. */
  readonly segmentBytes?: number;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const NEVER_MS = '9223372036854775807';

/**
 * Kafka measures a record's age by its timestamp, which is event time here. So no topic is deleted by time, none refuses a record for its
 * timestamp, and those that are not compacted roll segments by size only (an import of two years would roll one a week).
 */
const EVENT_TIME = {
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.before.max.ms': NEVER_MS,
  'message.timestamp.after.max.ms': NEVER_MS,
} as const;

/** Kafka's own least. */
const MIN_SEGMENT_BYTES = MIB;
/** Shares of a small disk: partitions of history take five, late and dead letters one, and each has an active segment of one. */
const SHARES = 640;
const HISTORY_SHARES = 5;

/**
 * Limits for a broker that may keep `diskBytes` in all, for an application of the shop's size (some 250 partitions): Kafka has no limit of its own over
 * all topics. What is to be read yet (repartition topics) and the newest record per key are not deleted whatever the disk says.
 */
export function limitsForDisk(diskBytes: number): TopicLimits {
  const share = Math.max(MIN_SEGMENT_BYTES, Math.floor(diskBytes / SHARES));
  return { historyBytes: share * HISTORY_SHARES, asideBytes: share, segmentBytes: share };
}

function kept(retentionBytes: number, segmentBytes: number): Record<string, string> {
  return {
    ...EVENT_TIME,
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': String(retentionBytes),
    'segment.bytes': String(segmentBytes),
    'segment.ms': NEVER_MS,
  };
}

/** The active segment is never compacted: small segments bound what a reader from the start has to skip. */
function compacted(segmentBytes: number, dirtyRatio: string): Record<string, string> {
  return {
    ...EVENT_TIME,
    'cleanup.policy': 'compact',
    'segment.bytes': String(segmentBytes),
    'min.cleanable.dirty.ratio': dirtyRatio,
  };
}

type Settings = (limits: TopicLimits, segment: (bytes: number) => number) => Record<string, string>;

const CONFIG: Readonly<Record<TopicKind, Settings>> = {
  origin: ({ historyBytes = 16 * GIB }, segment) => kept(historyBytes, segment(256 * MIB)),
  table: ({ historyBytes = 16 * GIB }, segment) => kept(historyBytes, segment(256 * MIB)),
  derived: (_, segment) => compacted(segment(64 * MIB), '0.5'),
  changelog: (_, segment) => compacted(segment(64 * MIB), '0.5'),
  // Trimmed with deleteRecords behind its reader's commits, whole segments at a time; a size limit would lose what is not read yet.
  repartition: (_, segment) => kept(-1, segment(50 * MIB)),
  // Few keys, written several times a second, read from the start by every process that starts.
  ledger: (_, segment) => compacted(segment(16 * MIB), '0.1'),
  hints: (_, segment) => compacted(segment(16 * MIB), '0.1'),
  late: ({ asideBytes = GIB }, segment) => kept(asideBytes, segment(64 * MIB)),
  dlq: ({ asideBytes = GIB }, segment) => kept(asideBytes, segment(64 * MIB)),
};

/** The settings of a topic of this kind, as Kafka's admin API takes them. */
export function topicConfig(kind: TopicKind, limits: TopicLimits = {}): Record<string, string> {
  return CONFIG[kind](limits, (bytes) => Math.min(bytes, limits.segmentBytes ?? Infinity));
}

/** What to ask of Kafka for a declared topic. */
export function topicSpec(topic: DeclaredTopic, limits: TopicLimits = {}): TopicSpec {
  const derived: TopicKind = topic.cleanup === 'compact' ? 'derived' : 'table';
  return {
    name: topic.name,
    partitions: topic.partitions,
    config: topicConfig(topic.origin === undefined ? derived : 'origin', limits),
  };
}
