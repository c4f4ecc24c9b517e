/** PostHog: every record that has an event is there, merged by PostHog when it was sent more than once. */
import { ConfigError, type Sink, type SinkPartition } from '#topology';
import { PostHogPartition } from './partition.ts';
import { Requests } from './requests.ts';
import { Sender } from './sender.ts';
import type { PostHogSinkOptions } from './types.ts';

/**
 * A sink that sends events by posthog-node. PostHog keeps no position: that is in Kafka (`positions`) and moves when PostHog has acknowledged the
 * events, so a crash sends some of them again, with the same uuid, event, timestamp and distinct id, by which PostHog merges them. Records without value are skipped: PostHog
 * deletes nothing.
 *
 * RetriableError SLC_POSTHOG_AWAY while PostHog is away or asks for a pause; ConnectorError SLC_POSTHOG_ACCESS (key), SLC_POSTHOG_HOST (no PostHog there)
 * and SLC_POSTHOG_QUOTA; SinkRecordError SLC_RECORD_POSTHOG for events that it refuses (400, 413), the others of the batch
 * having been sent; ConfigError SLC_CONFIG_POSTHOG from this function itself.
 */
export function createPostHogSink(options: PostHogSinkOptions): Sink {
  const host = hostOf(options.host);
  if (options.key.trim() === '') throw new ConfigError('SLC_CONFIG_POSTHOG', 'PostHog needs the key of a project');
  const requests = new Requests({
    host,
    requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
    patienceMs: options.patienceMs ?? 3_000,
    random: options.random ?? Math.random,
  });
  const topics = new Set(options.topics);
  return {
    name: `PostHog at ${host}`,
    // Nothing is made there; whether it answers, the first batch shows.
    open: () => Promise.resolve(),
    async claim(topic: string, partition: number): Promise<SinkPartition> {
      if (!topics.has(topic)) {
        throw new ConfigError('SLC_CONFIG_POSTHOG', `topic ${topic} is none of the sink's`, { where: topic });
      }
      const position = await options.positions.claim(topic, partition);
      const sender = new Sender({ host, key: options.key, requests });
      return new PostHogPartition({ topic, partition, position, sender, eventOf: options.eventOf });
    },
    async close() {
      requests.close();
      await options.positions.close();
    },
  };
}

/** Without a slash at its end, and without a password, which is no part of it. */
function hostOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') {
    return url.href.replace(/\/+$/, '');
  }
  throw new ConfigError('SLC_CONFIG_POSTHOG', "PostHog's host is no http or https address", {
    hint: 'for instance SLUICE_POSTHOG_HOST=https://eu.i.posthog.com',
  });
}
