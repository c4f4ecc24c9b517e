/** The public surface of the engine. Everything outside topology/ imports from here (`#topology`). Named re-exports only, sorted by file. */
export { type Clock, systemClock } from './clock.ts';
export { type RejectedRecord, type Sink, type SinkPartition, type SinkRecord, SinkRecordError } from './connector.ts';
export { type Duration, parseDuration } from './duration.ts';
export {
  ConfigError,
  ConnectorError,
  type ErrorDetail,
  InvariantError,
  NotReadyError,
  RecordError,
  RetriableError,
  SluiceError,
  TaskCorruptedError,
  TaskMigratedError,
  TopologyError,
} from './errors.ts';
export type { Logger } from './logger.ts';
export { partitionFor } from './partitioner.ts';
export { BatchBuilder, type RecordBatch, RecordCursor, type RecordHeader } from './record-batch.ts';
export type { AnyRecord, StreamRecord, TopicPartition, WindowKey } from './record.ts';
export { encodeHint, type Hint, HINTS_TOPIC, parseHint } from './runtime/hints.ts';
export type {
  CommittedOffset,
  FetchedRecords,
  GroupMembership,
  JoinOptions,
  KafkaAdmin,
  KafkaClient,
  KafkaProducer,
  KafkaReader,
  ReaderOptions,
  ReadyBatch,
  SendResult,
  TopicSpec,
} from './runtime/kafka-client.ts';
export {
  createSinkRunner,
  DEFAULT_SINK_LIMITS,
  type SinkRunner,
  type SinkRunnerLimits,
  type SinkRunnerOptions,
  type SinkStats,
} from './runtime/sink-runner.ts';
export type { SinkStage, SinkTopic } from './runtime/sink-stage.ts';
export {
  type DeclaredTopic,
  topicConfig,
  type TopicKind,
  type TopicLimits,
  topicSpec,
} from './runtime/topic-config.ts';
export { type KeyFormat, type Schema, type Serde, type SerdeFactory, textSerde } from './serde.ts';
export {
  DEFAULT_PARTITIONS,
  type OriginClock,
  originTopic,
  type OriginTopicOptions,
  topic,
  type Topic,
  type TopicOptions,
} from './topic.ts';
