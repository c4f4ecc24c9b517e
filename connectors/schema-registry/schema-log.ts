import {
  BatchBuilder,
  type Clock,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  type KafkaReader,
  type Logger,
  RecordCursor,
  RetriableError,
  TaskMigratedError,
} from '#topology';
import { unavailable } from './api-error.ts';
import { type LogRecord, parseRecord } from './records.ts';
import type { RegistryState } from './state.ts';

/** Name of Confluent's topic; one partition, compacted. */
export const SCHEMAS_TOPIC = '_schemas';

const POLL_MS = 250;
const BACKOFF_MS = 500;
const CATCH_UP_MS = 15_000;
const TRANSACTION_TIMEOUT_MS = 15_000;

/** What a log needs. */
export interface SchemaLogOptions {
  readonly client: KafkaClient;
  readonly state: RegistryState;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly topic?: string;
}

/**
 * The registry's topic: folds what is in it into a state, and appends to it. One instance at a time appends (fenced by the transactional id
 * `sluice-registry`): the newest. An older one goes on answering reads and says 503 to writes.
 */
export class SchemaLog {
  readonly #options: SchemaLogOptions;
  readonly #topic: string;
  readonly #abort = new AbortController();
  readonly #cursor = new RecordCursor();
  readonly #waiters = new Set<() => void>();
  #admin: KafkaAdmin | undefined;
  #producer: KafkaProducer | undefined;
  #position = 0n;
  #takenOver = false;
  #loop: Promise<void> | undefined;

  constructor(options: SchemaLogOptions) {
    this.#options = options;
    this.#topic = options.topic ?? SCHEMAS_TOPIC;
  }

  /** Resolves when all that was in the topic is in the state. Waits, saying so, while Kafka is away. */
  async start(): Promise<void> {
    const { client } = this.#options;
    const admin = await this.#until(() => client.admin());
    this.#admin = admin;
    const config = { 'cleanup.policy': 'compact' };
    await this.#until(() => admin.ensureTopics([{ name: this.#topic, partitions: 1, config }]));
    const reader = await this.#until(() => client.reader({ committed: true }));
    reader.seek({ topic: this.#topic, partition: 0 }, 'earliest');
    this.#loop = this.#read(reader);
    await this.#until(() => this.#fence());
  }

  /**
   * Appends records in one transaction and resolves when they are in the state. Not for concurrent use. ApiError 503 when another instance has taken
   * over or Kafka is away: then it is not known whether they were written.
   */
  async write(records: readonly LogRecord[]): Promise<void> {
    if (this.#takenOver) throw unavailable('another registry has taken over; this one only reads');
    try {
      const producer = this.#producer ?? (await this.#fence());
      const batch = new BatchBuilder();
      const encoder = new TextEncoder();
      for (const { key, value } of records) {
        const content = value === null ? null : encoder.encode(JSON.stringify(value));
        batch.append(encoder.encode(JSON.stringify(key)), content, this.#options.clock.now());
      }
      await producer.begin();
      const [result] = await producer.send([{ topic: this.#topic, partition: 0, batch }]);
      await producer.commit();
      await this.#caughtUp((result?.baseOffset ?? 0n) + BigInt(records.length));
    } catch (error) {
      await this.#producer?.close();
      this.#producer = undefined;
      if (error instanceof TaskMigratedError) this.#takenOver = true;
      if (error instanceof TaskMigratedError || error instanceof RetriableError) throw unavailable(error.message);
      throw error;
    }
  }

  /** Stops reading and writing. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
    await this.#producer?.close();
    await this.#admin?.close();
  }

  /** Becomes the one that writes, with everything in the state that others have written. */
  async #fence(): Promise<KafkaProducer> {
    const { client } = this.#options;
    const transactionalId = `sluice-registry-${this.#topic}`;
    const producer = await client.producer({ transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
    try {
      await producer.fence();
      const [range] = (await this.#admin?.offsets([{ topic: this.#topic, partition: 0 }], { committed: true })) ?? [];
      await this.#caughtUp(range?.end ?? 0n);
    } catch (error) {
      await producer.close();
      throw error;
    }
    this.#producer = producer;
    return producer;
  }

  async #caughtUp(end: bigint): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + CATCH_UP_MS;
    while (this.#position < end) {
      if (clock.now() > until)
        throw new RetriableError('SLC_BROKER_AWAY', `${this.#topic} could not be read up to ${end}`);
      const moved = new AbortController();
      const wake = (): void => moved.abort();
      this.#waiters.add(wake);
      await clock.sleep(POLL_MS, moved.signal);
      this.#waiters.delete(wake);
    }
  }

  async #read(reader: KafkaReader): Promise<void> {
    const { signal } = this.#abort;
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        for (const { batches, nextOffset } of await reader.poll(POLL_MS)) {
          for (const batch of batches) {
            this.#cursor.open(batch);
            while (this.#cursor.next()) this.#apply();
          }
          this.#position = nextOffset;
          for (const wake of this.#waiters) wake();
        }
      } catch (error) {
        logger.warn({ reason: String(error) }, `reading ${this.#topic} failed; trying again`);
        await clock.sleep(BACKOFF_MS, signal);
      }
    }
    await reader.close();
  }

  #apply(): void {
    const key = this.#cursor.keyBytes()?.toString('utf8') ?? '';
    try {
      this.#options.state.apply(parseRecord(key, this.#cursor.valueBytes()?.toString('utf8') ?? null));
    } catch (error) {
      const { offset } = this.#cursor;
      this.#options.logger.error({ offset, key, reason: String(error) }, `a record of ${this.#topic} is skipped`);
    }
  }

  async #until<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock, logger } = this.#options;
    for (let nth = 1; ; nth++) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof RetriableError) || this.#abort.signal.aborted) throw error;
        logger.warn({ code: error.code, attempt: nth }, `waiting for Kafka: ${error.message}`);
        await clock.sleep(Math.min(5_000, BACKOFF_MS * nth), this.#abort.signal);
      }
    }
  }
}
