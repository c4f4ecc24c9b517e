import type { NodeContext, Processor } from '../dsl/node.ts';
import type { SessionWindows } from '../dsl/windows.ts';
import { InvariantError } from '../errors.ts';
import type { AnyRecord } from '../record.ts';
import { keyBytes, keyId } from '../state/key-codec.ts';
import type { MemorySessionStore } from '../state/session-store.ts';
import type { WindowEntry } from '../state/window-store.ts';
import { finalCoordinate } from '../time/coordinate.ts';
import { type FoldFailure, foldInOrder } from './fold-in-order.ts';
import type { WindowAggregateOptions, WindowedInput } from './window-aggregate-options.ts';

/** A session that was changed, or deleted because another has taken it in. */
interface Change {
  readonly entry: WindowEntry;
  readonly isDeleted: boolean;
  /** ow of the record that changed it, ms. */
  readonly originWatermark: number;
}

/**
 * Aggregation per key and session (TIME.md rule 5): a record is accepted when ow <= t + grace, whatever session it would fall into, and joins all sessions
 * of its key within the gap into one; a session closes when M > end + gap + grace. 'final' emits it then with ts = ow = end, in (end, start, key) order;
 * 'updates' emits the last value per changed session before each commit, and a tombstone for a session that became part of another.
 * Under stream-time a record is accepted while the session that it makes is open.
 */
export class SessionAggregate implements Processor<WindowedInput> {
  readonly #options: WindowAggregateOptions;
  readonly #windows: SessionWindows;
  readonly #context: NodeContext;
  readonly #store: MemorySessionStore;
  readonly #pending = new Map<string, Change>();
  /** The least end of those, deleted sessions included, ms. */
  #firstPendingEnd = Infinity;

  constructor(options: WindowAggregateOptions, windows: SessionWindows, context: NodeContext) {
    this.#options = options;
    this.#windows = windows;
    this.#context = context;
    this.#store = context.store<MemorySessionStore>(options.store);
  }

  process({ record }: WindowedInput): void {
    const { policy } = this.#context;
    const { gapMs, graceMs, closeDelayMs } = this.#windows;
    const { key, timestamp } = record;
    if (key === null || key === undefined) return this.#context.dropped(record, 'null key');
    // Kafka Streams counts them in windows, and only there.
    if (policy.isCanonical && (record.value === null || record.value === undefined))
      return this.#context.dropped(record, 'null value');
    const at = this.#context.arrive(record);
    if (policy.isCanonical && at > timestamp + graceMs)
      return this.#late(record, timestamp, timestamp, at - timestamp - graceMs);
    const touched = this.#store.touching(key, timestamp - gapMs, timestamp + gapMs);
    const start = touched.reduce((least, each) => Math.min(least, each.start), timestamp);
    const end = touched.reduce((most, each) => Math.max(most, each.end), timestamp);
    if (at > end + closeDelayMs && !policy.isCanonical) return this.#late(record, start, end, at - end - closeDelayMs);
    if (policy.isCanonical && this.#context.watermark() > end + closeDelayMs) {
      throw new InvariantError(
        'SLC_BUG_ACCEPTED_BUT_CLOSED',
        `session ${start}-${end} is closed for a record that it accepts`,
      );
    }
    // Folded before anything is stored: a record that fails leaves no trace.
    const state = this.#add(record, touched);
    const { originWatermark } = this.#context.time;
    const isNew = start === timestamp && end === timestamp;
    for (const each of touched) {
      this.#store.remove(each);
      if (!isNew) this.#changed({ entry: each, isDeleted: true, originWatermark });
    }
    const entry: WindowEntry = { key, start, end, timestamp: end, originWatermark, ...state };
    this.#store.put(entry);
    this.#changed({ entry, isDeleted: false, originWatermark });
  }

  #late(record: AnyRecord, windowStart: number, windowEnd: number, latenessMs: number): void {
    this.#context.late(record, { reason: 'session closed', latenessMs, windowStart, windowEnd });
  }

  #add(record: AnyRecord, touched: readonly WindowEntry[]): Pick<WindowEntry, 'accumulator' | 'contributors'> {
    const { init, add, merge, commutative } = this.#options;
    if (merge !== undefined && (commutative || !this.#context.policy.isCanonical)) {
      const merged = touched.reduce((all, each) => merge(all as never, each.accumulator as never), init());
      return { accumulator: add(merged as never, record.value as never, record), contributors: undefined };
    }
    const contributors = touched.flatMap((each) => each.contributors ?? []);
    contributors.push([record.timestamp, this.#context.time.coordinate.toString('base64'), record.value]);
    return { accumulator: null, contributors };
  }

  #changed(change: Change): void {
    if (this.#options.emit !== 'updates') return;
    if (!this.#context.policy.isCanonical) return this.#emitChange(change);
    this.#pending.set(keyId(change.entry), change);
    this.#firstPendingEnd = Math.min(this.#firstPendingEnd, change.entry.end);
  }

  flush(): void {
    if (this.#pending.size === 0) return;
    const changes = [...this.#pending.values()];
    this.#pending.clear();
    this.#firstPendingEnd = Infinity;
    for (const change of changes) this.#emitChange(change);
  }

  advance(watermark: number): void {
    const lastEnd = this.#windows.closedUpTo(watermark);
    // Whoever waits for the session to close must know by then that it became part of another.
    if (Math.min(this.#store.firstEnd, this.#firstPendingEnd) > lastEnd) return;
    this.flush();
    for (const entry of this.#store.takeClosed(lastEnd)) this.#close(entry);
  }

  outputWatermark(): number {
    // A session still to come has end + gap + grace >= M, and leaves with ow = end (TIME.md rule 7).
    const watermark = this.#context.watermark();
    return this.#options.emit === 'final' ? watermark - this.#windows.closeDelayMs : watermark;
  }

  #emitChange({ entry, isDeleted, originWatermark }: Change): void {
    const folded = isDeleted ? { result: null } : this.#fold(entry, () => undefined);
    if (folded !== undefined) this.#emit(entry, folded.result, Math.max(entry.end, originWatermark));
  }

  /** Records that cannot be folded go to the dead-letter topic when their session closes: then it is known with which others they are folded. */
  #close(entry: WindowEntry): void {
    const folded = this.#fold(entry, ([timestamp, coordinate, value], error) => {
      const time = { originWatermark: entry.end, coordinate: Buffer.from(coordinate, 'base64') };
      this.#context.failed({ key: entry.key, value, timestamp }, time, error);
    });
    if (this.#options.emit === 'final' && folded !== undefined) this.#emit(entry, folded.result, entry.end);
  }

  #fold(entry: WindowEntry, failed: FoldFailure): { readonly result: unknown } | undefined {
    if (entry.contributors === undefined) return { result: entry.accumulator };
    return foldInOrder(entry.key, entry.contributors, this.#options, failed);
  }

  #emit({ key, start, end }: WindowEntry, value: unknown, originWatermark: number): void {
    const coordinate = finalCoordinate(this.#context.storeNumber, start, end, keyBytes(key));
    this.#context.emitAt({ key: { key, start, end }, value, timestamp: end }, { originWatermark, coordinate });
  }
}
