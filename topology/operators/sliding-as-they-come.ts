import type { NodeContext, Processor } from '../dsl/node.ts';
import type { SlidingWindows } from '../dsl/windows.ts';
import type { AnyRecord } from '../record.ts';
import { keyBytes } from '../state/key-codec.ts';
import { Heap } from '../state/heap.ts';
import type { MemorySessionStore } from '../state/session-store.ts';
import type { WindowEntry } from '../state/window-store.ts';
import { finalCoordinate } from '../time/coordinate.ts';
import type { WindowAggregateOptions, WindowedInput } from './window-aggregate-options.ts';

/** What a window holds at an instant: taken before a record changes it. */
type Content = Pick<WindowEntry, 'accumulator' | 'timestamp'>;

/** What was found around a record's timestamp t, before the record. */
interface Around {
  /** The window that begins right behind t is there. */
  rightExists: boolean;
  /** The window that ends at t is there. */
  leftExists: boolean;
  /** Content of the window that begins last among those that hold t: what lies behind t. */
  behind: Content | undefined;
  /** Content of the window that ends last before t: what lies before t. */
  before: Content | undefined;
  /** Timestamp of the record before t, ms. */
  previous: number | undefined;
}

/**
 * Sliding windows under stream-time, as Kafka Streams keeps them: one accumulator per window [s, s + d]. A record updates the windows that hold it, and
 * makes up to three: the one behind the record before it, the one that ends at it, and the one that begins right behind it. All these windows take it
 * only while stream time <= end + grace. Windows do not begin before the epoch: records of the first d ms share [0, d].
 */
export class SlidingAsTheyCome implements Processor<WindowedInput> {
  readonly #options: WindowAggregateOptions;
  readonly #windows: SlidingWindows;
  readonly #context: NodeContext;
  readonly #store: MemorySessionStore;
  /** Largest start of any window: windows far enough before it nobody asks for any more. */
  #lastStart = -Infinity;
  /** Windows that are to be emitted when they close; 'final' only. */
  readonly #open = new Heap<WindowEntry>((a, b) => a.end - b.end || Buffer.compare(keyBytes(a.key), keyBytes(b.key)));
  #isResumed = false;

  constructor(options: WindowAggregateOptions, windows: SlidingWindows, context: NodeContext) {
    this.#options = options;
    this.#windows = windows;
    this.#context = context;
    this.#store = context.store<MemorySessionStore>(options.store);
  }

  process({ record }: WindowedInput): void {
    const { differenceMs, closeDelayMs } = this.#windows;
    const { key, value, timestamp } = record;
    if (key === null || key === undefined) return this.#context.dropped(record, 'null key');
    if (value === null || value === undefined) return this.#context.dropped(record, 'null value');
    if (timestamp < 0) return this.#context.dropped(record, 'before the epoch');
    this.#resume();
    const at = this.#context.arrive(record);
    const lastEnd = timestamp + 1 + differenceMs;
    if (lastEnd <= at - closeDelayMs) {
      const bounds = { windowStart: timestamp, windowEnd: timestamp + differenceMs };
      const latenessMs = at - closeDelayMs - lastEnd + 1;
      return this.#context.late(record, { reason: 'window closed', latenessMs, ...bounds });
    }
    if (timestamp < differenceMs) this.#early(record);
    else this.#slide(record);
  }

  #slide(record: AnyRecord): void {
    const { timestamp: t } = record;
    const d = this.#windows.differenceMs;
    const around: Around = {
      rightExists: false,
      leftExists: false,
      behind: undefined,
      before: undefined,
      previous: undefined,
    };
    for (const entry of this.#visible(record.key, Math.max(0, t - 2 * d), t + 1).toReversed()) {
      if (entry.start === t + 1) {
        around.rightExists = true;
      } else if (entry.end > t) {
        around.behind ??= contentOf(entry);
        this.#update(entry, record);
      } else if (entry.end === t) {
        around.leftExists = true;
        const { timestamp: latest } = entry;
        this.#update(entry, record);
        if (latest >= t) return; // another record of this instant has made all the windows
        around.previous = latest;
      } else {
        around.before = contentOf(entry);
        around.previous = entry.timestamp;
        break;
      }
    }
    this.#create(record, around);
  }

  #create(record: AnyRecord, { rightExists, leftExists, behind, before, previous }: Around): void {
    const { key, timestamp: t } = record;
    const d = this.#windows.differenceMs;
    if (previous !== undefined && previous + 1 + d >= t) this.#createBehind(record, previous);
    if (!leftExists) {
      const accumulator =
        previous !== undefined && previous >= t - d && before !== undefined ? before.accumulator : this.#options.init();
      this.#update(this.#entry(key, t - d, { accumulator, timestamp: t }), record);
    }
    if (!rightExists) this.#createRight(record, behind);
  }

  /** The window behind the record before this one. */
  #createBehind(record: AnyRecord, previous: number): void {
    const { differenceMs } = this.#windows;
    if (this.#store.get(record.key, previous + 1, previous + 1 + differenceMs) !== undefined) return;
    const fresh: Content = { accumulator: this.#options.init(), timestamp: record.timestamp };
    this.#update(this.#entry(record.key, previous + 1, fresh), record);
  }

  /** The window right behind this record, if something lies there; the record itself is not in it. */
  #createRight({ key, timestamp }: AnyRecord, behind: Content | undefined): void {
    if (behind === undefined || behind.timestamp <= timestamp) return;
    const entry = this.#entry(key, timestamp + 1, behind);
    this.#put(entry);
    this.#forward(entry);
  }

  /** A record of the first d ms: they all are in [0, d]. */
  #early(record: AnyRecord): void {
    const { key, timestamp: t } = record;
    let combined: WindowEntry | undefined;
    let behind: Content | undefined;
    let previous: number | undefined;
    let rightExists = false;
    for (const entry of this.#visible(key, 0, t + 1)) {
      if (entry.start === 0) {
        combined = entry;
        if (entry.timestamp < t) previous = entry.timestamp;
      } else if (entry.start <= t) {
        behind = contentOf(entry);
        this.#update(entry, record);
      } else {
        rightExists = true;
      }
    }
    if (behind === undefined && combined !== undefined && combined.timestamp > t) behind = contentOf(combined);
    if (!rightExists) this.#createRight(record, behind);
    if (previous !== undefined) this.#createBehind(record, previous);
    this.#update(combined ?? this.#entry(key, 0, { accumulator: this.#options.init(), timestamp: t }), record);
  }

  /** Windows that begin in [from, to], by start. */
  #visible(key: unknown, from: number, to: number): WindowEntry[] {
    const oldest = this.#horizon();
    const { differenceMs } = this.#windows;
    return this.#store
      .touching(key, from + differenceMs, to)
      .filter((entry) => entry.start >= from && entry.start > oldest);
  }

  /** Windows that begin at or before it are needed by no record that could still be taken. */
  #horizon(): number {
    return this.#lastStart - 2 * this.#windows.differenceMs - this.#windows.graceMs;
  }

  #entry(key: unknown, start: number, { accumulator, timestamp }: Content): WindowEntry {
    const end = start + this.#windows.differenceMs;
    return { key, start, end, accumulator, timestamp, originWatermark: -Infinity, contributors: undefined };
  }

  /** Adds the record to a window, if that is open. */
  #update(entry: WindowEntry, record: AnyRecord): void {
    const closed = this.#context.watermark() - this.#windows.closeDelayMs;
    if (entry.end < closed) {
      const bounds = { windowStart: entry.start, windowEnd: entry.end };
      return this.#context.late(record, { reason: 'window closed', latenessMs: closed - entry.end, ...bounds });
    }
    const { key, value, timestamp } = record;
    const plain: AnyRecord = { key, value, timestamp };
    entry.accumulator = this.#options.add(entry.accumulator as never, value as never, plain);
    entry.timestamp = Math.max(entry.timestamp, timestamp);
    this.#put(entry);
    this.#forward(entry);
  }

  #put(entry: WindowEntry): void {
    if (this.#options.emit === 'final' && this.#store.get(entry.key, entry.start, entry.end) === undefined)
      this.#open.push(entry);
    this.#store.put(entry);
    if (entry.start > this.#lastStart) this.#lastStart = entry.start;
  }

  #forward(entry: WindowEntry): void {
    if (this.#options.emit === 'updates') this.#emit(entry);
  }

  advance(watermark: number): void {
    this.#resume();
    const lastEnd = this.#windows.closedUpTo(watermark);
    if (this.#options.emit === 'final') this.#emitClosed(lastEnd);
    const horizon = this.#horizon();
    const past = Math.min(horizon + this.#windows.differenceMs, lastEnd);
    this.#store.takeClosed(past);
  }

  #emitClosed(lastEnd: number): void {
    for (let next = this.#open.peek(); next !== undefined && next.end <= lastEnd; next = this.#open.peek()) {
      this.#open.pop();
      this.#emit(next);
    }
  }

  /** After a restart: all that can be told from the store and the clock. What is closed at the clock has been emitted. */
  #resume(): void {
    if (this.#isResumed) return;
    this.#isResumed = true;
    const emitted = this.#windows.closedUpTo(this.#context.clock.now);
    for (const entry of this.#store.entries()) {
      this.#lastStart = Math.max(this.#lastStart, entry.start);
      if (this.#options.emit === 'final' && entry.end > emitted) this.#open.push(entry);
    }
  }

  #emit({ key, start, end, accumulator, timestamp }: WindowEntry): void {
    const coordinate = finalCoordinate(this.#context.storeNumber, start, end, keyBytes(key));
    const time = { originWatermark: timestamp, coordinate };
    this.#context.emitAt({ key: { key, start, end }, value: accumulator, timestamp }, time);
  }
}

function contentOf({ accumulator, timestamp }: WindowEntry): Content {
  return { accumulator, timestamp };
}
