/**
 * One topic partition as a slot reads it: fetched batches waiting, the position (one per topic, shared by all tasks that read it, TIME.md rule 3),
 * and its clock.
 */
import type { TopicPartition } from '../record.ts';
import { type RecordBatch, RecordCursor } from '../record-batch.ts';
import type { Serde } from '../serde.ts';
import type { OriginClock as OriginClockSpec } from '../topic.ts';
import type { Pin } from '../time/ledger-records.ts';
import { OriginClock } from '../time/origin-clock.ts';
import { TopicWatermark } from '../time/topic-watermark.ts';
import type { FetchedRecords } from './kafka-client.ts';

/** How the records of a topic are read. */
export interface TopicReader {
  readonly name: string;
  readonly keySerde: Serde<unknown>;
  readonly valueSerde: Serde<unknown>;
  /** Origin topics only. */
  readonly origin: OriginClockSpec<unknown> | undefined;
}

/** How a source topic is read. `number` = its place in the roster's list. */
export interface SourceTopic extends TopicReader {
  readonly number: number;
  /** Derived topics only: the tasks that write it. */
  readonly writers: readonly string[];
}

interface Chunk {
  readonly batches: readonly RecordBatch[];
  readonly nextOffset: bigint;
  readonly bytes: number;
}

export class SlotInput {
  readonly source: SourceTopic;
  readonly tp: TopicPartition;
  /** Present for an origin topic. */
  readonly clock: OriginClock | undefined;
  /** Present for a derived topic. */
  readonly ledger: TopicWatermark | undefined;
  readonly cursor = new RecordCursor();
  /** End of what could be read at the last fetch. */
  endOffset = 0n;
  queuedBytes = 0;
  paused = false;
  /** Event hour of the last clock pin (TIME.md rule 13). */
  pinnedHour = -Infinity;
  /** It waits while its clock is beyond this, ms (TIME.md rule 14; skew-gate.ts). */
  ceiling = Infinity;
  /** Replay: nothing at or behind this offset is processed. */
  readonly end: bigint | undefined;
  readonly #end: number;
  readonly #pins: Pin[] = [];
  /** The first pin that does not hold yet; -1: they are not sorted. */
  #nextPin = -1;
  #chunks: Chunk[] = [];
  #batch = 0;
  #hasRecord = false;
  /** A number, as the cursor's offsets are: a bigint for each record costs more than the walk to it. */
  #position: number;
  #wasFetched = false;

  constructor(source: SourceTopic, partition: number, position: bigint, clock: number, end?: bigint) {
    this.source = source;
    this.end = end;
    this.tp = { topic: source.name, partition };
    this.#position = Number(position);
    this.#end = end === undefined ? Infinity : Number(end);
    this.clock = source.origin === undefined ? undefined : new OriginClock(source.origin.outOfOrdernessMs, clock);
    this.ledger = source.origin === undefined ? new TopicWatermark(partition, source.writers) : undefined;
  }

  /** Offset of the next record to process; moved over markers, aborted and compacted-away offsets. */
  get position(): bigint {
    return BigInt(this.#position);
  }

  /** The watermark of this input at its position, ms. */
  get watermark(): number {
    return this.clock?.watermark ?? this.ledger?.watermark ?? -Infinity;
  }

  /** True when the frozen end is reached: there is nothing more to read. */
  get atEnd(): boolean {
    return this.#position >= this.#end;
  }

  enqueue(fetched: FetchedRecords): void {
    if (this.atEnd) return;
    this.#wasFetched = true;
    this.endOffset = fetched.endOffset;
    this.queuedBytes += fetched.bytes;
    this.#chunks.push({ batches: fetched.batches, nextOffset: fetched.nextOffset, bytes: fetched.bytes });
    if (!this.#hasRecord) this.next();
  }

  /** Replay: a pin to come. */
  expectPin(pin: Pin): void {
    this.#pins.push(pin);
    this.#nextPin = -1;
  }

  /** Replay: pins at or before the record under the cursor hold from here on. */
  applyPinsAtRecord(): void {
    if (this.#pins.length > 0) this.applyPins(BigInt(this.cursor.offset));
  }

  /** Replay: pins at or before `offset` hold from here on. */
  applyPins(offset: bigint): void {
    if (this.#pins.length === 0) return;
    if (this.#nextPin < 0) {
      this.#pins.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.m - b.m));
      this.#nextPin = 0;
    }
    for (let pin = this.#pins[this.#nextPin]; pin !== undefined && pin.at <= offset;) {
      this.clock?.pin(pin.m);
      pin = this.#pins[++this.#nextPin];
    }
  }

  /** True when `cursor` stands on a record that is to be processed. */
  get hasRecord(): boolean {
    return this.#hasRecord;
  }

  /** True when its clock is too far ahead: its records wait. */
  get isAhead(): boolean {
    return this.clock !== undefined && this.clock.watermark > this.ceiling;
  }

  /** True when there are records at or behind the position, and before the first fetch has said so. */
  get hasUnread(): boolean {
    if (this.#hasRecord) return true;
    return !this.atEnd && (!this.#wasFetched || this.position < this.endOffset);
  }

  /** What the clock will at least be behind the next record, as far as that is at hand, ms. */
  get reach(): number {
    if (this.clock === undefined || !this.#hasRecord) return this.watermark;
    return Math.max(this.clock.watermark, this.cursor.timestamp - this.clock.outOfOrdernessMs);
  }

  /** The record under the cursor has been processed. */
  moveOn(): void {
    this.#position = this.cursor.offset + 1;
    this.next();
  }

  /** Moves the cursor to the next record at or after the position; at the end of what was fetched the position moves to its end. */
  next(): void {
    for (;;) {
      if (this.#hasRecord && this.cursor.next()) {
        const { offset } = this.cursor;
        if (offset >= this.#end) return this.#stop();
        if (offset >= this.#position) return;
        continue;
      }
      this.#hasRecord = false;
      const chunk = this.#chunks[0];
      if (chunk === undefined) return;
      const batch = chunk.batches[this.#batch];
      if (batch === undefined) {
        this.#chunks.shift();
        this.#batch = 0;
        this.queuedBytes -= chunk.bytes;
        const nextOffset = Number(chunk.nextOffset);
        if (nextOffset >= this.#end) return this.#stop();
        if (nextOffset > this.#position) this.#position = nextOffset;
        continue;
      }
      this.#batch++;
      this.cursor.open(batch);
      this.#hasRecord = true;
    }
  }

  #stop(): void {
    this.#position = this.#end;
    this.#chunks = [];
    this.#batch = 0;
    this.queuedBytes = 0;
    this.#hasRecord = false;
  }
}
