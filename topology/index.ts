/** The public surface of the engine. Everything outside topology/ imports from here (`#topology`). Named re-exports only, sorted by file. */
export { type Clock, systemClock } from './clock.ts';
export { type RejectedRecord, type Sink, type SinkPartition, type SinkRecord, SinkRecordError } from './connector.ts';
export { describeText, toMermaid } from './dsl/describe.ts';
export { cogroup, CogroupedStream } from './dsl/cogroup.ts';
export {
  atLeast,
  between,
  type Check,
  contract,
  type Contract,
  type ContractParts,
  matches,
  notNull,
  oneOf,
  rule,
} from './dsl/contract.ts';
export { GlobalKTable } from './dsl/global-table.ts';
export { type GroupFoldOptions, type GroupOptions, KGroupedTable } from './dsl/grouped-table.ts';
export { type Branches, KStream, KTable, type StreamOf, type TableOf } from './dsl/kstream.ts';
export type { Emit, QueriedRow } from './dsl/node.ts';
export { applicationsOf, partAppOf, type Parts } from './dsl/parts.ts';
export { stage, type Stage, type StageBuilder, type StageOptions, type TableOptions } from './dsl/stage.ts';
export { buildTopology, type GlobalTable, partTopology, type SubTopology, type Topology } from './dsl/topology.ts';
export {
  calendarDay,
  calendarMonth,
  type CalendarOptions,
  calendarWeek,
  type FixedWindows,
  hopping,
  session,
  type SessionWindows,
  sliding,
  type SlidingWindows,
  tumbling,
  type Windows,
} from './dsl/windows.ts';
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
export { createKafkaClient } from './kafkajs/client.ts';
export type { Logger } from './logger.ts';
export { aggregate, type AggregateOptions, type FoldOptions } from './operators/aggregate.ts';
export type { Aggregated, AggregationOptions, Groupable, ValueIn } from './operators/aggregation.ts';
export { asOfJoin, type AsOfJoinOptions } from './operators/as-of-join.ts';
export { checked } from './operators/checked.ts';
export { count } from './operators/count.ts';
export { dedupe, type DedupeOptions } from './operators/dedupe.ts';
export { flatMapValues } from './operators/flat-map-values.ts';
export type { ForeignKeyJoinOptions } from './operators/foreign-key-join.ts';
export { globalJoin, type GlobalJoinOptions } from './operators/global-join.ts';
export { keyBy } from './operators/key-by.ts';
export { latestJoin, type LatestJoinOptions } from './operators/latest-join.ts';
export { mapAsync, type MapAsyncOptions } from './operators/map-async.ts';
export { mapValues } from './operators/map-values.ts';
export { matchSequence, type MatchSequenceOptions, type SequenceStep } from './operators/match-sequence.ts';
export { peek } from './operators/peek.ts';
export { process, type ProcessContext, type ProcessOptions, type UserProcessor } from './operators/process.ts';
export {
  keyValueStore,
  sessionStore,
  type SessionStoreHandle,
  type StoreHandle,
  type UserSessionStore,
  type UserStore,
  type UserStores,
  type UserWindowStore,
  windowStore,
  type WindowStoreHandle,
} from './operators/process-stores.ts';
export { reduce } from './operators/reduce.ts';
export { sorted, type SortedOptions } from './operators/sorted.ts';
export { streamJoin, type StreamJoinOptions } from './operators/stream-join.ts';
export { sum } from './operators/sum.ts';
export type { TableJoinKind, TableJoinOptions } from './operators/table-join.ts';
export type { MaterializedOptions } from './operators/table-node.ts';
export { toTable } from './operators/to-table.ts';
export { topN, type TopNOptions } from './operators/top-n.ts';
export {
  type Suppressed,
  type SuppressBuffer,
  type SuppressOptions,
  untilTimeLimit,
  untilWindowCloses,
} from './operators/suppress.ts';
export { type Windowed, windowedBy } from './operators/windowed-by.ts';
export { partitionFor } from './partitioner.ts';
export {
  type AbortedTransaction,
  BatchBuilder,
  type ParsedFetch,
  parseFetched,
  type RecordBatch,
  RecordCursor,
  type RecordHeader,
} from './record-batch.ts';
export type { AnyRecord, StreamRecord, TopicPartition, WindowKey } from './record.ts';
export { type DurationCounts, sumOfDurations } from './runtime/duration-histogram.ts';
export { type ComparedTopic, comparedTopics } from './replay/compared-topics.ts';
export { type LedgerView, readLedger, readLedgers } from './replay/live-ledger.ts';
export { PlanStore, replaysTopicOf } from './replay/plan-store.ts';
export {
  checkReplayId,
  planToText,
  type RangeBound,
  type ReplayInput,
  type ReplayPlan,
  type ReplayRequest,
} from './replay/replay-plan.ts';
export {
  finishReplay,
  openReplay,
  type OpenedReplay,
  type ReplayConfig,
  type ReplayProgress,
  type ReplayRun,
  startReplay,
} from './replay/replay-run.ts';
export { replayAppOf, replayInternalOf, replayNameOf, replayTopology } from './replay/replay-topology.ts';
export { hearReplay, joinReplay, type ReplayShare, type ReplayWorker, SharedReplay } from './replay/shared-replay.ts';
export { checkSinks } from './runtime/check-sinks.ts';
export type { GlobalTableStats } from './runtime/global-tables.ts';
export { encodeHint, type Hint, HINTS_TOPIC, HintView, parseHint } from './runtime/hints.ts';
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
export { ledgerTopicOf } from './runtime/ledger-reader.ts';
export { sinkDeadLetterTopicOf } from './runtime/sink-dead-letters.ts';
export { ERASED_HEADER, isErasure } from './runtime/read-record.ts';
export type { ReadOnlyTable } from './runtime/read-only-table.ts';
export { type RestoreProgress, sumOfRestores } from './runtime/restore.ts';
export { DEFAULT_RUNTIME_OPTIONS, type RuntimeOptions } from './runtime/runtime-options.ts';
export {
  createSinkPositions,
  type HeldPosition,
  SINK_DELIVERY_MS,
  type SinkPositions,
  type SinkPositionsOptions,
} from './runtime/sink-positions.ts';
export {
  createSinkRunner,
  DEFAULT_SINK_LIMITS,
  type SinkRunner,
  type SinkRunnerLimits,
  type SinkRunnerOptions,
  type SinkStats,
} from './runtime/sink-runner.ts';
export type { SinkStage, SinkTopic } from './runtime/sink-stage.ts';
export type { SkewWait } from './runtime/skew-gate.ts';
export type { PersistentState } from './runtime/slot-state.ts';
export { type StageStats, sumOfStores } from './runtime/stage-stats.ts';
export type { StandbyStats } from './runtime/standbys.ts';
export type { StoreSize } from './runtime/task.ts';
export { startStreamApp, type StreamApp, type StreamAppConfig } from './runtime/stream-app.ts';
export { deadLetterTopicOf, lateTopicOf, SOURCE_HEADER_PREFIX } from './runtime/task-output.ts';
export {
  type DeclaredTopic,
  limitsForDisk,
  topicConfig,
  type TopicKind,
  type TopicLimits,
  topicSpec,
} from './runtime/topic-config.ts';
export { type KeyFormat, type Schema, type Serde, type SerdeFactory, textSerde } from './serde.ts';
export { changelogKeyOf } from './state/changelog-key.ts';
export { originPlaceOf, windowOfCoordinate } from './time/coordinate.ts';
export {
  type LedgerRecord,
  parseLedgerRecord,
  type Pin,
  type Roster,
  type WriterPromise,
} from './time/ledger-records.ts';
export { type TimePolicy, type TimePolicyName } from './time/time-policy.ts';
export { coordinateOf, isTimeHeader, TIME_HEADER, watermarkOf } from './time/time-header.ts';
export { TopicWatermark } from './time/topic-watermark.ts';
export {
  DEFAULT_PARTITIONS,
  type OriginClock,
  originTopic,
  type OriginTopicOptions,
  topic,
  type Topic,
  type TopicOptions,
} from './topic.ts';
