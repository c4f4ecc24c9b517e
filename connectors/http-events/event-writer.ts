import {
  BatchBuilder,
  type Clock,
  type KafkaClient,
  type KafkaProducer,
  type Logger,
  partitionFor,
  type ReadyBatch,
  RetriableError,
  TaskMigratedError,
  type TopicPartition,
} from '#topology';

/** A record of a request. */
export interface EventRecord {
  readonly topic: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly timestamp: number;
  readonly headers: readonly (readonly [string, Uint8Array])[];
}

interface Waiting {
  readonly records: readonly EventRecord[];
  done(): void;
  failed(error: Error): void;
}

/** Options of `EventWriter`. */
export interface EventWriterOptions {
  readonly client: KafkaClient;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly transactionalId: string;
  /** Partitions of each topic. */
  readonly partitions: ReadonlyMap<string, number>;
  readonly lingerMs: number;
}

const MAX_RECORDS = 2_000;
const MAX_BATCH_BYTES = 700_000;
const TRANSACTION_TIMEOUT_MS = 15_000;
const BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 4_000;

/**
 * Writes records to Kafka, those of many requests in one transaction. After an error it takes the transactional id anew; requests that were in the
 * transaction fail: whether it was committed is not known to them.
 */
export class EventWriter {
  readonly #options: EventWriterOptions;
  readonly #abort = new AbortController();
  readonly #ends = new Map<string, bigint>();
  #queue: Waiting[] = [];
  #queued = 0;
  #writing = 0;
  #producer: KafkaProducer | undefined;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: EventWriterOptions) {
    this.#options = options;
  }

  /** Records accepted and not yet acknowledged. */
  get pending(): number {
    return this.#queued + this.#writing;
  }

  /** Resolves when it can write. */
  async start(): Promise<void> {
    await this.#connected();
    this.#loop = this.#run();
  }

  /** Resolves when the records are committed. */
  write(records: readonly EventRecord[]): Promise<void> {
    if (records.length === 0) return Promise.resolve();
    return new Promise((done, failed) => {
      this.#queue.push({ records, done, failed });
      this.#queued += records.length;
      this.#wake?.();
    });
  }

  /** Own last offset + 1 in a partition. */
  end({ topic, partition }: TopicPartition): bigint {
    return this.#ends.get(`${topic}/${partition}`) ?? 0n;
  }

  /** Writes what is queued, then ends. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#wake?.();
    await this.#loop;
    for (const waiting of this.#queue)
      waiting.failed(new RetriableError('SLC_COLLECTOR_STOPPED', 'the collector stops'));
    this.#queue = [];
    await this.#producer?.close();
  }

  async #run(): Promise<void> {
    const { clock, lingerMs } = this.#options;
    while (!this.#abort.signal.aborted || this.#queue.length > 0) {
      if (this.#queue.length === 0) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        this.#wake = undefined;
        if (!this.#abort.signal.aborted) await clock.sleep(lingerMs, this.#abort.signal);
        continue;
      }
      const taken = this.#take();
      try {
        await this.#transact(taken);
        for (const waiting of taken) waiting.done();
      } catch (error) {
        for (const waiting of taken) waiting.failed(error as Error);
        await this.#recover(error);
      }
      this.#writing = 0;
    }
  }

  #take(): Waiting[] {
    const taken: Waiting[] = [];
    while (this.#queue.length > 0 && this.#writing < MAX_RECORDS) {
      const waiting = this.#queue.shift();
      if (waiting === undefined) break;
      taken.push(waiting);
      this.#writing += waiting.records.length;
      this.#queued -= waiting.records.length;
    }
    return taken;
  }

  async #transact(taken: readonly Waiting[]): Promise<void> {
    const producer = await this.#connected();
    const batches = this.#batchesOf(taken);
    await producer.begin();
    const results = await producer.send(batches);
    await producer.commit();
    for (const [i, { topic, partition, baseOffset }] of results.entries()) {
      this.#ends.set(`${topic}/${partition}`, baseOffset + BigInt(batches[i]?.batch.count ?? 0));
    }
  }

  #batchesOf(taken: readonly Waiting[]): ReadyBatch[] {
    const batches: ReadyBatch[] = [];
    const open = new Map<string, BatchBuilder>();
    for (const { records } of taken) {
      for (const { topic, key, value, timestamp, headers } of records) {
        const partition = partitionFor(key, this.#options.partitions.get(topic) ?? 1);
        const id = `${topic}/${partition}`;
        let batch = open.get(id);
        if (batch === undefined || batch.sizeBytes + value.length > MAX_BATCH_BYTES) {
          batch = new BatchBuilder();
          open.set(id, batch);
          batches.push({ topic, partition, batch });
        }
        batch.append(key, value, timestamp, headers);
      }
    }
    return batches;
  }

  /** The producer; after an error a new one, which fences the old, and with it where the log ends now. */
  async #connected(): Promise<KafkaProducer> {
    if (this.#producer !== undefined) return this.#producer;
    const { client, transactionalId, partitions } = this.#options;
    const producer = await client.producer({ transactionalId, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
    try {
      await producer.fence();
      const admin = await client.admin();
      const all = [...partitions].flatMap(([topic, count]) =>
        Array.from({ length: count }, (_, partition) => ({ topic, partition })),
      );
      const offsets = await admin.offsets(all, { committed: true });
      for (const [i, { topic, partition }] of all.entries())
        this.#ends.set(`${topic}/${partition}`, offsets[i]?.end ?? 0n);
      await admin.close();
    } catch (error) {
      await producer.close();
      throw error;
    }
    this.#producer = producer;
    return producer;
  }

  /** Until it can write again, or is to stop. */
  async #recover(error: unknown): Promise<void> {
    const { clock, logger } = this.#options;
    let reason = error;
    for (let nth = 0; ; nth++) {
      await this.#producer?.close();
      this.#producer = undefined;
      const fenced = reason instanceof TaskMigratedError;
      logger.warn(
        { attempt: nth + 1, reason: String(reason) },
        fenced ? 'another collector has the transactional id; taking it back' : 'waiting for Kafka',
      );
      await clock.sleep(Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** nth), this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      try {
        await this.#connected();
        return;
      } catch (next) {
        reason = next;
      }
    }
  }
}
