import type { Clock } from '../clock.ts';
import { ConfigError, RetriableError } from '../errors.ts';
import type { KafkaAdmin, TopicSpec } from './kafka-client.ts';

/** Seen this often in a row: a broker that comes back may not know all topics in its first moment. */
const SIGHTINGS = 2;
const AGAIN_MS = 1_000;

/**
 * Looks after the topics of a running application. One that was deleted, or that has another number of partitions, would be waited for or misread
 * for ever: `onFatal` gets one ConfigError, SLC_APP_TOPIC_GONE or SLC_APP_TOPIC_PARTITIONS. Resolves then, or when `signal` aborts.
 */
export async function watchTopics(options: {
  readonly admin: Pick<KafkaAdmin, 'partitionCounts'>;
  readonly topics: readonly TopicSpec[];
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  onFatal(error: Error): void;
}): Promise<void> {
  const { admin, topics, clock, intervalMs, signal } = options;
  let sightings = 0;
  for (;;) {
    await clock.sleep(sightings === 0 ? intervalMs : Math.min(intervalMs, AGAIN_MS), signal);
    if (signal.aborted) return;
    try {
      const wrong = wrongTopic(topics, await admin.partitionCounts(topics.map(({ name }) => name)));
      sightings = wrong === undefined ? 0 : sightings + 1;
      if (wrong === undefined || sightings < SIGHTINGS || signal.aborted) continue;
      options.onFatal(wrong);
    } catch (error) {
      // A broker that is away says nothing about topics.
      sightings = 0;
      if (error instanceof RetriableError || signal.aborted) continue;
      options.onFatal(error instanceof Error ? error : new Error(String(error)));
    }
    return;
  }
}

function wrongTopic(topics: readonly TopicSpec[], counts: ReadonlyMap<string, number>): ConfigError | undefined {
  for (const { name, partitions } of topics) {
    const found = counts.get(name);
    if (found === undefined) {
      return new ConfigError('SLC_APP_TOPIC_GONE', `topic ${name} was deleted while the application runs`, {
        where: name,
        hint: 'nothing more is committed; a start would make it anew and empty, with positions and state that do not fit: replay the history under another --app',
      });
    }
    if (found !== partitions) {
      return new ConfigError(
        'SLC_APP_TOPIC_PARTITIONS',
        `topic ${name} has ${found} partitions now, the application runs with ${partitions}`,
        {
          where: name,
          hint: 'its keys lie in other partitions from now on, their state does not: make a topic of another name with the new number and replay into it',
        },
      );
    }
  }
  return undefined;
}
