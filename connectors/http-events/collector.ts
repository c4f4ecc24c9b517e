/** The collector as a whole: an HTTP server, sessions with Kafka one after the other with backoff between, and the hints. */
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import {
  ConfigError,
  DEFAULT_PARTITIONS,
  deadLetterTopicOf,
  HINTS_TOPIC,
  type KafkaAdmin,
  SluiceError,
  systemClock,
  topicConfig,
  topicSpec,
  type TopicSpec,
} from '#topology';
import { EventDecoder, type EventKind } from './event-decoder.ts';
import { eventFields } from './event-fields.ts';
import { EventWriter } from './event-writer.ts';
import { HintTeller } from './hint-teller.ts';
import { awayError } from './request-error.ts';
import { SenderClock } from './sender-clock.ts';
import { buildServer } from './server.ts';
import {
  type CollectorLimits,
  DEFAULT_LIMITS,
  type EventTopic,
  type HttpCollector,
  type HttpCollectorOptions,
  type HttpCollectorStats,
} from './types.ts';
import { WriteSession } from './write-session.ts';

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 3_000;
/** A session that ran this long was a good one: the next failure starts with the shortest pause. */
const GOOD_SESSION_MS = 10_000;
/** Requests still being received when the collector stops have this long, ms. */
const STOP_RECEIVING_MS = 1_500;
/** Then what was received has this long to be committed, ms. */
const STOP_COMMIT_MS = 2_500;
/** And each connection with Kafka this, when nothing is held, ms. */
const STOP_CLOSE_MS = 500;

/** A collector of app events. Throws ConfigError SLC_CONFIG_COLLECTOR when a topic is no topic of events or there is no key. */
export function createHttpCollector(options: HttpCollectorOptions): HttpCollector {
  if (options.keys.length === 0 || options.keys.some((key) => key === '')) {
    throw new ConfigError('SLC_CONFIG_COLLECTOR', 'the collector has no key that senders could present', {
      hint: 'set SLUICE_COLLECTOR_KEYS to one or more keys with commas between',
    });
  }
  return new Collector(options);
}

class Collector implements HttpCollector {
  readonly #options: HttpCollectorOptions;
  readonly #name: string;
  readonly #topics: readonly (EventTopic & { readonly outOfOrdernessMs: number; readonly maxAheadMs: number })[];
  readonly #limits: CollectorLimits;
  readonly #writer: EventWriter;
  readonly #hints: HintTeller;
  readonly #server: FastifyInstance;
  readonly #answered = new Map<number, number>();
  readonly #abort = new AbortController();
  readonly #opened = Promise.withResolvers<void>();
  #isOpened = false;
  #servingSince: number | undefined;
  #decoder: EventDecoder | undefined;
  #starting: Promise<void> | undefined;
  #loop: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #waitingFor: string | undefined = 'Kafka';

  constructor(options: HttpCollectorOptions) {
    this.#options = options;
    this.#name = options.name ?? 'collector';
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#topics = Object.values(options.events).map(asOrigin);
    const clock = new SenderClock(options.clock ?? 'wall', () => Date.now());
    const { kafka, keys, logger } = options;
    this.#writer = new EventWriter({ clock, limits: this.#limits });
    this.#hints = new HintTeller({
      kafka,
      writer: this.#writer,
      name: this.#name,
      topics: this.#topics,
      hintMs: options.hintMs ?? 250,
      logger,
    });
    const waitingFor = (): string | undefined => this.#waitingFor;
    this.#server = buildServer({
      intake: {
        get waitingFor() {
          return waitingFor();
        },
        decode: (body, receivedAt) => {
          if (this.#decoder === undefined) throw awayError('the collector is starting');
          return this.#decoder.decode(body, receivedAt);
        },
        hear: (time) => clock.hear(time),
        submit: (request) => this.#writer.submit(request),
        noteRefusal: () => this.#writer.noteRefusal(),
        noteAnswer: (status) => void this.#answered.set(status, (this.#answered.get(status) ?? 0) + 1),
      },
      keys,
      limits: this.#limits,
      logger,
    });
  }

  get port(): number | undefined {
    const address: AddressInfo | string | null = this.#server.server.address();
    return typeof address === 'object' && address !== null ? address.port : undefined;
  }

  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  stats(): HttpCollectorStats {
    const { accepted, rejected } = this.#writer;
    const answered = Object.fromEntries(this.#answered);
    const hints = this.#hints.written;
    return { accepted: Object.fromEntries(accepted), rejected, hints, answered, waitingFor: this.#waitingFor };
  }

  async #start(): Promise<void> {
    const { port, host = '127.0.0.1', logger } = this.#options;
    try {
      await this.#server.listen({ port, host });
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
      const problem = code === 'EADDRINUSE' ? 'is in use' : `cannot be taken (${code})`;
      throw new ConfigError('SLC_COLLECTOR_PORT', `port ${port} of ${host} for the collector ${problem}`, {
        cause,
        hint: 'end the process that has it, or choose another with SLUICE_COLLECTOR_PORT',
      });
    }
    logger.info({ port: this.port }, 'the collector listens');
    this.#loop = this.#run();
    this.#hints.start();
    await this.#opened.promise;
  }

  async #stop(): Promise<void> {
    const { logger } = this.#options;
    const closed = this.#server.close();
    this.#writer.hurry();
    await Promise.race([closed, systemClock.sleep(STOP_RECEIVING_MS, this.#abort.signal)]);
    this.#abort.abort();
    const ms = this.#writer.isHolding ? STOP_COMMIT_MS : STOP_CLOSE_MS;
    await Promise.race([this.#loop, systemClock.sleep(ms)]);
    this.#server.server.closeAllConnections();
    if (this.#writer.isHolding) {
      logger.warn({}, 'stopping: Kafka did not take the last events in time; their senders were not told that it has');
    }
    await Promise.race([this.#hints.stop(), systemClock.sleep(STOP_CLOSE_MS)]);
    this.#opened.resolve();
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#abort.signal.aborted) {
      this.#servingSince = undefined;
      try {
        await this.#runSession();
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (error instanceof ConfigError) return this.#end(error);
        const since: number | undefined = this.#servingSince;
        failures = since !== undefined && Date.now() - since > GOOD_SESSION_MS ? 0 : failures + 1;
        await this.#pause(error, failures);
      }
    }
  }

  /** Until the signal, or the first failure. */
  async #runSession(): Promise<void> {
    const { kafka } = this.#options;
    const admin: KafkaAdmin = await kafka.admin();
    let session: WriteSession | undefined;
    try {
      await admin.ensureTopics(this.#topicSpecs());
      this.#decoder ??= await this.#openDecoder();
      session = await WriteSession.open(kafka, admin, `sluice-${this.#name}`, this.#topics);
      this.#waitingFor = undefined;
      this.#servingSince = Date.now();
      this.#isOpened = true;
      this.#opened.resolve();
      await this.#writer.serve(session, this.#abort.signal);
    } finally {
      await session?.close();
      await admin.close();
    }
  }

  async #openDecoder(): Promise<EventDecoder> {
    const kinds = new Map<string, EventKind>();
    for (const [name, declared] of Object.entries(this.#options.events)) {
      const topic = asOrigin(declared);
      const fields = eventFields(topic.value.name, topic.value.definition);
      const { name: schema, definition } = topic.value;
      const use = { write: true };
      const serde = await this.#options.serdes.open<Record<string, unknown>>(
        `${topic.name}-value`,
        { name: schema, definition },
        use,
      );
      kinds.set(name, { topic, maxAheadMs: topic.maxAheadMs, fields, serde });
    }
    const { unknownEventsTopic } = this.#options;
    return new EventDecoder({
      kinds,
      unknownEventsTopic,
      deadLetterPartitions: DEFAULT_PARTITIONS,
      limits: this.#limits,
    });
  }

  #topicSpecs(): TopicSpec[] {
    const { unknownEventsTopic, topicLimits } = this.#options;
    const aside = [unknownEventsTopic, ...this.#topics.map(({ name }) => deadLetterTopicOf(name))];
    return [
      ...this.#topics.map((topic) => topicSpec(topic, topicLimits)),
      ...aside.map((name) => ({ name, partitions: DEFAULT_PARTITIONS, config: topicConfig('dlq', topicLimits) })),
      { name: HINTS_TOPIC, partitions: 1, config: topicConfig('hints', topicLimits) },
    ];
  }

  #end(error: ConfigError): void {
    const { logger, onFatal } = this.#options;
    this.#waitingFor = 'a person';
    logger.error({ code: error.code, hint: error.hint }, `the collector stops: ${error.message}`);
    if (!this.#isOpened) this.#opened.reject(error);
    else onFatal?.(error);
  }

  async #pause(error: unknown, failures: number): Promise<void> {
    const code = error instanceof SluiceError ? error.code : 'SLC_BUG_COLLECTOR';
    this.#waitingFor = code.startsWith('SLC_REGISTRY') ? 'the schema registry' : 'Kafka';
    const longest = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 10));
    const ms = Math.round(longest * (0.5 + Math.random() / 2));
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.logger.warn(
      { code, ms, failures },
      `waiting for ${this.#waitingFor}: ${reason}; trying again in ${ms} ms`,
    );
    await systemClock.sleep(ms, this.#abort.signal);
  }
}

/** ConfigError SLC_CONFIG_COLLECTOR when the topic has no clock: events of senders belong into origin topics. */
function asOrigin(topic: EventTopic): EventTopic & { readonly outOfOrdernessMs: number; readonly maxAheadMs: number } {
  const { origin } = topic;
  if (origin !== undefined) {
    return { ...topic, outOfOrdernessMs: origin.outOfOrdernessMs, maxAheadMs: origin.maxAheadMs };
  }
  throw new ConfigError('SLC_CONFIG_COLLECTOR', `topic ${topic.name} is no origin topic`, {
    hint: 'declare it with originTopic()',
  });
}
