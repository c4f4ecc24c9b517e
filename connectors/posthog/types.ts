import type { Logger, SinkPositions, SinkRecord } from '#topology';

/** An event for PostHog. It merges those that are equal in uuid, event, timestamp and distinctId; the last one sent stays. */
export interface PostHogEvent {
  /** A valid UUID of any version: an invalid one would be replaced by a random one. */
  readonly uuid: string;
  readonly event: string;
  readonly distinctId: string;
  /** When it happened, ms since the epoch. */
  readonly timestamp: number;
  /** As JSON. `$set` sets properties of the person. */
  readonly properties: Readonly<Record<string, unknown>>;
}

/** Options of `createPostHogSink`. */
export interface PostHogSinkOptions {
  /** https://us.i.posthog.com, https://eu.i.posthog.com, or one's own. */
  readonly host: string;
  /** The project's API key (phc_...). Never logged, never part of an error. */
  readonly key: string;
  readonly topics: readonly string[];
  /** The event of a record, undefined for none. What it throws makes the record a dead letter. Must give the same for the same record, always. */
  readonly eventOf: (topic: string, record: SinkRecord) => PostHogEvent | undefined;
  readonly positions: SinkPositions;
  readonly logger: Logger;
  /** Per request, ms (10 000). */
  readonly requestTimeoutMs?: number;
  /** How long a write tries again before it says that PostHog is away, ms (3 000). */
  readonly patienceMs?: number;
  /** In [0, 1): jitter of waits. */
  readonly random?: () => number;
}
