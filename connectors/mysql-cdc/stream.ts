/** Reads the binlog from an offset on and publishes it, until told to stop or something fails. Says hints while caught up. */
import { type BinlogItem, BinlogReader } from './binlog-reader.ts';
import { ChangeWriter } from './change-writer.ts';
import { MAX_TRANSACTION_BYTES, type SessionContext } from './context.ts';
import type { HintWriter } from './hints.ts';
import type { StoredOffset } from './offsets.ts';
import { covers, executedGtids } from './server.ts';
import { CLOCK_TABLE } from './snapshot.ts';

/** How often the position is stored while nothing captured changes: else binlogs that are still "needed" would be purged. */
const IDLE_COMMIT_MS = 10_000;

/** What the stream tells of itself. */
export interface StreamProgress {
  /** Age of the newest change read, ms; 0 when caught up. */
  readonly lagMs: number;
  /** Everything before it is in Kafka. */
  readonly position: { readonly file: string; readonly pos: number };
  readonly hints: number;
}

export class ChangeStream {
  readonly #context: SessionContext;
  readonly #hints: HintWriter;
  readonly #writer: ChangeWriter;
  readonly #reader: BinlogReader;
  #items: BinlogItem[] = [];
  #rows = 0;
  #bytes = 0;
  #firstAt = 0;
  #newest = 0;
  #caughtUp = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;
  /** Asked at `at`: once all of `gtid` is published, so is everything before `at`. */
  #probe: { readonly at: number; readonly gtid: string } | undefined;
  #hintAt = 0;
  #idleCommitAt = Date.now() + IDLE_COMMIT_MS;

  constructor(context: SessionContext, from: StoredOffset, hints: HintWriter) {
    const { settings, server } = context;
    this.#context = context;
    this.#hints = hints;
    this.#writer = new ChangeWriter(context, from);
    this.#reader = new BinlogReader({
      settings: settings.mysql,
      flavour: server.flavour,
      serverId: settings.serverId,
      database: settings.database,
      tables: [...settings.tables, CLOCK_TABLE],
      from,
      heartbeatMs: settings.heartbeatMs,
      onItem: (item) => this.#take(item),
      onError: (error) => {
        this.#failure = error;
        this.#wake();
      },
    });
  }

  get progress(): StreamProgress {
    const { file, pos } = this.#writer.committed;
    const position = { file, pos };
    const hints = this.#hints.written;
    return {
      position,
      hints,
      lagMs: this.#caughtUp || this.#newest === 0 ? 0 : Math.max(0, Date.now() - this.#newest),
    };
  }

  /** Resolves when the signal has been given and all that was read is committed. */
  async run(): Promise<void> {
    const { signal } = this.#context;
    const wake = (): void => this.#wake();
    signal.addEventListener('abort', wake);
    this.#reader.start();
    try {
      while (!signal.aborted) {
        await this.#wait();
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#due() <= Date.now()) await this.#drain();
        if (Date.now() >= this.#hintAt) await this.#tick();
      }
      this.#reader.pause();
      await this.#drain();
      if (this.#writer.moved) await this.#writer.commit();
    } finally {
      signal.removeEventListener('abort', wake);
      this.#reader.stop();
    }
  }

  #take(item: BinlogItem): void {
    if (this.#items.length === 0) this.#firstAt = Date.now();
    this.#items.push(item);
    if (item.kind !== 'rows') return;
    this.#caughtUp = false;
    this.#newest = item.at;
    this.#rows += item.rows.length;
    this.#bytes += item.bytes;
    if (!this.#full()) return;
    this.#reader.pause();
    this.#wake();
  }

  #full(): boolean {
    return this.#rows >= this.#context.settings.maxRows || this.#bytes >= MAX_TRANSACTION_BYTES;
  }

  /** When the items are to be published. */
  #due(): number {
    if (this.#items.length === 0) return Number.POSITIVE_INFINITY;
    return this.#full() ? 0 : this.#firstAt + this.#context.settings.lingerMs;
  }

  /** Until items are due, a hint is, the reader failed or the signal was given. */
  async #wait(): Promise<void> {
    if (this.#failure !== undefined || this.#context.signal.aborted) return;
    // Items that come while we sleep start to linger then: look again after one linger at the latest.
    const { lingerMs } = this.#context.settings;
    const until = Math.min(this.#due(), this.#hintAt, Date.now() + lingerMs);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, Math.max(0, until - Date.now()));
    await promise;
    clearTimeout(timer);
  }

  async #drain(): Promise<void> {
    // Paused for as long as Kafka takes: what the server sends meanwhile waits in the socket, not in memory.
    this.#reader.pause();
    const items = this.#items;
    this.#items = [];
    this.#rows = 0;
    this.#bytes = 0;
    await this.#writer.write(items);
    this.#reader.resume();
  }

  async #tick(): Promise<void> {
    this.#hintAt = Date.now() + this.#context.settings.hintMs;
    await this.#sayHint();
    if (Date.now() < this.#idleCommitAt) return;
    this.#idleCommitAt = Date.now() + IDLE_COMMIT_MS;
    if (this.#writer.moved) await this.#writer.commit();
  }

  /**
   * A sender's clock comes in the binlog itself, after the changes it speaks of. The wall clock counts once all that the server had committed when
   * we looked at the clock is in Kafka.
   */
  async #sayHint(): Promise<void> {
    const { connection, server } = this.#context;
    this.#probe ??= { at: Date.now(), gtid: await executedGtids(connection, server.flavour) };
    const { gtid, clock } = this.#writer.reached;
    const caughtUp = await covers(connection, server.flavour, gtid, this.#probe.gtid);
    this.#caughtUp = caughtUp;
    if (clock !== null) await this.#hints.say(clock);
    else if (caughtUp) await this.#hints.say(this.#probe.at);
    if (caughtUp) this.#probe = undefined;
  }
}
