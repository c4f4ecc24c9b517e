/**
 * Reads the global tables of a process: every partition of their topics, before its first task runs, and on from there. Only what is committed is read.
 *
 *   READING --> FOLLOWING      all partitions have reached the ends that they had at the start: start() resolves
 *      ^            |
 *      +------------+          a position is no longer in its log (the topic was made anew, or records went before they were read): that topic is read
 *                              from its start, and the former copy is looked into until the new one is complete
 *
 * In a replay each copy ends where its topic ended when the plan was made, and never moves again.
 */
import type { Clock } from '../clock.ts';
import { ConfigError, NotReadyError, RecordError, RetriableError, TaskCorruptedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { TopicPartition } from '../record.ts';
import { RecordCursor } from '../record-batch.ts';
import type { GlobalTableCopy } from './global-table-copy.ts';
import type { FetchedRecords, KafkaAdmin, KafkaClient, KafkaReader } from './kafka-client.ts';

/** A global table of a process, for people. */
export interface GlobalTableStats {
  readonly store: string;
  readonly topic: string;
  /** Rows. */
  readonly entries: number;
  /** Offsets that its topic holds and it has not read yet. */
  readonly lag: number;
  /** Records without a key, which are no rows. */
  readonly dropped: number;
}

/** What the reader needs. */
export interface GlobalTablesOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  /** By store; stores of one topic share their copy. */
  readonly copies: ReadonlyMap<string, GlobalTableCopy>;
  /** In a replay the frozen end of a partition. */
  readonly endOf: ((at: TopicPartition) => bigint | undefined) | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** An error after which this process must not go on; not before `start` has resolved. */
  onFatal(error: Error): void;
}

interface Place {
  readonly tp: TopicPartition;
  readonly copy: GlobalTableCopy;
  /** The next offset to read; undefined: the first one kept. */
  at: bigint | undefined;
  /** To be reached before the copy is complete; undefined: the end that the log has then. */
  target: bigint | undefined;
  /** Nothing at or behind it is read. */
  readonly frozen: bigint | undefined;
  /** The first offset kept when reading began. */
  readonly start: bigint;
  /** End of what could be read at the last fetch; of what is to be read. */
  end: bigint;
  isReached: boolean;
}

const POLL_MS = 250;
const BACKOFF_MS = 500;
const TELL_MS = 2_000;
/** Of one fetch: it is applied at once, and the slots of the process wait for it. */
const MAX_BYTES = 4 * 2 ** 20;
const MAX_BYTES_PER_PARTITION = 2 ** 20;

export class GlobalTables {
  readonly #options: GlobalTablesOptions;
  readonly #abort = new AbortController();
  readonly #cursor = new RecordCursor();
  #places: readonly Place[] = [];
  #reader: KafkaReader | undefined;
  #running: Promise<void> | undefined;
  #isComplete = false;
  #begun = 0;
  #told = 0;

  constructor(options: GlobalTablesOptions) {
    this.#options = options;
  }

  /**
   * Resolves when every copy is complete. Waits while the broker is away. Rejects with ConfigError SLC_APP_GLOBAL_TABLE for a record that cannot be read,
   * and with TaskCorruptedError SLC_TASK_OFFSET_OUT_OF_RANGE when a topic has lost what a replay was to read.
   */
  async start(): Promise<void> {
    if (this.#options.copies.size === 0) return;
    await new Promise<void>((resolve, reject) => {
      this.#running = this.#run(resolve).then(resolve, (error: Error) => {
        if (this.#isComplete) this.#options.onFatal(error);
        else reject(error);
      });
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  read(): GlobalTableStats[] {
    return [...this.#options.copies].map(([store, copy]) => {
      const own = this.#places.filter((place) => place.copy === copy);
      const lag = own.reduce((sum, { at = 0n, end }) => (end > at ? sum + Number(end - at) : sum), 0);
      return { store, topic: copy.source.name, entries: copy.size, lag, dropped: copy.dropped };
    });
  }

  async #run(onComplete: () => void): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#abort;
    this.#begun = this.#told = clock.now();
    try {
      while (!signal.aborted) {
        try {
          const reader = (this.#reader ??= await this.#open());
          for (const fetched of await reader.poll(POLL_MS)) await this.#take(fetched, reader);
          const isComplete = this.#places.every(({ isReached }) => isReached);
          if (isComplete && !this.#isComplete) this.#complete(onComplete);
          // A replay's copies stay as they are.
          if (isComplete && this.#options.endOf !== undefined) return;
          if (!isComplete) this.#tell();
        } catch (error) {
          if (signal.aborted) return;
          if (!this.#mayGoOn(error)) throw error;
          await clock.sleep(BACKOFF_MS, signal);
        }
      }
    } finally {
      await this.#reader?.close();
    }
  }

  /** Ends first: what is there when the process starts is in the copies before its first task runs. */
  async #open(): Promise<KafkaReader> {
    const { client, admin, copies, endOf } = this.#options;
    const all = [...new Set(copies.values())].flatMap((copy) =>
      Array.from({ length: copy.partitions }, (_, partition) => ({ copy, tp: { topic: copy.source.name, partition } })),
    );
    const partitions = all.map(({ tp }) => tp);
    const ranges = await admin.offsets(partitions, { committed: true });
    this.#places = all.map(({ copy, tp }, i): Place => {
      const { start, end } = ranges[i] ?? { start: 0n, end: 0n };
      const frozen = endOf?.(tp);
      if (frozen !== undefined && frozen > end) throw lost(tp, frozen, end);
      const target = frozen ?? end;
      return { tp, copy, at: start, start, target, frozen, end: target, isReached: false };
    });
    const limits = { maxBytes: MAX_BYTES, maxBytesPerPartition: MAX_BYTES_PER_PARTITION };
    const reader = await client.reader({ committed: true, ...limits });
    this.#seek(reader);
    return reader;
  }

  async #take(fetched: FetchedRecords, reader: KafkaReader): Promise<void> {
    const { topic, partition, batches, nextOffset, endOffset } = fetched;
    const place = this.#places.find(({ tp }) => tp.topic === topic && tp.partition === partition);
    if (place === undefined) return;
    const before = Number(place.frozen ?? Infinity);
    for (const batch of batches) {
      this.#cursor.open(batch);
      while (this.#cursor.next() && this.#cursor.offset < before) {
        for (let wait = this.#apply(place); wait !== undefined; wait = this.#apply(place)) await wait;
      }
    }
    place.at = nextOffset;
    place.end = place.frozen ?? endOffset;
    // A log that was made anew may never reach what was aimed at: its end is enough.
    const isReached = nextOffset >= (place.target ?? endOffset) || nextOffset >= place.end;
    if (!isReached || place.isReached) return;
    place.isReached = true;
    if (place.frozen !== undefined) reader.remove(place.tp);
    if (this.#places.every(({ copy, isReached: each }) => copy !== place.copy || each)) place.copy.replace();
  }

  /** The record under the cursor; what to wait for before it is tried again, undefined when it is done. */
  #apply({ copy, tp }: Place): Promise<unknown> | undefined {
    try {
      copy.take(tp, this.#cursor);
      return undefined;
    } catch (error) {
      const { clock } = this.#options;
      const { signal } = this.#abort;
      signal.throwIfAborted();
      if (error instanceof NotReadyError) return error.ready.catch(() => clock.sleep(BACKOFF_MS, signal));
      if (error instanceof RecordError) throw unreadable(tp, this.#cursor.offset, error);
      throw error;
    }
  }

  #mayGoOn(error: unknown): boolean {
    const { logger } = this.#options;
    const again = error instanceof RetriableError;
    if (!again && !(error instanceof TaskCorruptedError && this.#beginAnew(error))) return false;
    const how = again ? 'trying again' : 'reading that topic from its start';
    logger.warn({ code: error.code }, `reading global tables: ${error.message}; ${how}`);
    // What a poll that failed had fetched of other partitions is fetched again.
    if (this.#reader !== undefined) this.#seek(this.#reader);
    return true;
  }

  /** False when the error is about something else. */
  #beginAnew(error: TaskCorruptedError): boolean {
    if (error.code !== 'SLC_TASK_OFFSET_OUT_OF_RANGE') return false;
    const found = this.#places.find(({ tp }) => `${tp.topic}-${tp.partition}` === error.where);
    if (found === undefined) return false;
    found.copy.beginAnew();
    for (const place of this.#places) {
      if (place.copy !== found.copy) continue;
      place.at = undefined;
      place.target = place.frozen;
      place.isReached = false;
    }
    return true;
  }

  #seek(reader: KafkaReader): void {
    for (const { tp, at, frozen, isReached } of this.#places) {
      if (frozen === undefined || !isReached) reader.seek(tp, at ?? 'earliest');
    }
  }

  #complete(onComplete: () => void): void {
    this.#isComplete = true;
    const tables = this.read();
    const words = tables.map(({ store, entries }) => `${store} ${entries} rows`).join(', ');
    this.#options.logger.info({ tables }, `global tables are read: ${words}`);
    onComplete();
  }

  #tell(): void {
    const { clock, logger } = this.#options;
    const now = clock.now();
    if (now - this.#told < TELL_MS) return;
    this.#told = now;
    let [total, done] = [0, 0];
    for (const { start, at = start, end } of this.#places) {
      total += Number(end - start);
      done += Number(at - start);
    }
    const share = total <= 0 ? 100 : Math.floor((100 * done) / total);
    const perSecond = Math.round((1_000 * done) / Math.max(1, now - this.#begun));
    const words = `${done} of ${total} (${share} %), ${perSecond} a second`;
    logger.info({ total, done, perSecond }, `global tables: reading, ${words}`);
  }
}

function lost({ topic, partition }: TopicPartition, frozen: bigint, end: bigint): TaskCorruptedError {
  const where = `${topic}-${partition}`;
  return new TaskCorruptedError(
    'SLC_TASK_OFFSET_OUT_OF_RANGE',
    `the replay was to read ${where}, a global table, up to offset ${frozen}, Kafka has it up to ${end}`,
    { where, hint: 'the topic was made anew since the replay was planned: drop the replay and begin it again' },
  );
}

function unreadable({ topic, partition }: TopicPartition, offset: number, cause: RecordError): ConfigError {
  const where = `${topic}-${partition}@${offset}`;
  return new ConfigError('SLC_APP_GLOBAL_TABLE', `a global table cannot be read at ${where}: ${cause.message}`, {
    where,
    cause,
    hint: 'joins would give wrong rows without it: write the row anew and delete the records up to there, or read another topic',
  });
}
