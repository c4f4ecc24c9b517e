import type { NodeContext, Processor } from '../dsl/node.ts';
import type { FixedWindows } from '../dsl/windows.ts';
import { InvariantError } from '../errors.ts';
import type { StreamRecord, WindowKey } from '../record.ts';
import type { WindowEntry, WindowStore } from '../state/window-store.ts';
import { keyText } from '../state/key-codec.ts';
import { FinalTime } from '../time/final-time.ts';
import { type FoldFailure, foldInOrder } from './fold-in-order.ts';
import type { WindowAggregateOptions, WindowedInput } from './window-aggregate-options.ts';

/**
 * Aggregation per key and window [s,e) (TIME.md rule 5): a record enters a window when ow < e + grace, the window closes when M >= e + grace.
 * 'final' emits once at close with ts = ow = e-1, in (end, start, key) order; 'updates' emits the last value per changed key before each commit.
 * A record that one of its windows no longer accepts goes to the late topic once for each such window, and counts in the others.
 */
export class FixedAggregate implements Processor<WindowedInput> {
  readonly #options: WindowAggregateOptions;
  readonly #context: NodeContext;
  readonly #windows: FixedWindows;
  readonly #store: WindowStore;
  readonly #bounds: number[] = [];
  readonly #time: FinalTime;

  constructor(options: WindowAggregateOptions, windows: FixedWindows, context: NodeContext) {
    this.#options = options;
    this.#context = context;
    this.#windows = windows;
    this.#store = context.store<WindowStore>(options.store);
    this.#time = new FinalTime(context.storeNumber);
  }

  process(input: WindowedInput): void {
    const { record } = input;
    if (record.key === null || record.key === undefined) return this.#context.dropped(record, 'null key');
    const { policy } = this.#context;
    // Kafka Streams counts them in windows, and only there.
    if (policy.isCanonical && (record.value === null || record.value === undefined))
      return this.#context.dropped(record, 'null value');
    const ow = this.#context.arrive(record);
    const grace = this.#windows.graceMs;
    this.#bounds.length = 0;
    this.#windows.windowsOf(record.timestamp, this.#bounds);
    for (let i = 0; i < this.#bounds.length; i += 2) {
      const start = this.#bounds[i] ?? 0;
      const end = this.#bounds[i + 1] ?? 0;
      if (start < 0 && !policy.isCanonical) continue; // Kafka Streams has no window before the epoch
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

  get #foldsAtOnce(): boolean {
    return this.#options.commutative || !this.#context.policy.isCanonical;
  }

  #add(record: StreamRecord<unknown, unknown>, start: number, end: number): void {
    const { init, add } = this.#options;
    const folds = this.#foldsAtOnce;
    const known = this.#store.get(record.key, start, end);
    const { time } = this.#context;
    // Folded before anything is stored: a record that fails leaves no trace, not even an empty window.
    const before = folds ? (known?.accumulator ?? init()) : null;
    const accumulator = folds ? add(before as never, record.value as never, record) : null;
    const entry = known ?? this.#store.add(record.key, start, end, accumulator, !folds);
    entry.accumulator = accumulator;
    entry.contributors?.push([record.timestamp, time.coordinate.toString('base64'), record.value]);
    if (record.timestamp > entry.timestamp) entry.timestamp = record.timestamp;
    if (time.originWatermark > entry.originWatermark) entry.originWatermark = time.originWatermark;
    this.#store.touch(entry);
  }

  advance(watermark: number): void {
    const lastEnd = this.#windows.closedUpTo(watermark);
    if (this.#store.firstEnd > lastEnd) return;
    const isFinal = this.#options.emit === 'final';
    // Those that stay open have time until the commit, and may change once more.
    if (!isFinal) this.#update(this.#store.takePending(lastEnd));
    for (const entry of this.#store.takeClosed(lastEnd, isFinal)) this.#close(entry);
  }

  flush(): void {
    if (this.#options.emit === 'updates') this.#update(this.#store.takePending());
  }

  #update(changed: readonly WindowEntry[]): void {
    for (const entry of changed) {
      const folded = this.#fold(entry, () => undefined);
      if (folded === undefined) continue;
      // The last contributor was read in this commit, so its ow is at least whatever was promised before it.
      const originWatermark = Math.max(entry.timestamp, entry.originWatermark);
      this.#emit(entry, folded.result, entry.timestamp, originWatermark);
    }
  }

  /** Records that cannot be folded go to the dead-letter topic when their window closes: then it is known with which others they are folded. */
  #close(entry: WindowEntry): void {
    const last = entry.end - 1;
    const folded = this.#fold(entry, ([timestamp, coordinate, value], error) => {
      const time = { originWatermark: last, coordinate: Buffer.from(coordinate, 'base64') };
      this.#context.failed({ key: entry.key, value, timestamp }, time, error);
    });
    if (this.#options.emit !== 'final' || folded === undefined) return;
    this.#emit(entry, folded.result, this.#context.policy.resultTimestamp(last, entry.timestamp), last);
  }

  outputWatermark(): number {
    // A final still to come has e + grace > M, so its ow = e-1 >= M - grace (TIME.md rule 7). Updates leave before the promise is written.
    const watermark = this.#context.watermark();
    return this.#options.emit === 'final' ? watermark - this.#windows.closeDelayMs : watermark;
  }

  #emit(entry: WindowEntry, value: unknown, timestamp: number, originWatermark: number): void {
    const key: WindowKey<unknown> = { key: entry.key, start: entry.start, end: entry.end };
    this.#time.set(originWatermark, entry.start, entry.end, keyText(entry.key));
    this.#context.emitAt({ key, value, timestamp }, this.#time);
  }

  /** undefined when not one record could be folded. */
  #fold(entry: WindowEntry, failed: FoldFailure): { readonly result: unknown } | undefined {
    if (entry.contributors === undefined) return { result: entry.accumulator };
    return foldInOrder(entry.key, entry.contributors, this.#options, failed);
  }
}
