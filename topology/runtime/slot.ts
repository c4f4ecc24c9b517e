/**
 * A slot: all stage tasks of one partition number in this process, read and committed together. This is the synchronous core: records in, what to
 * commit out. slot-runner.ts gives it its transactions, the TopologyTestDriver its virtual time.
 */
import { NotReadyError } from '../errors.ts';
import { encodePin, encodePromise, type LedgerBytes, type Pin, type WriterPromise } from '../time/ledger-records.ts';
import { CurrentTime } from '../time/record-time.ts';
import type { TimePolicyName } from '../time/time-policy.ts';
import { encodeClock } from './committed-clock.ts';
import type { CommittedOffset, FetchedRecords, SendResult } from './kafka-client.ts';
import type { HintView } from './hints.ts';
import { readRecord } from './read-record.ts';
import type { RecordCollector, WriterEnd } from './record-collector.ts';
import type { SlotInput } from './slot-input.ts';
import type { StoreSize, Task } from './task.ts';

/** Options of a slot that the test driver sets differently from the runtime. */
export interface SlotOptions {
  /** A promise or a hint moves in steps of this, ms of event time. */
  readonly tickMs: number;
  /** By default 'watermark'. */
  readonly time?: TimePolicyName;
  /** A hint writer silent for this long no longer counts, ms of wall clock. */
  readonly idleAfterMs: number;
}

/** What one commit writes besides the collected batches. */
export interface CommitPlan {
  readonly collected: ReturnType<RecordCollector['take']>;
  readonly offsets: CommittedOffset[];
  /** Ledger records, made once the batches' offsets are known. */
  ledger(results: readonly SendResult[]): LedgerBytes[];
}

const EVENT_HOUR_MS = 3_600_000;

export class Slot {
  readonly partition: number;
  readonly inputs: readonly SlotInput[];
  readonly tasks: readonly Task[];
  readonly #byTopic = new Map<string, SlotInput>();
  readonly #readers = new Map<SlotInput, readonly Task[]>();
  readonly #collector: RecordCollector;
  readonly #options: SlotOptions;
  readonly #time = new CurrentTime();
  readonly #relieve: (() => void) | undefined;
  readonly #written: ReadonlyMap<string, readonly bigint[]>;
  readonly #ends = new Map<string, bigint[]>();
  readonly #said: Map<string, number>;
  readonly #committed = new Map<
    SlotInput,
    { readonly position: bigint; readonly clock: number; readonly next: number }
  >();
  #pins: Pin[] = [];
  #processed = 0;

  /**
   * `said` = per `writer|topic` what the ledger holds already; older than the truth does no harm. `written` = per written topic the ends of its
   * partitions (high watermarks) after the former owner was fenced: no promise may name a smaller end, or a reader would take it over before it has
   * read what the former owner wrote after its last promise.
   */
  constructor(options: {
    readonly partition: number;
    readonly inputs: readonly SlotInput[];
    readonly tasks: readonly Task[];
    readonly collector: RecordCollector;
    readonly said: ReadonlyMap<string, WriterPromise>;
    readonly written: ReadonlyMap<string, readonly bigint[]>;
    readonly options: SlotOptions;
    /** Called between records: stores may go back to their budget. */
    readonly relieve?: (() => void) | undefined;
  }) {
    this.partition = options.partition;
    this.inputs = options.inputs;
    this.tasks = options.tasks;
    this.#collector = options.collector;
    this.#options = options.options;
    this.#relieve = options.relieve;
    this.#said = new Map([...options.said].map(([id, promise]) => [id, promise.m]));
    this.#written = options.written;
    for (const input of this.inputs) {
      const readers = this.tasks.filter((task) => task.reads(input.source.name));
      this.#byTopic.set(input.source.name, input);
      this.#readers.set(input, readers);
      this.#committed.set(input, { position: input.position, clock: clockOf(input), next: -Infinity });
    }
  }

  /** Records processed since the last commit. */
  get processed(): number {
    return this.#processed;
  }

  /** What has been collected for the next commit, bytes. */
  get collectedBytes(): number {
    return this.#collector.bytes;
  }

  /** Records that may be processed now. */
  get hasRecords(): boolean {
    return this.inputs.some((input) => input.hasRecord && !input.isAhead);
  }

  /** True when an input has records and is too far ahead (TIME.md rule 14). */
  get waits(): boolean {
    return this.inputs.some((input) => input.hasRecord && input.isAhead);
  }

  enqueue(fetched: FetchedRecords): void {
    this.#byTopic.get(fetched.topic)?.enqueue(fetched);
  }

  /** A promise read from the ledger, for every slot. */
  receive(promise: WriterPromise): void {
    this.#byTopic.get(promise.topic)?.ledger?.receive(promise);
  }

  /**
   * Processes at most `max` records, each time the one with the smallest timestamp among the heads of the partitions. Returns how many; when a
   * record needs a schema that is not there yet, `wait` says for what, and nothing is lost.
   */
  process(max: number): { readonly count: number; readonly wait?: Promise<void> } {
    let count = 0;
    while (count < max) {
      const input = this.#nextInput();
      if (input === undefined) break;
      try {
        this.#processOne(input);
      } catch (error) {
        if (error instanceof NotReadyError) return { count, wait: error.ready };
        throw error;
      }
      input.moveOn();
      count++;
      this.#relieve?.();
    }
    this.#processed += count;
    return { count };
  }

  /** Of the stores of its tasks of a stage. */
  storeSizes(stage: string): StoreSize[] {
    return this.tasks.flatMap((task) => (task.stage === stage ? task.storeSizes(this.#collector) : []));
  }

  #nextInput(): SlotInput | undefined {
    let next: SlotInput | undefined;
    let least = Infinity;
    for (const input of this.inputs) {
      if (!input.hasRecord || input.isAhead) continue;
      const timestamp = input.cursor.timestamp;
      if (next === undefined || timestamp < least) [next, least] = [input, timestamp];
    }
    return next;
  }

  #processOne(input: SlotInput): void {
    input.applyPinsAtRecord();
    const readers = this.#readers.get(input) ?? [];
    const record = readRecord(input, this.#time, readers);
    if (record === undefined) return;
    for (const task of readers) task.process(input.source.name, record, this.#time, input.cursor);
  }

  /** Live: a hint becomes a pin at the slot's position (TIME.md rule 3). Returns whether a clock moved. */
  takeHints(hints: HintView, now: number): boolean {
    if (this.#options.time === 'stream-time') return false; // nobody's idleness moves it
    let moved = false;
    for (const input of this.inputs) {
      if (input.clock === undefined || input.hasRecord) continue;
      const { topic, partition } = input.tp;
      const m = hints.reached(topic, partition, input.position, now, this.#options.idleAfterMs);
      if (m === undefined || m < input.clock.watermark + this.#options.tickMs) continue;
      this.pin({ topic, partition, at: input.position, m });
      moved = true;
    }
    return moved;
  }

  /** Fixes a clock at the present position; it is committed with it. */
  pin(pin: Pin): void {
    this.#byTopic.get(pin.topic)?.clock?.pin(pin.m);
    this.#pins.push(pin);
  }

  /** Replay: a pin of the recorded run, applied when the position reaches it. Call it before the first record. */
  replayPin(pin: Pin): void {
    this.#byTopic.get(pin.topic)?.expectPin(pin);
  }

  /** Hands the watermarks down through all tasks; finals may come out. */
  advance(): void {
    for (const input of this.inputs) {
      input.ledger?.advance(input.position);
      input.applyPins(input.position);
    }
    for (const task of this.tasks) task.advance((topic) => this.#byTopic.get(topic)?.watermark ?? -Infinity);
  }

  /** The wall clock, ms, for punctuation by it. */
  tick(now: number): void {
    for (const task of this.tasks) task.tick(now);
  }

  /** To be awaited before takeCommit(): undefined at once when no operator waits for answers from outside. */
  drain(): Promise<void> | undefined {
    const under = this.#underWay();
    return under === undefined ? undefined : this.#drained(under);
  }

  async #drained(first: Promise<void>): Promise<void> {
    for (let under: Promise<void> | undefined = first; under !== undefined; under = this.#underWay()) {
      await under;
      for (const task of this.tasks) task.flush();
    }
  }

  #underWay(): Promise<void> | undefined {
    for (const task of this.tasks) {
      const under = task.drain();
      if (under !== undefined) return under;
    }
    return undefined;
  }

  /** Everything for one commit, or undefined when there is nothing to say. */
  takeCommit(): CommitPlan | undefined {
    for (const task of this.tasks) task.flush();
    this.#pinHours();
    const promises = this.tasks.flatMap((task) => this.#newPromises(task));
    const moved = this.inputs.filter((input) => this.#hasMoved(input));
    if (this.#collector.records === 0 && promises.length === 0 && this.#pins.length === 0 && moved.length === 0)
      return undefined;
    for (const task of this.tasks) task.takeChangelog(this.#collector);
    const collected = this.#collector.take();
    const pins = this.#pins.map(encodePin);
    const told = this.inputs.filter((input) => moved.includes(input) || this.#hasComeUp(input));
    const offsets = told.map((input) => this.#offsetOf(input));
    this.#pins = [];
    this.#processed = 0;
    const ledger = (results: readonly SendResult[]): LedgerBytes[] => {
      for (const end of collected.ends(results)) this.#moveEnd(end);
      return [...pins, ...promises.map((promise) => encodePromise({ ...promise, ends: this.#endsOf(promise) }))];
    };
    return { collected, offsets, ledger };
  }

  /** TIME.md rule 13: a slot pins its own clock once per event hour. It changes nothing; a replay may start there. */
  #pinHours(): void {
    if (this.#options.time === 'stream-time') return;
    for (const input of this.inputs) {
      if (input.clock === undefined) continue;
      const hour = Math.floor(input.clock.watermark / EVENT_HOUR_MS);
      if (hour <= input.pinnedHour || !Number.isFinite(hour)) continue;
      input.pinnedHour = hour;
      this.#pins.push({ ...input.tp, at: input.position, m: input.clock.watermark });
    }
  }

  #newPromises(task: Task): { writer: string; topic: string; m: number }[] {
    const promises: { writer: string; topic: string; m: number }[] = [];
    for (const [topic, watermark] of task.outputWatermarks()) {
      const m = Math.floor(watermark / this.#options.tickMs) * this.#options.tickMs;
      const id = `${task.name}|${topic}`;
      if (!(m > (this.#said.get(id) ?? -Infinity))) continue;
      this.#said.set(id, m);
      promises.push({ writer: task.name, topic, m });
    }
    return promises;
  }

  /** A pin moves the clock where the position stands: a restart must find both. */
  #hasMoved(input: SlotInput): boolean {
    const committed = this.#committed.get(input);
    return committed?.position !== input.position || committed.clock !== clockOf(input);
  }

  /** Its next record is at hand since the last commit: other processes may want to know how far that is. No reason for a commit. */
  #hasComeUp(input: SlotInput): boolean {
    return (
      input.clock !== undefined && input.reach > Math.max(clockOf(input), this.#committed.get(input)?.next ?? -Infinity)
    );
  }

  #offsetOf(input: SlotInput): CommittedOffset {
    const clock = clockOf(input);
    const next = input.clock === undefined ? -Infinity : input.reach;
    this.#committed.set(input, { position: input.position, clock, next });
    const metadata = encodeClock({ w: clock, next });
    return { ...input.tp, offset: input.position, metadata };
  }

  #moveEnd(end: WriterEnd): void {
    const id = `${end.writer}|${end.topic}`;
    let ends = this.#ends.get(id);
    if (ends === undefined) this.#ends.set(id, (ends = [...(this.#written.get(end.topic) ?? [])]));
    while (ends.length <= end.partition) ends.push(0n);
    ends[end.partition] = end.end;
  }

  #endsOf(promise: { readonly writer: string; readonly topic: string }): readonly bigint[] {
    return this.#ends.get(`${promise.writer}|${promise.topic}`) ?? this.#written.get(promise.topic) ?? [];
  }
}

/** What is committed with the position; a derived topic's clock is in the ledger. */
function clockOf(input: SlotInput): number {
  return input.clock?.watermark ?? -Infinity;
}
