import type { NodeContext, Processor } from '../dsl/node.ts';
import { InvariantError } from '../errors.ts';
import type { AnyRecord } from '../record.ts';
import type { JoinEntry, MemoryJoinStore, Side } from '../state/join-store.ts';
import { type Coordinate, pairCoordinate } from '../time/coordinate.ts';
import { keepTime, type RecordTime } from '../time/record-time.ts';
import { aheadOf, joinTwo, leavesAlone, reachOf, type StreamJoinSettings } from './stream-join-options.ts';

const SIDES: readonly Side[] = [0, 1];

/**
 * Stream join by watermark (TIME.md rule 5): a record is accepted when ow <= t + grace. Pairs leave at once, with the larger timestamp and the larger ow;
 * they pass lateness on. A left record is kept until M > t + after + grace, a right one until M > t + before + grace; then it leaves alone, if it found
 * none and the join asks for it, with ow = t.
 */
export class StreamJoin implements Processor<AnyRecord> {
  readonly #settings: StreamJoinSettings;
  readonly #context: NodeContext;
  readonly #store: MemoryJoinStore;

  constructor(settings: StreamJoinSettings, context: NodeContext) {
    this.#settings = settings;
    this.#context = context;
    this.#store = context.store<MemoryJoinStore>(settings.store);
  }

  process(record: AnyRecord, parent: number): void {
    const side: Side = parent === 0 ? 0 : 1;
    const { key, value, timestamp } = record;
    const isKeyless = key === null || key === undefined;
    if (value === null || value === undefined) return this.#context.dropped(record, 'null value');
    if (isKeyless && !leavesAlone(this.#settings, side)) return this.#context.dropped(record, 'null key');
    const latenessMs = this.#context.arrive(record) - (timestamp + this.#settings.graceMs);
    if (latenessMs > 0) return this.#context.late(record, { reason: 'record after the join was complete', latenessMs });
    const time = keepTime(this.#context.time);
    const entry: JoinEntry = { side, key: key ?? null, value, timestamp, ...time, isMatched: false };
    // As in Kafka Streams: without a key there is nobody to wait for.
    if (isKeyless) return this.#alone(entry, time.originWatermark);
    const { from, to } = reachOf(this.#settings, side, timestamp);
    for (const other of this.#store.near(side === 0 ? 1 : 0, key, from, to)) {
      entry.isMatched = true;
      if (!other.isMatched) {
        other.isMatched = true;
        this.#store.touch(other);
      }
      this.#pair(entry, other);
    }
    this.#store.add(entry);
  }

  #pair(entry: JoinEntry, other: JoinEntry): void {
    const [left, right] = entry.side === 0 ? [entry, other] : [other, entry];
    this.#emit(entry, other, {
      timestamp: Math.max(left.timestamp, right.timestamp),
      originWatermark: Math.max(left.originWatermark, right.originWatermark),
      coordinate: pairCoordinate(left.coordinate, right.coordinate),
    });
  }

  #alone(entry: JoinEntry, originWatermark: number): void {
    const none: Coordinate = Buffer.alloc(0);
    const { timestamp, coordinate, side } = entry;
    const pair = side === 0 ? pairCoordinate(coordinate, none) : pairCoordinate(none, coordinate);
    this.#emit(entry, null, { timestamp, originWatermark, coordinate: pair });
  }

  /** A pair that the joiner fails for is a dead letter; it is no matter of the other pairs of its records. */
  #emit(entry: JoinEntry, other: JoinEntry | null, at: RecordTime & { readonly timestamp: number }): void {
    const { key } = entry;
    let value: unknown;
    try {
      value = joinTwo(this.#settings, entry, other);
    } catch (error) {
      if (error instanceof InvariantError) throw error;
      return this.#context.failed({ key, value: entry.value, timestamp: entry.timestamp }, at, error);
    }
    this.#context.emitAt({ key, value, timestamp: at.timestamp }, at);
  }

  advance(watermark: number): void {
    for (const side of SIDES) {
      const horizon = watermark - aheadOf(this.#settings, side) - this.#settings.graceMs;
      for (let next = this.#store.first(side); next !== undefined; next = this.#store.first(side)) {
        if (next.timestamp >= horizon) break;
        this.#store.removeFirst(side);
        if (!next.isMatched && leavesAlone(this.#settings, side)) this.#alone(next, next.timestamp);
      }
    }
  }

  outputWatermark(): number {
    // What may still leave alone has t + ahead + grace >= M, and leaves with ow = t (TIME.md rule 7).
    const { graceMs } = this.#settings;
    const holdBacks = SIDES.filter((side) => leavesAlone(this.#settings, side)).map(
      (side) => aheadOf(this.#settings, side) + graceMs,
    );
    return this.#context.watermark() - Math.max(0, ...holdBacks);
  }
}
