/** What the event collector is told and tells. */
import type { KafkaClient, Logger, SerdeFactory, TopicLimits } from '#topology';

/** A topic of app events as its declaration has it: an origin topic whose values are records with eventId, occurredAt and receivedAt. */
export interface EventTopic {
  readonly name: string;
  readonly partitions: number;
  readonly cleanup: 'delete' | 'compact';
  readonly value: { readonly name: string; readonly definition: unknown };
  readonly origin: { readonly outOfOrdernessMs: number; readonly maxAheadMs: number } | undefined;
}

/** Limits of the collector. What is beyond them is refused before anything is written. */
export interface CollectorLimits {
  /** Of a request's body. Default 1 MiB. */
  readonly bodyBytes: number;
  /** Of one event as JSON. Default 64 KiB. */
  readonly eventBytes: number;
  /** In one request. Default 500. */
  readonly eventsPerRequest: number;
  /** Requests being received or waiting for Kafka. Default 512. */
  readonly requestsInFlight: number;
  /** Bodies of the requests in flight. Default 32 MiB. */
  readonly bytesInFlight: number;
  /** How long a request waits for Kafka before it is answered with 503, ms. Default 10,000. */
  readonly answerMs: number;
  /** How long an event waits for others to share its Kafka transaction, ms. Default 10. */
  readonly lingerMs: number;
  /** Records after which a transaction waits for no more. Default 500. */
  readonly recordsPerTransaction: number;
  /** How long a request may take to arrive, ms. Default 30,000. */
  readonly receiveMs: number;
}

/** Where the time comes from that the collector says it has reached. */
export type ClockSource = 'wall' | 'sender';

/** Options of `createHttpCollector`. */
export interface HttpCollectorOptions {
  readonly kafka: KafkaClient;
  readonly serdes: SerdeFactory;
  /** Topic of each event name, as in {"event": "pageview", ...}. */
  readonly events: Readonly<Record<string, EventTopic>>;
  /** Where events with an unknown name go. */
  readonly unknownEventsTopic: string;
  /** Keys that senders may present. Never empty. */
  readonly keys: readonly string[];
  /** 0 = any free port. */
  readonly port: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 'wall': this machine's clock, or header x-sluice-clock while senders set it. 'sender': that header only. Default 'wall'. */
  readonly clock?: ClockSource;
  /** Names the hints and the transactional id `sluice-<name>`. Default 'collector'. */
  readonly name?: string;
  readonly logger: Logger;
  readonly limits?: Partial<CollectorLimits>;
  /** Of topics that it creates. */
  readonly topicLimits?: TopicLimits;
  /** Time between hints, ms. Default 250. */
  readonly hintMs?: number;
  /** Called at most once, after `start` has resolved, when a person has to mend something. */
  readonly onFatal?: (error: Error) => void;
}

/** What the collector has done so far. */
export interface HttpCollectorStats {
  /** Events committed to Kafka by this process, per event name. */
  readonly accepted: Readonly<Record<string, number>>;
  /** Events committed to dead-letter topics. */
  readonly rejected: number;
  /** Hints written by this process. */
  readonly hints: number;
  /** Requests answered, by status. */
  readonly answered: Readonly<Record<string, number>>;
  /** What it waits for, undefined while it runs. */
  readonly waitingFor: string | undefined;
}

/** A collector. */
export interface HttpCollector {
  /**
   * Takes the port, then waits with backoff, and a log line saying for what, until Kafka and the registry are there; until then requests are
   * answered with 503. Rejects with ConfigError SLC_COLLECTOR_PORT when the port is taken, or another ConfigError that a person has to mend.
   */
  start(): Promise<void>;
  /** Refuses new requests, commits what was received, closes everything, within 5 s. Safe to call at any time, also twice. */
  stop(): Promise<void>;
  stats(): HttpCollectorStats;
  /** The port taken, once `start` has listened. */
  readonly port: number | undefined;
}

/** Defaults of `CollectorLimits`. */
export const DEFAULT_LIMITS: CollectorLimits = {
  bodyBytes: 2 ** 20,
  eventBytes: 64 * 2 ** 10,
  eventsPerRequest: 500,
  requestsInFlight: 512,
  bytesInFlight: 32 * 2 ** 20,
  answerMs: 10_000,
  lingerMs: 10,
  recordsPerTransaction: 500,
  receiveMs: 30_000,
};
