/**
 * Reads the ledger and the hints, one reader per process: every slot hears of promises, and of what the writers of origin topics have reached.
 * Live slots need no pins (they made them), so pins are not kept. Of a project that is divided, the ledgers of the applications are read too whose
 * topics this one reads, and that of the project itself, which numbers names and says who runs what.
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

/** How far a ledger is read. */
interface ReadLedger {
  readonly at: TopicPartition;
  position: bigint;
  roster: Roster | undefined;
}

export class LedgerReader {
  readonly hints = new HintView();
  readonly #client: KafkaClient;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #app: string;
  /** By application, its own first. */
  readonly #ledgers: ReadonlyMap<string, ReadLedger>;
  readonly #hintsAt: TopicPartition = { topic: HINTS_TOPIC, partition: 0 };
  readonly #promises = new Map<string, WriterPromise>();
  readonly #listeners = new Set<PromiseListener>();
  readonly #abort = new AbortController();
  readonly #waiters: { readonly ledger: ReadLedger; readonly position: bigint; done(): void }[] = [];
  readonly #cursor = new RecordCursor();
  #watch: ((roster: Roster) => void) | undefined;
  #loop: Promise<void> | undefined;

  /** `others`: applications whose ledgers are read besides that of `app`. */
  constructor(client: KafkaClient, app: string, clock: Clock, logger: Logger, others: readonly string[] = []) {
    this.#client = client;
    this.#clock = clock;
    this.#logger = logger;
    this.#app = app;
    this.#ledgers = new Map(
      [app, ...others].map((each) => [
        each,
        { at: { topic: ledgerTopicOf(each), partition: 0 }, position: 0n, roster: undefined },
      ]),
    );
  }

  /** Per ledger the next offset to read, the application's own first. */
  positions(): (TopicPartition & { readonly position: bigint })[] {
    return [...this.#ledgers.values()].map(({ at, position }) => ({ ...at, position }));
  }

  get roster(): Roster | undefined {
    return this.rosterOf(this.#app);
  }

  /** The newest roster of an application whose ledger is read. */
  rosterOf(app: string): Roster | undefined {
    return this.#ledgers.get(app)?.roster;
  }

  /** From now on each roster that is read is shown before anything behind it is: what `watch` throws ends the reading. */
  watchRosters(watch: (roster: Roster) => void): void {
    this.#watch = watch;
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

  /** Resolves when everything committed to the ledger (by default the application's own) before `end` has been read. */
  caughtUp(end: bigint, app: string = this.#app): Promise<void> {
    const ledger = this.#ledgers.get(app);
    if (ledger === undefined || ledger.position >= end) return Promise.resolve();
    return new Promise((done) => this.#waiters.push({ ledger, position: end, done }));
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
    for (const { at, position } of this.#ledgers.values()) reader.seek(at, position === 0n ? 'earliest' : position);
    reader.seek(this.#hintsAt, 'earliest');
    return reader;
  }

  #take(fetched: FetchedRecords): void {
    const ledger = this.#ledgers.values().find(({ at }) => at.topic === fetched.topic);
    for (const batch of fetched.batches) {
      this.#cursor.open(batch);
      while (this.#cursor.next()) {
        if (ledger !== undefined) this.#takeLedger(ledger);
        else this.#takeHint();
      }
    }
    if (ledger !== undefined) this.#moveTo(ledger, fetched.nextOffset);
    if (fetched.batches.length > 0) for (const listener of this.#listeners) listener.wake();
  }

  #takeLedger(ledger: ReadLedger): void {
    const record = parseLedgerRecord(this.#cursor.keyBytes(), this.#cursor.valueBytes());
    if (record?.kind === 'roster') {
      ledger.roster = record;
      this.#watch?.(record);
    }
    if (record?.kind !== 'promise') return;
    this.#promises.set(`${record.writer}|${record.topic}`, record);
    for (const listener of this.#listeners) listener.receive(record);
  }

  #takeHint(): void {
    const hint = parseHint(this.#cursor.valueBytes());
    if (hint !== undefined) this.hints.receive(hint);
  }

  #moveTo(ledger: ReadLedger, position: bigint): void {
    ledger.position = position;
    for (let i = this.#waiters.length - 1; i >= 0; i--) {
      const waiter = this.#waiters[i];
      if (waiter === undefined || waiter.ledger !== ledger || waiter.position > position) continue;
      this.#waiters.splice(i, 1);
      waiter.done();
    }
  }
}
