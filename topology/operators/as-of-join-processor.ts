import type { CreateProcessor, NodeContext, Processor } from '../dsl/node.ts';
import { InvariantError } from '../errors.ts';
import type { AnyRecord } from '../record.ts';
import { type BufferedRecord, MemoryBufferStore } from '../state/buffer-store.ts';
import type { MemoryVersionedStore, Version } from '../state/versioned-store.ts';
import { keepTime, type RecordTime } from '../time/record-time.ts';

/** `joiner` gets null where the table has no row (or a deleted one) at the record's time; only called so when `left`. */
export interface AsOfJoinOptions {
  readonly streamStore: string;
  readonly tableStore: string;
  readonly graceMs: number;
  readonly tableGraceMs: number;
  readonly left: boolean;
  readonly joiner: (value: never, row: never, key: never) => unknown;
}

/**
 * Stream-table join as of event time (TIME.md rule 5): a stream record is accepted when ow <= t + grace, a table row when ow <= t + tableGrace;
 * the record leaves when the table's watermark Mt > t + tableGrace, joined with the newest version at or before t, under its own timestamp, ow and co.
 */
export function asOfJoinProcessor(options: AsOfJoinOptions): CreateProcessor<AnyRecord, AnyRecord> {
  return (context) => new AsOfJoin(options, context);
}

const STREAM = 0;
const TABLE = 1;

class AsOfJoin implements Processor<AnyRecord> {
  readonly #options: AsOfJoinOptions;
  readonly #context: NodeContext;
  readonly #buffer: MemoryBufferStore;
  readonly #table: MemoryVersionedStore;
  readonly #inTime: (version: Version) => boolean;

  constructor(options: AsOfJoinOptions, context: NodeContext) {
    this.#options = options;
    this.#context = context;
    this.#buffer = context.store<MemoryBufferStore>(options.streamStore);
    this.#table = context.store<MemoryVersionedStore>(options.tableStore);
    this.#inTime = (version) =>
      !context.policy.isCanonical || version.originWatermark <= version.timestamp + options.tableGraceMs;
  }

  process(record: AnyRecord, parent: number): void {
    if (!this.#context.policy.isCanonical) return this.#joinAtOnce(record, parent);
    const grace = parent === TABLE ? this.#options.tableGraceMs : this.#options.graceMs;
    const latenessMs = this.#context.arrive(record) - (record.timestamp + grace);
    if (latenessMs > 0) {
      const reason =
        parent === TABLE ? 'table row after the table was complete' : 'record after the stream was complete';
      return this.#context.late(record, { reason, latenessMs });
    }
    if (parent === TABLE) return; // the table source has put it into the store
    if (record.key === null || record.key === undefined) return this.#context.dropped(record, 'null key');
    if (record.value === null || record.value === undefined) return this.#context.dropped(record, 'null value');
    if (record.timestamp < this.#tableComplete()) return this.#join(record, this.#context.time);
    const { key, value, timestamp } = record;
    this.#buffer.add({ key, value, timestamp, ...keepTime(this.#context.time) });
  }

  /** Stream time: as Kafka Streams with a versioned table whose history is the table's grace, and a join without grace. */
  #joinAtOnce(record: AnyRecord, parent: number): void {
    const now = this.#context.arrive(record);
    this.#table.forgetBefore(this.#options.streamStore, now - this.#options.tableGraceMs);
    if (parent === TABLE) return;
    const { left } = this.#options;
    if (record.value === null || record.value === undefined) return this.#context.dropped(record, 'null value');
    if (!left && (record.key === null || record.key === undefined)) return this.#context.dropped(record, 'null key');
    this.#join(record, this.#context.time);
  }

  /** Event time before which no row of the table can come any more. */
  #tableComplete(): number {
    return this.#context.watermarkOf(TABLE) - this.#options.tableGraceMs;
  }

  advance(): void {
    if (!this.#context.policy.isCanonical) return;
    const tableComplete = this.#tableComplete();
    for (
      let next = this.#buffer.first;
      next !== undefined && next.timestamp < tableComplete;
      next = this.#buffer.first
    ) {
      this.#buffer.removeFirst();
      this.#joinLater(next);
    }
    const oldest = this.#buffer.first?.timestamp ?? Infinity;
    const horizon = Math.min(this.#context.watermarkOf(STREAM) - this.#options.graceMs, oldest);
    this.#table.forgetBefore(this.#options.streamStore, horizon);
  }

  #joinLater(record: BufferedRecord): void {
    try {
      this.#join(record, record);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      this.#context.failed(record, record, error);
    }
  }

  #join(record: AnyRecord, time: RecordTime): void {
    const version = this.#table.asOf(record.key, record.timestamp, this.#inTime);
    const row = version?.value ?? null;
    if (row === null && !this.#options.left) return;
    const value = this.#options.joiner(record.value as never, row as never, record.key as never);
    this.#context.emitAt({ key: record.key, value, timestamp: record.timestamp }, time);
  }

  outputWatermark(): number {
    // ow is passed on unchanged, so what is still buffered holds the promise back (TIME.md rule 7).
    return Math.min(this.#context.watermarkOf(STREAM), this.#buffer.leastWatermark);
  }
}
