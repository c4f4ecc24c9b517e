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
  SluiceError,
  TaskCorruptedError,
  TaskMigratedError,
  type TopicPartition,
} from '#topology';
import { storeFailed, timedOut, unavailable } from './api-error.ts';
import { type LogRecord, parseRecord } from './records.ts';
import type { RegistryState } from './state.ts';

/** Name of Confluent's topic; one partition, compacted. */
export const SCHEMAS_TOPIC = '_schemas';

const POLL_MS = 250;
const BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 5_000;
const STILL_WAITING_MS = 3_000;
const CATCH_UP_MS = 15_000;
const WRITE_MS = 10_000;
const MAX_WAITING_WRITES = 500;
const FENCED_ATTEMPTS = 5;
const STOP_MS = 1_000;
const TRANSACTION_TIMEOUT_MS = 15_000;
const BATCH_BYTES = 500_000;

/** What a log needs. */
export interface SchemaLogOptions {
  readonly client: KafkaClient;
  readonly state: RegistryState;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly topic?: string;
}

/** What is to be written, and what is answered when it is in the state. No records: nothing is written. */
export interface Decision<T> {
  readonly records: readonly LogRecord[];
  readonly answer: T;
}

/**
 * The registry's topic: folds what is in it into a state, and appends to it. A write is decided on a state that holds all that was committed before, by
 * the one instance that holds the transactional id. Another instance that wants to write takes the id over, which fences this one: a decision of an
 * older state is never committed, so two instances never give one id to two schemas, and either goes on by itself.
 */
export class SchemaLog {
  readonly #options: SchemaLogOptions;
  readonly #partition: TopicPartition;
  readonly #abort = new AbortController();
  readonly #lost = Promise.withResolvers<SluiceError>();
  readonly #cursor = new RecordCursor();
  readonly #waiters = new Set<() => void>();
  #admin: KafkaAdmin | undefined;
  #producer: KafkaProducer | undefined;
  #position = 0n;
  #serving = false;
  #loop: Promise<void> | undefined;
  #lastWrite: Promise<unknown> = Promise.resolve();
  #waitingWrites = 0;

  constructor(options: SchemaLogOptions) {
    this.#options = options;
    this.#partition = { topic: options.topic ?? SCHEMAS_TOPIC, partition: 0 };
  }

  /** The state holds all that was in the topic at the start, and follows it. */
  get serving(): boolean {
    return this.#serving;
  }

  /** Resolves when the topic is no longer the one that was read (made anew, records deleted): only a new start helps. */
  get lost(): Promise<SluiceError> {
    return this.#lost.promise;
  }

  /** Resolves when all that was in the topic is in the state. Waits, saying so, while Kafka is away. Rejects when stopped meanwhile. */
  async start(): Promise<void> {
    const { client } = this.#options;
    const { topic } = this.#partition;
    const admin = await this.#until('a connection', () => client.admin());
    this.#admin = admin;
    const config = { 'cleanup.policy': 'compact' };
    await this.#until(`topic ${topic}`, () => admin.ensureTopics([{ name: topic, partitions: 1, config }]));
    const reader = await this.#until('a connection', () => client.reader({ committed: true }));
    reader.seek(this.#partition, 'earliest');
    this.#loop = this.#read(reader);
    this.#producer = await this.#until(`all of topic ${topic}`, () => this.#fence());
    this.#serving = true;
  }

  /**
   * Decides on the newest state, appends in one transaction, and resolves when it was read back. One after the other. `decide` may be called again, on a
   * newer state; what it throws is handed on. ApiError 500 (50001, 50002) while Kafka is away: then it is not known whether the records were written.
   */
  async write<T>(decide: () => Decision<T>): Promise<T> {
    if (!this.#serving) throw unavailable('the registry does not serve now');
    if (this.#waitingWrites >= MAX_WAITING_WRITES) throw unavailable(`${MAX_WAITING_WRITES} writes are waiting`);
    this.#waitingWrites++;
    const { clock } = this.#options;
    const answered = new AbortController();
    const until = clock.now() + WRITE_MS;
    const turn = this.#lastWrite.then(async () => {
      if (clock.now() >= until) throw timedOut('the writes before it took too long');
      return await this.#writeNow(decide);
    });
    this.#lastWrite = turn
      .catch(() => undefined)
      .finally(() => {
        this.#waitingWrites--;
      });
    const late = clock.sleep(WRITE_MS, answered.signal).then((): never => {
      throw timedOut(`Kafka did not take the write in ${WRITE_MS} ms`);
    });
    // It loses the race when the answer comes first.
    late.catch(() => undefined);
    return await Promise.race([turn, late]).finally(() => answered.abort());
  }

  /** Stops reading and writing; what is being written has a second to end. */
  async stop(): Promise<void> {
    this.#serving = false;
    const limit = new AbortController();
    await Promise.race([this.#lastWrite, this.#options.clock.sleep(STOP_MS, limit.signal)]);
    limit.abort();
    this.#abort.abort();
    await this.#loop;
    await this.#producer?.close();
    await this.#admin?.close();
  }

  async #writeNow<T>(decide: () => Decision<T>): Promise<T> {
    const { clock } = this.#options;
    for (let nth = 1; ; nth++) {
      try {
        this.#producer ??= await this.#fence();
      } catch (error) {
        if (nth < FENCED_ATTEMPTS && error instanceof TaskMigratedError) continue;
        throw asApiError(error);
      }
      const { records, answer } = decide();
      if (records.length === 0) return answer;
      try {
        await this.#append(this.#producer, records);
        return answer;
      } catch (error) {
        await this.#dropProducer();
        if (nth === FENCED_ATTEMPTS || !(error instanceof TaskMigratedError)) throw asApiError(error);
        // Another instance writes too: not both again at the same moment.
        await clock.sleep(Math.random() * 20 * nth, this.#abort.signal);
      }
    }
  }

  async #append(producer: KafkaProducer, records: readonly LogRecord[]): Promise<void> {
    await producer.begin();
    const batches = batchesOf(records, this.#options.clock.now());
    const results = await producer.send(batches.map((batch) => ({ ...this.#partition, batch })));
    await producer.commit();
    const last = results.at(-1)?.baseOffset ?? 0n;
    await this.#caughtUp(last + BigInt(batches.at(-1)?.count ?? 0));
  }

  /** Becomes the one that writes, with everything in the state that others have written. */
  async #fence(): Promise<KafkaProducer> {
    const transactionalId = `sluice-registry-${this.#partition.topic}`;
    const options = { transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS };
    const producer = await this.#options.client.producer(options);
    try {
      await producer.fence();
      const [range] = (await this.#admin?.offsets([this.#partition], { committed: true })) ?? [];
      await this.#caughtUp(range?.end ?? 0n);
    } catch (error) {
      await producer.close();
      throw error;
    }
    return producer;
  }

  /** After any error a producer is dead. */
  async #dropProducer(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.close().catch(() => undefined);
  }

  async #caughtUp(end: bigint): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + CATCH_UP_MS;
    while (this.#position < end) {
      if (this.#abort.signal.aborted || clock.now() > until) {
        throw new RetriableError('SLC_BROKER_AWAY', `${this.#partition.topic} could not be read up to ${end}`);
      }
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
    const { topic } = this.#partition;
    let told = '';
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
        told = '';
      } catch (error) {
        if (error instanceof TaskCorruptedError) {
          this.#serving = false;
          this.#lost.resolve(error);
          break;
        }
        const reason = String(error);
        if (reason !== told) logger.warn({ reason }, `reading ${topic} failed; trying again`);
        told = reason;
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
      const offset = String(this.#cursor.offset);
      const reason = String(error);
      this.#options.logger.error({ offset, key, reason }, `a record of ${this.#partition.topic} is skipped`);
    }
  }

  /** The driver tries for long before it gives up: nobody should wonder meanwhile. */
  async #tell(what: string, ended: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(STILL_WAITING_MS, ended);
    if (!ended.aborted && !this.#abort.signal.aborted) this.#options.logger.warn({}, `waiting for Kafka: ${what}`);
  }

  async #until<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { clock, logger } = this.#options;
    const { signal } = this.#abort;
    for (let nth = 1; ; nth++) {
      const ended = new AbortController();
      void this.#tell(what, ended.signal);
      try {
        return await attempt();
      } catch (error) {
        const goesOn = error instanceof RetriableError || error instanceof TaskMigratedError;
        if (!goesOn || signal.aborted) throw error;
        logger.warn({ code: error.code, attempt: nth }, `waiting for Kafka: ${error.message}`);
        await clock.sleep(Math.min(MAX_BACKOFF_MS, BACKOFF_MS * nth), signal);
        if (signal.aborted) throw error;
      } finally {
        ended.abort();
      }
    }
  }
}

function batchesOf(records: readonly LogRecord[], now: number): BatchBuilder[] {
  const encoder = new TextEncoder();
  const batches: BatchBuilder[] = [];
  for (const { key, value } of records) {
    let batch = batches.at(-1);
    if (batch === undefined || batch.sizeBytes > BATCH_BYTES) batches.push((batch = new BatchBuilder()));
    const content = value === null ? null : encoder.encode(JSON.stringify(value));
    batch.append(encoder.encode(JSON.stringify(key)), content, now);
  }
  return batches;
}

function asApiError(error: unknown): unknown {
  return error instanceof SluiceError ? storeFailed(error.message) : error;
}
