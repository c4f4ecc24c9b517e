/** What the collector is told and tells. */
import type { Clock, KafkaClient, Logger, Schema, SerdeFactory } from '#topology';

/** An event's topic; its record has the fields eventId, occurredAt (ms) and receivedAt (ms). */
export interface EventTopic {
  readonly name: string;
  readonly partitions: number;
  readonly value: Schema<unknown>;
  /** Of the topic's clock, ms: hints say the time reached minus this. */
  readonly outOfOrdernessMs: number;
  /** An event further ahead of the wall clock than this is refused, ms. */
  readonly maxAheadMs: number;
}

/** Options of `createCollector`. Port 0: any that is free. */
export interface CollectorOptions {
  readonly client: KafkaClient;
  readonly serdes: SerdeFactory;
  readonly logger: Logger;
  /** Topic by the name that senders give in `event`. Topics must be there, and `<topic>.dlq` and `unknownTopic` too. */
  readonly events: Readonly<Record<string, EventTopic>>;
  /** Dead letters of events that no topic knows. */
  readonly unknownTopic: string;
  /** Any of these opens the door: `authorization: Bearer <key>` or `x-api-key: <key>`. */
  readonly keys: readonly string[];
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Names the hints and the transactional id `sluice-<name>`. Default `collector`. */
  readonly name?: string;
  /** Whose time hints tell: 'wall' (a sender's while it says its own), or only what senders say in `x-sluice-clock`. Default 'wall'. */
  readonly timeOf?: 'wall' | 'sender';
  readonly clock?: Clock;
  readonly limits?: Partial<CollectorLimits>;
}

/** Limits. */
export interface CollectorLimits {
  readonly bodyBytes: number;
  readonly eventsPerRequest: number;
  readonly eventBytes: number;
  /** Accepted and not yet acknowledged by Kafka: beyond it requests get 429. */
  readonly queuedEvents: number;
  /** A batch waits this long for others, ms. */
  readonly lingerMs: number;
  /** A request is answered 503 when Kafka has not acknowledged within this time, ms. */
  readonly ackMs: number;
  readonly hintMs: number;
}

/** Default limits. */
export const COLLECTOR_LIMITS: CollectorLimits = {
  bodyBytes: 2 ** 20,
  eventsPerRequest: 500,
  eventBytes: 64 * 1_024,
  queuedEvents: 20_000,
  lingerMs: 5,
  ackMs: 20_000,
  hintMs: 250,
};

/** A running collector. */
export interface Collector {
  /** Serves from the time this resolves. Waits, saying so, while Kafka is away. ConfigError SLC_COLLECTOR_PORT when the port is in use. */
  start(): Promise<void>;
  /** Writes what it has accepted, answers, ends: within seconds. */
  stop(): Promise<void>;
  readonly port: number;
  stats(): { readonly accepted: number; readonly rejected: number };
}
