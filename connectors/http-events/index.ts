/** Collector of app events over HTTP: validates, writes to Kafka, answers when Kafka has them. */
export { createHttpCollector } from './collector.ts';
export type {
  ClockSource,
  CollectorLimits,
  EventTopic,
  HttpCollector,
  HttpCollectorOptions,
  HttpCollectorStats,
} from './types.ts';
