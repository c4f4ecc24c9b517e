/** One partition of one topic on its way to a target. */
import { AWAKE, type Clock } from '../clock.ts';
import { type Sink, type SinkPartition, SinkRecordError } from '../connector.ts';
import { ConnectorError, InvariantError, NotReadyError, RecordError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import type { FetchedRecords } from './kafka-client.ts';
import { type ReadRecord, type SinkBatch, type SinkBatchLimits, SinkQueue, type SinkSource } from './sink-batch.ts';
import type { SinkDeadLetters } from './sink-dead-letters.ts';
import type { SinkTrouble } from './sink-trouble.ts';

/** What the tasks of a stage share. */
export interface SinkTaskContext {
  readonly sink: Sink;
  readonly clock: Clock;
  readonly limits: SinkBatchLimits;
  readonly deadLetters: SinkDeadLetters;
  readonly trouble: SinkTrouble;
  /** What Kafka keeps of a partition. */
  range(partition: TopicPartition): Promise<{ readonly start: bigint; readonly end: bigint }>;
  /** Asks for reading from an offset; `begin` is called when what comes next is from there. */
  read(partition: TopicPartition, offset: bigint | 'earliest', begin: () => void): void;
  /** Stops reading. */
  remove(partition: TopicPartition): void;
}

/**
 * Claims its partition of the target, reads from the position found there, writes batch after batch. After any error it does so again from the
 * claim on: the target alone says what it holds.
 */
export class SinkTask {
  readonly tp: TopicPartition;
  /** Records written by this task. */
  rows = 0;
  readonly #name: string;
  readonly #context: SinkTaskContext;
  readonly #queue: SinkQueue;
  readonly #abort = new AbortController();
  #accepting = false;
  /** Counts the times that reading began: what was asked for earlier does not count. */
  #generation = 0;
  /** First offset that the target does not hold. */
  #written = 0n;
  #end: bigint | undefined;
  #newest: number | undefined;
  #interrupted: Error | undefined;
  #wake: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(context: SinkTaskContext, source: SinkSource, partition: number) {
    this.#context = context;
    this.#queue = new SinkQueue(source);
    this.tp = { topic: source.topic, partition };
    this.#name = `${source.topic}/${partition}`;
  }

  /** Bytes waiting. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** First offset that the target does not hold; undefined before it was asked. */
  get written(): bigint | undefined {
    return this.#end === undefined ? undefined : this.#written;
  }

  /** Offsets between what the target holds and the end of what can be read; undefined before anything was read. */
  get lag(): bigint | undefined {
    if (this.#end === undefined) return undefined;
    return this.#end > this.#written ? this.#end - this.#written : 0n;
  }

  /** The largest event time written by this task while it has not written all, or does not know, ms; undefined otherwise. */
  get reached(): number | undefined {
    return this.lag === 0n ? undefined : this.#newest;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Reading and writing end; a write under way may still be committed. Resolves when it has ended. */
  async stop(): Promise<void> {
    if (!this.#abort.signal.aborted) {
      this.#abort.abort();
      this.#wake();
      this.#leave();
      this.#context.trouble.forget(this.#name);
    }
    await this.#running;
  }

  /** Takes what was fetched for the partition. */
  offer(fetched: FetchedRecords): void {
    if (!this.#accepting) return;
    this.#end = fetched.endOffset;
    this.#queue.push(fetched);
    this.#wake();
  }

  /** Reading failed in a way that only a new beginning mends. */
  interrupt(error: Error): void {
    this.#interrupted = error;
    this.#wake();
  }

  async #run(): Promise<void> {
    const { trouble, sink } = this.#context;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      let held: SinkPartition | undefined;
      try {
        this.#interrupted = undefined;
        held = await sink.claim(this.tp.topic, this.tp.partition);
        if (signal.aborted) return;
        await this.#begin(held);
        await this.#pump(held);
      } catch (error) {
        if (signal.aborted) return;
        this.#leave();
        await trouble.wait(this.#name, error, signal);
      } finally {
        await held?.close().catch(() => undefined);
      }
    }
  }

  #leave(): void {
    this.#generation += 1;
    this.#accepting = false;
    this.#end = undefined;
    this.#context.remove(this.tp);
  }

  async #begin(held: SinkPartition): Promise<void> {
    const next = held.nextOffset;
    const { start, end } = await this.#context.range(this.tp);
    if (next !== null && (next < start || next > end)) {
      throw new ConnectorError(
        'SLC_SINK_RANGE',
        `${this.#context.sink.name} wants ${this.#name} from offset ${next}, Kafka has ${start} to ${end}`,
        {
          hint:
            next < start
              ? 'records were deleted before they were written; set the position in the target to go on without them'
              : 'the topic was made anew; set its position in the target to null to write it from its start',
        },
      );
    }
    if (this.#abort.signal.aborted) return;
    this.#written = next ?? start;
    this.#queue.reset(this.#written);
    const generation = (this.#generation += 1);
    this.#context.read(this.tp, next ?? 'earliest', () => {
      this.#accepting = generation === this.#generation;
    });
  }

  async #pump(held: SinkPartition): Promise<void> {
    while (!this.#abort.signal.aborted) {
      const batch = await this.#collect();
      if (batch.nextOffset === undefined || this.#abort.signal.aborted) return;
      await this.#write(held, batch, batch.nextOffset);
      this.#written = batch.nextOffset;
      this.#context.trouble.passed(this.#name);
    }
  }

  /** Waits for records, then until the batch is full or its time is up. */
  async #collect(): Promise<SinkBatch> {
    const { clock, limits, trouble } = this.#context;
    const batch: SinkBatch = { records: [], dead: [], bytes: 0, nextOffset: undefined };
    let until = Infinity;
    while (!this.#abort.signal.aborted) {
      if (this.#interrupted !== undefined) throw this.#interrupted;
      const waitFor = this.#fill(batch);
      if (waitFor !== undefined) {
        await waitFor;
        continue;
      }
      const count = batch.records.length + batch.dead.length;
      if (count >= limits.maxRecords || batch.bytes >= limits.maxBytes) return batch;
      const now = clock.now();
      const moved = (batch.nextOffset ?? 0n) > this.#written;
      if (count > 0) until = Math.min(until, now + limits.lingerMs);
      else if (moved) until = Math.min(until, now + limits.positionMs);
      else if (this.#end !== undefined && this.#end <= this.#written) trouble.passed(this.#name);
      if (now >= until) return batch;
      await this.#sleep(until - now);
    }
    return batch;
  }

  /** Reads what is there; a promise when something must be fetched before it can go on. */
  #fill(batch: SinkBatch): Promise<void> | undefined {
    try {
      this.#queue.fill(batch, this.#context.limits);
      return undefined;
    } catch (error) {
      if (error instanceof NotReadyError) return error.ready;
      throw error;
    }
  }

  /** Until something is offered, the task is stopped, or the time is up. */
  async #sleep(ms: number): Promise<void> {
    const awake = new AbortController();
    this.#wake = () => awake.abort(AWAKE);
    // Infinity is no time that a timer can be set to.
    await this.#context.clock.sleep(Math.min(ms, 60_000), awake.signal);
    this.#wake = () => undefined;
  }

  /** Writes a batch; records that the target refuses go to the dead-letter topic first, then the others in one step with the position. */
  async #write(held: SinkPartition, batch: SinkBatch, nextOffset: bigint): Promise<void> {
    let { records, dead } = batch;
    for (;;) {
      if (dead.length > 0) await this.#context.deadLetters.write(this.tp, dead);
      try {
        await held.write(records, nextOffset);
        this.rows += records.length;
        for (const { timestamp } of records) this.#newest = Math.max(this.#newest ?? -Infinity, timestamp);
        return;
      } catch (error) {
        if (!(error instanceof SinkRecordError)) throw error;
        const reasons = new Map(error.rejected.map(({ offset, reason }) => [offset, reason]));
        const refused: ReadRecord[] = records.filter((record) => reasons.has(record.offset));
        if (refused.length === 0) {
          throw new InvariantError('SLC_BUG_SINK_REFUSED', `${this.#name}: refused records that it was not given`);
        }
        records = records.filter((record) => !reasons.has(record.offset));
        dead = refused.map((record) => ({
          record,
          error: new RecordError(error.code, reasons.get(record.offset) ?? error.message),
        }));
      }
    }
  }
}
