import { type Duration, parseDuration } from './duration.ts';
import type { KeyFormat, Schema } from './serde.ts';

/** The clock of an origin topic (DESIGN section 4, TIME.md rules 1 and 2): a property of the topic, not of a stage. */
export interface OriginClock<V> {
  /** How far behind the largest event time of its partition a record may be and still be in time, ms. */
  readonly outOfOrdernessMs: number;
  /** A timestamp more than this beyond the record's receive (or append) time does not move the clock and goes to the dead-letter topic, ms. */
  readonly maxAheadMs: number;
  /** When the record was received, ms since the epoch; undefined = not checked. */
  readonly receivedAt: ((value: V) => number | null | undefined) | undefined;
  /** True for rows of a first snapshot: they do not move the clock. */
  readonly isSnapshot: ((value: V) => boolean) | undefined;
}

/** A topic as a target: what may be written to it. */
export interface SinkTopic<in K, in V> {
  readonly name: string;
  readonly partitions: number;
  readonly origin: object | undefined;
  /** Never present at run time: carries the types. */
  readonly takes?: (key: K, value: V) => void;
}

/** A topic: its name, how keys and values are written, its partitions, and for an origin topic its clock. */
export interface Topic<in out K, in out V> extends SinkTopic<K, V> {
  readonly name: string;
  readonly key: KeyFormat<K>;
  readonly value: Schema<V>;
  readonly partitions: number;
  /** Present on origin topics (bronze, foreign); absent on derived topics, whose clock the ledger carries. */
  readonly origin: OriginClock<V> | undefined;
  /** 'delete': kept by time and size; 'compact': the newest record per key. */
  readonly cleanup: 'delete' | 'compact';
}

/** Options of `topic` and `originTopic`. Partitions default to 6. */
export interface TopicOptions<K, V> {
  readonly key?: KeyFormat<K>;
  readonly value: Schema<V>;
  readonly partitions?: number;
}

/** Options of `originTopic`; durations as in '10s'. */
export interface OriginTopicOptions<K, V> extends TopicOptions<K, V> {
  readonly outOfOrderness: Duration;
  readonly maxAhead?: Duration;
  readonly receivedAt?: (value: V) => number | null | undefined;
  readonly isSnapshot?: (value: V) => boolean;
}

/** Partitions of a topic that says nothing else. */
export const DEFAULT_PARTITIONS = 6;

/** A derived topic: written by stages, its clock is in the ledger. */
export function topic<V, K = string>(
  name: string,
  options: TopicOptions<K, V> & { readonly cleanup?: 'delete' | 'compact' },
): Topic<K, V> {
  return {
    name,
    key: options.key ?? 'text',
    value: options.value,
    partitions: options.partitions ?? DEFAULT_PARTITIONS,
    origin: undefined,
    cleanup: options.cleanup ?? 'delete',
  };
}

/** An origin topic: written by connectors or foreign systems; its reader makes its clock. Never compacted. */
export function originTopic<V, K = string>(name: string, options: OriginTopicOptions<K, V>): Topic<K, V> {
  return {
    name,
    key: options.key ?? 'text',
    value: options.value,
    partitions: options.partitions ?? DEFAULT_PARTITIONS,
    origin: {
      outOfOrdernessMs: parseDuration(options.outOfOrderness),
      maxAheadMs: parseDuration(options.maxAhead ?? '1h'),
      receivedAt: options.receivedAt,
      isSnapshot: options.isSnapshot,
    },
    cleanup: 'delete',
  };
}
