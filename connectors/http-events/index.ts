/** Takes app events over HTTP and writes them to Kafka as Avro: POST /v1/events. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { ConfigError, deadLetterTopicOf, RetriableError, systemClock } from '#topology';
import { EventSorter } from './events.ts';
import { EventWriter } from './event-writer.ts';
import { HintLoop } from './hint-loop.ts';
import { collectorServer } from './server.ts';
import { type Collector, COLLECTOR_LIMITS, type CollectorLimits, type CollectorOptions } from './types.ts';

export {
  type Collector,
  COLLECTOR_LIMITS,
  type CollectorLimits,
  type CollectorOptions,
  type EventTopic,
} from './types.ts';

const BACKOFF_MS = 1_000;

/**
 * A collector of app events: an answer of 200 means that all of them are in Kafka, or in a dead-letter topic with the reason in the answer. Nothing is
 * written of a request that is answered 4xx. 503: it is not known, send the same body again. One instance per `name`: a second one fences the first.
 */
export function createCollector(options: CollectorOptions): Collector {
  return new HttpCollector(options);
}

class HttpCollector implements Collector {
  readonly #options: CollectorOptions;
  readonly #limits: CollectorLimits;
  readonly #abort = new AbortController();
  readonly #writer: EventWriter;
  readonly #hints: HintLoop;
  #server: FastifyInstance | undefined;
  #accepted = 0;
  #rejected = 0;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#limits = { ...COLLECTOR_LIMITS, ...options.limits };
    const { client, logger, clock = systemClock, name = 'collector', events, unknownTopic, timeOf = 'wall' } = options;
    const topics = Object.values(events);
    const partitions = new Map([
      ...topics.flatMap((topic) => [
        [topic.name, topic.partitions] as const,
        [deadLetterTopicOf(topic.name), topic.partitions] as const,
      ]),
      [unknownTopic, 1] as const,
    ]);
    const { lingerMs, hintMs } = this.#limits;
    this.#writer = new EventWriter({ client, logger, clock, transactionalId: `sluice-${name}`, partitions, lingerMs });
    this.#hints = new HintLoop({ client, writer: this.#writer, topics, name, timeOf, clock, logger, hintMs });
  }

  get port(): number {
    return (this.#server?.server.address() as AddressInfo | undefined)?.port ?? 0;
  }

  stats(): { accepted: number; rejected: number } {
    return { accepted: this.#accepted, rejected: this.#rejected };
  }

  async start(): Promise<void> {
    const { serdes, events, unknownTopic, keys, host = '127.0.0.1', port, clock = systemClock } = this.#options;
    const limits = this.#limits;
    const sorter = await this.#until('the schema registry', () =>
      EventSorter.open(events, serdes, unknownTopic, limits.eventBytes),
    );
    await this.#until('Kafka', () => this.#writer.start());
    const server = collectorServer({
      sorter,
      writer: this.#writer,
      keys,
      limits,
      now: () => clock.now(),
      heard: (time) => this.#hints.heard(time),
      counted: (accepted, rejected) => {
        this.#accepted += accepted;
        this.#rejected += rejected;
      },
    });
    await listen(server, host, port);
    this.#server = server;
    this.#hints.start();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    // Stops to listen, and answers what has come in; connections that wait for a next request would hold it up.
    const closing = this.#server?.close();
    this.#server?.server.closeIdleConnections();
    await this.#writer.stop();
    await closing;
    await this.#hints.stop();
  }

  async #until<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { logger, clock = systemClock } = this.#options;
    for (let nth = 1; ; nth++) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof RetriableError) || this.#abort.signal.aborted) throw error;
        logger.warn({ code: error.code, attempt: nth }, `waiting for ${what}: ${error.message}`);
        await clock.sleep(Math.min(5_000, BACKOFF_MS * nth), this.#abort.signal);
      }
    }
  }
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await server.listen({ host, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new ConfigError(
      'SLC_COLLECTOR_PORT',
      `port ${port} of ${host} is in use: the collector cannot listen there`,
      {
        cause: error,
        hint: 'set SLUICE_COLLECTOR_PORT to a free port, or to 0 for any',
      },
    );
  }
}
