/** posthog-node for one partition at a time: a batch goes in, and all of it is acknowledged when `send` resolves. */
import { InvariantError } from '#topology';
import { PostHog } from 'posthog-node';
import type { Outcome, Requests } from './requests.ts';
import type { PostHogEvent } from './types.ts';

/** Events in one request at most. */
export const MAX_EVENTS = 500;
const NO_LIMIT = 2 ** 31 - 1;

/** The server refuses a batch for what it holds (400, 413). */
export class RefusedBatch extends Error {
  override name = 'RefusedBatch';
}

export class Sender {
  readonly #host: string;
  readonly #key: string;
  readonly #requests: Requests;
  #client: PostHog | undefined;
  #outcome: Outcome | undefined;
  readonly #acknowledged = new Set<string>();

  constructor(options: { readonly host: string; readonly key: string; readonly requests: Requests }) {
    this.#host = options.host;
    this.#key = options.key;
    this.#requests = options.requests;
  }

  /** At most MAX_EVENTS, each uuid once. RefusedBatch; errors of `Requests`. After any error some of them may have been sent all the same. */
  async send(events: readonly PostHogEvent[]): Promise<void> {
    const client = (this.#client ??= this.#make());
    this.#outcome = undefined;
    this.#acknowledged.clear();
    for (const { uuid, event, distinctId, timestamp, properties } of events) {
      client.capture({
        uuid,
        event,
        distinctId,
        timestamp: new Date(timestamp),
        // Else PostHog moves the timestamp by the time that the request took, so that what is sent twice is not merged.
        properties: { ...properties, $ignore_sent_at: true },
      });
    }
    try {
      await client.flush();
    } catch (error) {
      throw this.#failure(error);
    }
    const missing = events.filter(({ uuid }) => !this.#acknowledged.has(uuid));
    // posthog-node takes any 2xx for an acknowledgement; the outcome also says whether PostHog has answered it.
    if (missing.length > 0 || !this.#isAccepted()) {
      throw this.#failure(new Error(`${missing.length} of ${events.length} events were not acknowledged`));
    }
  }

  #isAccepted(): boolean {
    return this.#outcome?.kind === 'accepted';
  }

  /** What posthog-node has queued belongs to no write any more: the next one has a new client. */
  #failure(error: unknown): Error {
    this.#client = undefined;
    const outcome: Outcome | undefined = this.#outcome;
    if (outcome?.kind === 'failed') return outcome.error;
    if (outcome?.kind === 'refused') return new RefusedBatch(outcome.reason);
    return new InvariantError('SLC_BUG_POSTHOG', `posthog-node: ${String(error)}`, { cause: error });
  }

  #make(): PostHog {
    const client = new PostHog(this.#key, {
      host: this.#host,
      fetch: this.#requests.fetchFor((outcome) => {
        // A flush may be several requests (posthog-node halves what is too large): one that failed stays.
        if (this.#outcome?.kind !== 'failed') this.#outcome = outcome;
      }),
      fetchRetryCount: 0,
      requestTimeout: NO_LIMIT,
      flushInterval: 0,
      // It flushes when it is told to, and then all in one request.
      flushAt: MAX_EVENTS + 1,
      maxBatchSize: MAX_EVENTS,
      maxQueueSize: 2 * MAX_EVENTS,
      disableGeoip: true,
    });
    // Told by flush() too. Without a listener it would be thrown.
    client.on('error', () => undefined);
    client.on('flush', (sent: readonly { readonly uuid?: string }[]) => {
      for (const { uuid } of sent) if (uuid !== undefined) this.#acknowledged.add(uuid);
    });
    return client;
  }
}
