import type { NodeContext, Processor } from '../dsl/node.ts';
import type { FixedWindows } from '../dsl/windows.ts';
import { InvariantError } from '../errors.ts';
import type { StreamRecord, WindowKey } from '../record.ts';
import { keyText } from '../state/key-codec.ts';
import type { WindowEntry, WindowStore } from '../state/window-store.ts';
import { FinalTime } from '../time/final-time.ts';
import type { WindowAggregateOptions, WindowedInput } from './window-aggregate-options.ts';

interface Marked extends WindowEntry {
  /** The flush that it has changed for. */
  flush?: number;
}

/**
 * What FixedAggregate does, for updates of hopping windows whose sums can be added: a record is put into one pane of `advance` instead of into each window
 * that holds it, and a row adds the panes of its window. One entry and one changelog row instead of four per record for 1 h every 15 min.
 * In the store a pane lies under [its start, 1 ms behind the end of the last window that holds it). A record that is late for some of its windows counts
 * in the others alone: these sums of their own lie under [start, end) of the window.
 */
export class PaneAggregate implements Processor<WindowedInput> {
  readonly #options: WindowAggregateOptions;
  readonly #context: NodeContext;
  readonly #windows: FixedWindows;
  readonly #store: WindowStore;
  readonly #time: FinalTime;
  readonly #paneMs: number;
  readonly #bounds: number[] = [];
  /** What the key in hand has open around the entry in hand. */
  readonly #near: Marked[] = [];
  #flushes = 0;
  /** Windows that end up to here are closed, ms. */
  #closed = -Infinity;

  constructor(options: WindowAggregateOptions, windows: FixedWindows, paneMs: number, context: NodeContext) {
    this.#options = options;
    this.#context = context;
    this.#windows = windows;
    this.#paneMs = paneMs;
    this.#store = context.store<WindowStore>(options.store);
    this.#time = new FinalTime(context.storeNumber);
  }

  process({ record }: WindowedInput): void {
    if (record.key === null || record.key === undefined) return this.#context.dropped(record, 'null key');
    if (record.value === null || record.value === undefined) return this.#context.dropped(record, 'null value');
    const ow = this.#context.arrive(record);
    const pane = Math.floor(record.timestamp / this.#paneMs) * this.#paneMs;
    const { graceMs, sizeMs } = this.#windows;
    // The end of the first window that holds it.
    const firstClose = pane + this.#paneMs + graceMs;
    if (ow >= firstClose) return this.#spread(record, ow);
    this.#check(firstClose);
    this.#add(record, pane, pane + sizeMs + 1);
  }

  /** Late for one of its windows at least. */
  #spread(record: StreamRecord<unknown, unknown>, ow: number): void {
    this.#bounds.length = 0;
    this.#windows.windowsOf(record.timestamp, this.#bounds);
    for (let i = 0; i < this.#bounds.length; i += 2) {
      const windowStart = this.#bounds[i] ?? 0;
      const windowEnd = this.#bounds[i + 1] ?? 0;
      const close = windowEnd + this.#windows.graceMs;
      if (ow >= close) {
        this.#context.late(record, { reason: 'window closed', latenessMs: ow - close + 1, windowStart, windowEnd });
        continue;
      }
      this.#check(close);
      this.#add(record, windowStart, windowEnd);
    }
  }

  #check(close: number): void {
    if (this.#context.watermark() < close) return;
    throw new InvariantError('SLC_BUG_ACCEPTED_BUT_CLOSED', `a window that ends at ${close} is closed for a record`);
  }

  #add(record: StreamRecord<unknown, unknown>, start: number, end: number): void {
    const { init, add } = this.#options;
    const known = this.#store.get(record.key, start, end);
    // Added before anything is stored: a record that fails leaves no trace.
    const accumulator = add((known?.accumulator ?? init()) as never, record.value as never, record);
    const entry = known ?? this.#store.add(record.key, start, end, accumulator, false);
    entry.accumulator = accumulator;
    const { originWatermark } = this.#context.time;
    if (record.timestamp > entry.timestamp) entry.timestamp = record.timestamp;
    if (originWatermark > entry.originWatermark) entry.originWatermark = originWatermark;
    this.#store.touch(entry);
  }

  /** What closes says its last word now; the other windows of its entries have time until the commit. */
  advance(watermark: number): void {
    const lastEnd = this.#windows.closedUpTo(watermark);
    if (!(Math.floor(lastEnd / this.#paneMs) > Math.floor(this.#closed / this.#paneMs))) return;
    this.#update(this.#store.pending(), this.#closed, lastEnd);
    this.#closed = lastEnd;
  }

  /** Rows first: a row of a window that has just closed needs all of its panes. */
  flush(): void {
    this.#update(this.#store.takePending(), this.#closed, Infinity);
    if (this.#store.firstEnd <= this.#closed) for (const _ of this.#store.takeClosed(this.#closed, false));
  }

  /** The rows of the windows that end in (after, upTo] and have changed. */
  #update(changed: readonly WindowEntry[], after: number, upTo: number): void {
    const flush = ++this.#flushes;
    const { sizeMs } = this.#windows;
    for (const entry of changed) (entry as Marked).flush = flush;
    for (const entry of changed) {
      const isPane = this.#isPane(entry);
      const first = isPane ? entry.start + this.#paneMs - sizeMs : entry.start;
      if (entry.start + sizeMs <= after || first + sizeMs > upTo) continue;
      this.#near.length = 0;
      this.#store.collect(entry.key, first, entry.start + sizeMs - this.#paneMs, this.#near);
      for (let start = first; start <= entry.start; start += this.#paneMs) {
        const end = start + sizeMs;
        if (end > after && end <= upTo) this.#emit(entry, isPane, start, flush);
      }
    }
  }

  outputWatermark(): number {
    // Updates leave before the promise is written.
    return this.#context.watermark();
  }

  #isPane(entry: WindowEntry): boolean {
    return entry.end - entry.start > this.#windows.sizeMs;
  }

  /** The row of the window that begins at `start`, once per flush: by its own entry, else by the last of its panes that have changed. */
  #emit(by: Marked, isPane: boolean, start: number, flush: number): void {
    const end = start + this.#windows.sizeMs;
    let sum: unknown;
    let timestamp = -Infinity;
    let ow = -Infinity;
    for (const each of this.#near) {
      const isOther = this.#isPane(each) ? each.start < start || each.start >= end : each.start !== start;
      if (isOther) continue;
      const isLast = isPane && each !== by && each.flush === flush && (each.start > by.start || !this.#isPane(each));
      if (isLast) return;
      sum = sum === undefined ? each.accumulator : this.#merge(sum, each.accumulator);
      if (each.timestamp > timestamp) timestamp = each.timestamp;
      if (each.originWatermark > ow) ow = each.originWatermark;
    }
    // The last contributor was read in this commit, so its ow is at least whatever was promised before it.
    this.#time.set(Math.max(timestamp, ow), start, end, keyText(by.key));
    const key: WindowKey<unknown> = { key: by.key, start, end };
    this.#context.emitAt({ key, value: sum, timestamp }, this.#time);
  }

  #merge(a: unknown, b: unknown): unknown {
    return this.#options.merge?.(a as never, b as never);
  }
}
