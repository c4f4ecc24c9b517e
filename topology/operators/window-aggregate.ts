import type { CreateProcessor, Emit, NodeContext, Processor } from '../dsl/node.ts';
import type { Windows } from '../dsl/windows.ts';
import { InvariantError } from '../errors.ts';
import type { AnyRecord, StreamRecord, WindowKey } from '../record.ts';
import type { Contributor, MemoryWindowStore, WindowEntry } from '../state/window-store.ts';
import { keyBytes } from '../state/key-codec.ts';
import { finalCoordinate } from '../time/coordinate.ts';

/** What a window aggregation does. `commutative`: the order of contributors does not matter, so no contributor is kept. */
export interface WindowAggregateOptions {
  readonly store: string;
  readonly emit: Emit;
  readonly init: () => unknown;
  readonly add: (accumulator: never, value: never, record: AnyRecord) => unknown;
  readonly commutative: boolean;
}

/** What windowedBy hands over: the record with its windows. */
interface WindowedInput {
  readonly record: StreamRecord<unknown, unknown>;
}

/**
 * Aggregation per key and window [s,e) (TIME.md rule 5): a record enters a window when ow < e + grace, the window closes when M >= e + grace.
 * 'final' emits once at close with ts = ow = e-1, in (end, start, key) order; 'updates' emits the last value per changed key before each commit.
 * A record that one of its windows no longer accepts goes to the late topic once for each such window, and counts in the others.
 */
export function windowAggregate(options: WindowAggregateOptions): CreateProcessor<WindowedInput, AnyRecord> {
  return (context) => new WindowAggregate(options, context);
}

class WindowAggregate implements Processor<WindowedInput> {
  readonly #options: WindowAggregateOptions;
  readonly #context: NodeContext;
  readonly #windows: Windows;
  readonly #store: MemoryWindowStore;
  readonly #bounds: number[] = [];

  constructor(options: WindowAggregateOptions, context: NodeContext) {
    if (context.windows === undefined)
      throw new InvariantError('SLC_BUG_TOPOLOGY', 'a window aggregation has no windows');
    this.#options = options;
    this.#context = context;
    this.#windows = context.windows;
    this.#store = context.store<MemoryWindowStore>(options.store);
  }

  process(input: WindowedInput): void {
    const { record } = input;
    if (record.key === null || record.key === undefined) return this.#context.dropped(record, 'null key');
    if (record.value === null || record.value === undefined) return this.#context.dropped(record, 'null value');
    const ow = this.#context.time.originWatermark;
    const grace = this.#windows.graceMs;
    this.#bounds.length = 0;
    this.#windows.windowsOf(record.timestamp, this.#bounds);
    for (let i = 0; i < this.#bounds.length; i += 2) {
      const start = this.#bounds[i] ?? 0;
      const end = this.#bounds[i + 1] ?? 0;
      if (ow >= end + grace) {
        const latenessMs = ow - (end + grace) + 1;
        this.#context.late(record, { reason: 'window closed', latenessMs, windowStart: start, windowEnd: end });
        continue;
      }
      if (this.#context.watermark() >= end + grace) {
        throw new InvariantError(
          'SLC_BUG_ACCEPTED_BUT_CLOSED',
          `window ${start}-${end} is closed for a record that it accepts`,
        );
      }
      this.#add(record, start, end);
    }
  }

  #add(record: StreamRecord<unknown, unknown>, start: number, end: number): void {
    const { init, commutative } = this.#options;
    const entry =
      this.#store.get(record.key, start, end) ??
      this.#store.add(record.key, start, end, commutative ? init() : null, !commutative);
    if (entry.contributors === undefined) {
      entry.accumulator = this.#options.add(entry.accumulator as never, record.value as never, record);
    } else {
      entry.contributors.push([record.timestamp, this.#context.time.coordinate.toString('base64'), record.value]);
    }
    if (record.timestamp > entry.timestamp) entry.timestamp = record.timestamp;
    this.#store.touch(entry);
  }

  advance(watermark: number): void {
    const lastEnd = watermark - this.#windows.graceMs;
    if (this.#store.firstEnd > lastEnd) return;
    if (this.#options.emit === 'updates') this.flush();
    for (const entry of this.#store.takeClosed(lastEnd)) {
      if (this.#options.emit === 'final') this.#emit(entry, entry.end - 1);
    }
  }

  flush(): void {
    if (this.#options.emit !== 'updates') return;
    for (const entry of this.#store.takePending()) this.#emit(entry, entry.timestamp);
  }

  outputWatermark(): number {
    // A final still to come has e + grace > M, so its ow = e-1 >= M - grace (TIME.md rule 7). Updates leave before the promise is written.
    const watermark = this.#context.watermark();
    return this.#options.emit === 'final' ? watermark - this.#windows.graceMs : watermark;
  }

  #emit(entry: WindowEntry, timestamp: number): void {
    const key: WindowKey<unknown> = { key: entry.key, start: entry.start, end: entry.end };
    const originWatermark =
      this.#options.emit === 'final' ? entry.end - 1 : Math.max(timestamp, this.#context.watermark());
    const coordinate = finalCoordinate(this.#context.storeNumber, entry.start, entry.end, keyBytes(entry.key));
    this.#context.emitAt({ key, value: this.#result(entry), timestamp }, { originWatermark, coordinate });
  }

  #result(entry: WindowEntry): unknown {
    if (entry.contributors === undefined) return entry.accumulator;
    return foldInOrder(entry.contributors, this.#options);
  }
}

/** Folds contributors in canonical (timestamp, coordinate) order (TIME.md rule 10). */
export function foldInOrder(contributors: Contributor[], options: WindowAggregateOptions): unknown {
  const sorted = contributors
    .map((each) => ({ each, coordinate: Buffer.from(each[1], 'base64') }))
    .sort((a, b) => a.each[0] - b.each[0] || Buffer.compare(a.coordinate, b.coordinate));
  let accumulator = options.init();
  for (const { each } of sorted) {
    const record: AnyRecord = { key: null, value: each[2], timestamp: each[0] };
    accumulator = options.add(accumulator as never, each[2] as never, record);
  }
  return accumulator;
}
