/**
 * Reads the ledger and the hints, one reader per process: every slot hears of promises, and of what the writers of origin topics have reached.
 * Live slots need no pins (they made them), so pins are not kept.
 */
import type { Clock } from '../clock.ts';
import { InvariantError, RetriableError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { TopicPartition } from '../record.ts';
import { RecordCursor } from '../record-batch.ts';
import { parseLedgerRecord, type Roster, type WriterPromise } from '../time/ledger-records.ts';
import { HINTS_TOPIC, HintView, parseHint } from './hints.ts';
import type { FetchedRecords, KafkaClient, KafkaReader } from './kafka-client.ts';

/** Name of an application's ledger topic. */
export const ledgerTopicOf = (app: string): string => `${app}.watermarks`;

/** Who wants to hear of promises. */
export interface PromiseListener {
  receive(promise: WriterPromise): void;
  /** Something new was read: hints or promises. */
  wake(): void;
}

const POLL_MS = 250;
const BACKOFF_MS = 500;

export class LedgerReader {
  readonly hints = new HintView();
  readonly #client: KafkaClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #ledger: TopicPartition;
  readonly #hintsAt: TopicPartition = { topic: HINTS_TOPIC, partition: 0 };
  readonly #promises = new Map<string, WriterPromise>();
  readonly #listeners = new Set<PromiseListener>();
  readonly #abort = new AbortController();
  readonly #waiters: { readonly position: bigint; done(): void }[] = [];
  readonly #cursor = new RecordCursor();
  #position = 0n;
  #roster: Roster | undefined;
  #loop: Promise<void> | undefined;

  constructor(client: KafkaClient, app: string, clock: Clock, logger: Logger) {
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
    this.#ledger = { topic: ledgerTopicOf(app), partition: 0 };
  }

  /** The next offset of the ledger to read. */
  get position(): bigint {
    return this.#position;
  }

  get roster(): Roster | undefined {
    return this.#roster;
  }

  /** `onFatal` hears of what does not pass by itself: reading ends then, and with it every promise of others. */
  start(onFatal: (error: Error) => void): void {
    this.#loop ??= this.#run().catch((error: unknown) => {
      onFatal(error instanceof Error ? error : new InvariantError('SLC_BUG', String(error)));
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
  }

  /** Resolves when everything committed to the ledger before `end` has been read. */
  caughtUp(end: bigint): Promise<void> {
    if (this.#position >= end) return Promise.resolve();
    return new Promise((done) => this.#waiters.push({ position: end, done }));
  }

  /** The newest promise per `writer|topic` of one writer or of the writers of one topic. */
  promises(wanted: (promise: WriterPromise) => boolean): Map<string, WriterPromise> {
    return new Map([...this.#promises].filter(([, promise]) => wanted(promise)));
  }

  /** From now on the listener hears of every promise; those known already it gets at once. */
  listen(listener: PromiseListener): void {
    for (const promise of this.#promises.values()) listener.receive(promise);
    this.#listeners.add(listener);
  }

  unlisten(listener: PromiseListener): void {
    this.#listeners.delete(listener);
  }

  async #run(): Promise<void> {
    let reader: KafkaReader | undefined;
    while (!this.#abort.signal.aborted) {
      try {
        reader ??= await this.#open();
        for (const fetched of await reader.poll(POLL_MS)) this.#take(fetched);
      } catch (error) {
        if (!(error instanceof RetriableError)) throw error;
        this.#logger.warn({ code: error.code }, `reading the ledger: ${error.message}; trying again`);
        await this.#clock.sleep(BACKOFF_MS, this.#abort.signal);
      }
    }
    await reader?.close();
  }

  async #open(): Promise<KafkaReader> {
    const reader = await this.#client.reader({ committed: true });
    reader.seek(this.#ledger, this.#position === 0n ? 'earliest' : this.#position);
    reader.seek(this.#hintsAt, 'earliest');
    return reader;
  }

  #take(fetched: FetchedRecords): void {
    const isLedger = fetched.topic === this.#ledger.topic;
    for (const batch of fetched.batches) {
      this.#cursor.open(batch);
      while (this.#cursor.next()) {
        if (isLedger) this.#takeLedger();
        else this.#takeHint();
      }
    }
    if (isLedger) this.#moveTo(fetched.nextOffset);
    if (fetched.batches.length > 0) for (const listener of this.#listeners) listener.wake();
  }

  #takeLedger(): void {
    const record = parseLedgerRecord(this.#cursor.keyBytes(), this.#cursor.valueBytes());
    if (record?.kind === 'roster') this.#roster = record;
    if (record?.kind !== 'promise') return;
    this.#promises.set(`${record.writer}|${record.topic}`, record);
    for (const listener of this.#listeners) listener.receive(record);
  }

  #takeHint(): void {
    const hint = parseHint(this.#cursor.valueBytes());
    if (hint !== undefined) this.hints.receive(hint);
  }

  #moveTo(position: bigint): void {
    this.#position = position;
    for (let i = this.#waiters.length - 1; i >= 0; i--) {
      const waiter = this.#waiters[i];
      if (waiter === undefined || waiter.position > position) continue;
      this.#waiters.splice(i, 1);
      waiter.done();
    }
  }
}
