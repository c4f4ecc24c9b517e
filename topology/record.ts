/** What flows through a pipeline: key, value and event time (ms since the epoch, the Kafka timestamp). */
export interface StreamRecord<out K, out V> {
  readonly key: K;
  readonly value: V;
  readonly timestamp: number;
}

/** A record of any type: for code that only passes it on. */
export type AnyRecord = StreamRecord<unknown, unknown>;

/** The key of what a windowed aggregation emits: [start, end) in ms since the epoch. */
export interface WindowKey<out K> {
  readonly key: K;
  readonly start: number;
  readonly end: number;
}

/** One partition of one topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}
