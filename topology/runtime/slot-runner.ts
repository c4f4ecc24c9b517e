/**
 * A slot in a process: takes it (fence, read positions, restore), then processes and commits in transactions until it is stopped or lost
 * (DESIGN section 5).
 *
 *   TAKING --> RUNNING --> CLOSED        stop(): commits what is processed, then closes
 *      ^          |
 *      +----------+                      fenced, broker away: state is dropped, the slot is taken anew after a backoff
 */
import { AWAKE, type Clock } from '../clock.ts';
import { InvariantError, RetriableError, SluiceError, TaskCorruptedError, TaskMigratedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { TopicPartition } from '../record.ts';
import type { WriterPromise } from '../time/ledger-records.ts';
import type { FetchedRecords, KafkaAdmin, KafkaClient, KafkaProducer, KafkaReader } from './kafka-client.ts';
import { ledgerBatches } from './ledger-batches.ts';
import { ledgerTopicOf, type LedgerReader, type PromiseListener } from './ledger-reader.ts';
import { DurationHistogram } from './duration-histogram.ts';
import type { ReplayFeed } from './replay-feed.ts';
import { noProgress, type RestoreProgress } from './restore.ts';
import type { RuntimeOptions } from './runtime-options.ts';
import type { SkewGate } from './skew-gate.ts';
import { type CommitPlan, Slot } from './slot.ts';
import { restoreSlot } from './slot-restore.ts';
import { openSlotState, type SlotState, type StateSettings } from './slot-state.ts';
import { startPositions } from './start-positions.ts';
import type { StandbyCopy } from './standby-copy.ts';
import { endsByTopic, makeSlotParts, type StartPosition, type Wiring, writtenPartitions } from './wiring.ts';

/** What the runners of a process share. */
export interface RunnerContext {
  readonly app: string;
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly reader: KafkaReader;
  readonly ledger: LedgerReader;
  readonly wiring: Wiring;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: RuntimeOptions;
  /** undefined: no partition waits for another one. */
  readonly skew: SkewGate | undefined;
  /** undefined: state is in memory only. */
  readonly state: StateSettings | undefined;
  /** Resolves when the group has said once more that this process is a member. */
  confirmed(): Promise<void>;
  /** Only in a replay. */
  readonly feed: ReplayFeed | undefined;
  /** An error after which this process must not go on. */
  onFatal(error: Error): void;
}

const SLICE_RECORDS = 200;
const IDLE_MS = 250;
/** Of a slot that waits for one of another process (TIME.md rule 14). */
const SKEW_MS = 50;
/** How long a stop waits for answers from outside. */
const DRAIN_MS = 5_000;
const CONFIRM_MS = 15_000;
const BACKOFF_MS = { first: 100, max: 5_000 } as const;

export class SlotRunner implements PromiseListener {
  readonly partition: number;
  /** Changelog records applied when the slot was last taken. */
  restored = 0;
  commits = 0;
  /** Of the commits, begin to acknowledgement. */
  readonly commitMs = new DurationHistogram();
  /** Of the restore under way, or of the last one. */
  restoring: RestoreProgress = noProgress();
  /** Rounds in which nothing was processed and there was nothing to commit. */
  quietRounds = 0;
  readonly #context: RunnerContext;
  readonly #abort = new AbortController();
  #loop: Promise<void> | undefined;
  #slot: Slot | undefined;
  #producer: KafkaProducer | undefined;
  #state: SlotState | undefined;
  /** Of the state, until the slot is taken for the first time. */
  #copy: StandbyCopy | undefined;
  #graceful = false;
  #woken: (() => void) | undefined;
  /** When the last commit began, and when it ended: nothing is processed in between. */
  #lastCommit = 0;
  #lastCommitEnd = 0;
  #attempt = 0;
  /** Why the slot is to be taken anew, told from outside. */
  #lost: Error | undefined;
  /** Next offset to read per repartition topic, as committed; what is before it nobody needs. */
  readonly #trimmable = new Map<string, bigint>();

  constructor(context: RunnerContext, partition: number, copy?: StandbyCopy) {
    this.#context = context;
    this.#copy = copy;
    this.partition = partition;
  }

  /** undefined until the slot has been taken. */
  get slot(): Slot | undefined {
    return this.#slot;
  }

  /** Records of repartition topics that were committed since the last call may go. */
  takeTrimmable(): (TopicPartition & { readonly offset: bigint })[] {
    const trimmable = [...this.#trimmable].map(([topic, offset]) => ({ topic, partition: this.partition, offset }));
    this.#trimmable.clear();
    return trimmable;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Commits what has been processed and closes. */
  async stop(): Promise<void> {
    this.#graceful = true;
    await this.drop();
  }

  /** The slot belongs to another process now, or to nobody: closes without a commit. */
  async drop(): Promise<void> {
    this.#abort.abort();
    this.wake();
    await this.#loop;
  }

  /**
   * True when the slot reads that partition, as `where` of the reader's error names it: it is then taken anew, since whoever had it meanwhile may have
   * processed what is gone. When nobody has, taking it says so.
   */
  loses(error: TaskCorruptedError): boolean {
    const input = this.#slot?.inputs.find(({ tp }) => `${tp.topic}-${tp.partition}` === error.where);
    if (input === undefined) return false;
    this.#context.reader.remove(input.tp);
    this.#lost = error;
    this.wake();
    return true;
  }

  enqueue(fetched: FetchedRecords): void {
    if (this.#slot === undefined) return;
    this.#slot.enqueue(fetched);
    for (const input of this.#slot.inputs) {
      if (input.paused || input.queuedBytes <= this.#context.options.maxQueuedBytes) continue;
      input.paused = true;
      this.#context.reader.pause(input.tp);
    }
    this.wake();
  }

  receive(promise: WriterPromise): void {
    this.#slot?.receive(promise);
  }

  wake(): void {
    this.#woken?.();
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        await this.#take();
        await this.#work();
      } catch (error) {
        await this.#release();
        if (!this.#mayTakeAgain(error)) return;
        const delay = Math.min(BACKOFF_MS.max, BACKOFF_MS.first * 2 ** this.#attempt++);
        await this.#context.clock.sleep(delay * (0.5 + 0.5 * ((this.partition * 0.37) % 1)), this.#abort.signal);
        await this.#confirmed();
      }
    }
    await this.#release();
  }

  /**
   * A process that was frozen, or cut off, has lost its slots and does not know it yet: to take them at once would fence their new owners. The wait has
   * an end: fencing keeps everything right, only slower.
   */
  async #confirmed(): Promise<void> {
    const { clock } = this.#context;
    const over = new AbortController();
    await Promise.race([
      this.#context.confirmed(),
      clock.sleep(CONFIRM_MS, AbortSignal.any([over.signal, this.#abort.signal])),
    ]);
    over.abort();
  }

  #mayTakeAgain(error: unknown): boolean {
    if (this.#abort.signal.aborted) return true;
    const { logger } = this.#context;
    const again =
      error instanceof TaskMigratedError || error instanceof RetriableError || error instanceof TaskCorruptedError;
    const code = error instanceof SluiceError ? error.code : 'SLC_BUG';
    if (again && (code !== 'SLC_TASK_OFFSET_OUT_OF_RANGE' || error === this.#lost)) {
      this.#lost = undefined;
      logger.warn({ slot: this.partition, code }, `slot ${this.partition}: ${error.message}; taking it anew`);
      return true;
    }
    this.#context.onFatal(error instanceof Error ? error : new InvariantError('SLC_BUG', String(error)));
    return false;
  }

  async #take(): Promise<void> {
    const { app, client, admin, ledger, wiring, options, reader, logger } = this.#context;
    const producer = await client.producer({
      transactionalId: `${app}-${this.partition}`,
      transactionTimeoutMs: options.transactionTimeoutMs,
    });
    this.#producer = producer;
    // Fence first: only then are committed offsets, changelogs and ledger the last word of whoever had the slot.
    await producer.fence();
    const positions = await startPositions(this.#context, this.partition);
    const state = await this.#openState();
    const { partition } = this;
    const startOf = (topic: string): StartPosition => positions.get(topic) ?? { offset: 0n, clock: -Infinity };
    const copy = this.#copy;
    // Whatever goes wrong from here on, its stores may have been changed.
    this.#copy = undefined;
    const { tasks, inputs, collector } = makeSlotParts(wiring, partition, startOf, { state, copy });
    const progress = (this.restoring = noProgress());
    const { changelogs } = wiring.names;
    const { signal } = this.#abort;
    const parts = { client, admin, clock: this.#context.clock, logger, partition, tasks, changelogs, state, copy };
    this.restored = await restoreSlot({ ...parts, signal, progress });
    const [end] = await admin.offsets([{ topic: ledgerTopicOf(app), partition: 0 }], { committed: true });
    await Promise.race([ledger.caughtUp(end?.end ?? 0n), aborted(this.#abort.signal)]);
    const mine = new Set(tasks.map((task) => task.name));
    const said = ledger.promises((promise) => mine.has(promise.writer));
    // High watermarks: transactions of other slots may hold the last stable offset back, behind what the former owner wrote.
    const written = writtenPartitions(wiring);
    const ends = await admin.offsets(written, { committed: false });
    const { tickMs, idleAfterMs } = options;
    this.#slot = new Slot({
      partition: this.partition,
      inputs,
      tasks,
      collector,
      said,
      written: endsByTopic(written, ends),
      options: { tickMs, idleAfterMs, time: wiring.topology.time },
      relieve: state === undefined ? undefined : () => state.relieve(),
    });
    this.#replay(this.#slot);
    ledger.listen(this);
    this.#context.skew?.join(this);
    for (const input of inputs) if (!input.atEnd) reader.seek(input.tp, input.position);
    logger.info(
      { slot: this.partition, restored: this.restored, standby: copy !== undefined },
      `slot ${this.partition} taken${copy === undefined ? '' : ' with a standby copy'}, ${this.restored} changelog records restored`,
    );
  }

  async #openState(): Promise<SlotState | undefined> {
    const { state, app, wiring, clock, logger } = this.#context;
    if (state === undefined) return undefined;
    const identity = { app, epoch: wiring.topology.epoch, partition: this.partition };
    return (this.#state = await openSlotState(state, identity, { clock, logger, signal: this.#abort.signal }));
  }

  /** What live knew of clocks, up to the frozen ends. */
  #replay(slot: Slot): void {
    const { feed } = this.#context;
    if (feed === undefined) return;
    for (const pin of feed.pinsOf(this.partition)) slot.replayPin(pin);
    for (const promise of feed.promises) slot.receive(promise);
  }

  async #work(): Promise<void> {
    const slot = this.#slot;
    if (slot === undefined) return;
    while (!this.#abort.signal.aborted) {
      if (this.#lost !== undefined) throw this.#lost;
      this.#context.skew?.admit(slot);
      const { count, wait } = slot.process(SLICE_RECORDS);
      if (count > 0) this.#context.skew?.moved(slot);
      this.#resume(slot);
      if (this.#context.feed === undefined) slot.takeHints(this.#context.ledger.hints, this.#context.clock.now());
      slot.tick(this.#context.clock.now());
      slot.advance();
      if (wait !== undefined) await Promise.race([wait.catch(() => undefined), aborted(this.#abort.signal)]);
      const isDue = this.#isCommitDue(slot);
      const committed = isDue && (await this.#commit(slot));
      if (isDue && !committed && count === 0 && wait === undefined) this.quietRounds++;
      if (count > 0) await new Promise((resolve) => setImmediate(resolve));
      else await this.#idle();
    }
    if (this.#graceful) await this.#commit(slot);
  }

  #isCommitDue(slot: Slot): boolean {
    const { commitIntervalMs, minCommitIntervalMs, maxBatchRecords, maxBatchBytes } = this.#context.options;
    if (slot.processed >= maxBatchRecords || slot.collectedBytes >= maxBatchBytes) return true;
    const now = this.#context.clock.now();
    // Both from its end: where a commit takes as long as the interval, each would hold one slice of records only.
    if (now - this.#lastCommitEnd >= commitIntervalMs) return true;
    return !slot.hasRecords && now - this.#lastCommitEnd >= minCommitIntervalMs;
  }

  /** False when there was nothing to say. */
  async #commit(slot: Slot): Promise<boolean> {
    this.#lastCommit = this.#context.clock.now();
    if (!(await this.#drained(slot))) return false;
    const plan = slot.takeCommit();
    this.#state?.check();
    const producer = this.#producer;
    if (plan === undefined || producer === undefined) {
      this.#lastCommitEnd = this.#lastCommit;
      return false;
    }
    await producer.begin();
    await this.#send(producer, plan);
    await producer.commit();
    this.#state?.committed();
    this.#lastCommitEnd = this.#context.clock.now();
    this.commitMs.observe(this.#lastCommitEnd - this.#lastCommit);
    for (const { topic, offset } of plan.offsets) {
      if (this.#context.wiring.repartitions.has(topic)) this.#trimmable.set(topic, offset);
    }
    this.commits++;
    this.#attempt = 0;
    return true;
  }

  /** False: answers are still awaited, and the slot goes; what is not committed is processed again. */
  async #drained(slot: Slot): Promise<boolean> {
    const under = slot.drain();
    if (under === undefined) return true;
    const { signal } = this.#abort;
    const limit = signal.aborted ? this.#context.clock.sleep(this.#graceful ? DRAIN_MS : 0) : aborted(signal);
    return Promise.race([under.then(() => true), limit.then(() => false)]);
  }

  /** Data, then after its acks the ledger (its promises name the offsets behind the data), then the positions: one transaction. */
  async #send(producer: KafkaProducer, plan: CommitPlan): Promise<void> {
    const { app } = this.#context;
    const results = plan.collected.batches.length > 0 ? await producer.send(plan.collected.batches) : [];
    this.#state?.sent(plan.collected.batches, results);
    const ledger = plan.ledger(results);
    if (ledger.length > 0) await producer.send(ledgerBatches(app, ledger, this.#context.clock.now()));
    if (plan.offsets.length > 0) await producer.sendOffsets(app, plan.offsets);
  }

  #resume(slot: Slot): void {
    for (const input of slot.inputs) {
      // Live goes on writing behind the frozen end.
      if (input.atEnd) this.#context.reader.remove(input.tp);
      if (!input.paused || input.queuedBytes > this.#context.options.maxQueuedBytes / 2) continue;
      input.paused = false;
      this.#context.reader.resume(input.tp);
    }
  }

  /** Until something arrives, or it is time to look at clocks and commits again. */
  async #idle(): Promise<void> {
    if (this.#slot?.hasRecords === true) return;
    const abort = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#woken = resolve;
    });
    const pending = (this.#slot?.processed ?? 0) > 0;
    const idle = this.#slot?.waits === true ? SKEW_MS : IDLE_MS;
    const wait = pending ? this.#context.options.minCommitIntervalMs : idle;
    await Promise.race([woken, this.#context.clock.sleep(wait, abort.signal)]);
    this.#woken = undefined;
    abort.abort(AWAKE);
  }

  async #release(): Promise<void> {
    this.#context.ledger.unlisten(this);
    this.#context.skew?.leave(this);
    for (const input of this.#slot?.inputs ?? []) this.#context.reader.remove(input.tp);
    this.#slot = undefined;
    this.#trimmable.clear();
    this.#state?.close(this.#graceful);
    this.#state = undefined;
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.close().catch(() => undefined);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
