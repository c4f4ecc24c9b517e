import type { NodeContext, Processor } from '../dsl/node.ts';
import type { AnyRecord } from '../record.ts';
import { Heap } from '../state/heap.ts';
import type { JoinEntry, MemoryJoinStore, Side } from '../state/join-store.ts';
import { keyBytes } from '../state/key-codec.ts';
import { keepTime } from '../time/record-time.ts';
import { aheadOf, joinTwo, leavesAlone, reachOf, type StreamJoinSettings } from './stream-join-options.ts';

const SIDES: readonly Side[] = [0, 1];
/** Kafka Streams drops what is too old for its segments of a window store, and segments are at least this long, ms. */
const LEAST_SEGMENT_MS = 60_000;

/** By timestamp, the right side first, then key: the order in which Kafka Streams keeps what waits for a match. */
const byTimeAndSide = (a: JoinEntry, b: JoinEntry): number =>
  a.timestamp - b.timestamp ||
  b.side - a.side ||
  Buffer.compare(keyBytes(a.key), keyBytes(b.key)) ||
  Buffer.compare(a.coordinate, b.coordinate);

/**
 * Stream join under stream-time, as Kafka Streams 4.x does it: a record joins all of the other side that its window store still shows, however late it
 * is itself; it shows those later than its own stream time minus before + after + grace. A record that finds none and is behind its reach already leaves
 * alone at once, even within the grace; another waits until stream time > t + reach + grace, and leaves before the pairs of the record that moves the time.
 */
export class StreamJoinAsTheyCome implements Processor<AnyRecord> {
  readonly #settings: StreamJoinSettings;
  readonly #context: NodeContext;
  readonly #store: MemoryJoinStore;
  readonly #retentionMs: number;
  /** What waits alone; may hold what has been matched since. */
  readonly #waiting = new Heap<JoinEntry>(byTimeAndSide);
  #isResumed = false;

  constructor(settings: StreamJoinSettings, context: NodeContext) {
    this.#settings = settings;
    this.#context = context;
    this.#store = context.store<MemoryJoinStore>(settings.store);
    this.#retentionMs = settings.beforeMs + settings.afterMs + settings.graceMs;
  }

  process(record: AnyRecord, parent: number): void {
    this.#resume();
    const side: Side = parent === 0 ? 0 : 1;
    const { key, value, timestamp } = record;
    const now = this.#context.arrive(record);
    if (value === null || value === undefined) return this.#context.dropped(record, 'null value');
    const entry: JoinEntry = {
      side,
      key: key ?? null,
      value,
      timestamp,
      ...keepTime(this.#context.time),
      isMatched: true,
    };
    if (key === null || key === undefined) {
      if (leavesAlone(this.#settings, side)) return this.#emit(entry, null, timestamp);
      return this.#context.dropped(record, 'null key');
    }
    if (timestamp === now) this.#release(now, side);
    const others = this.#others(entry);
    for (const other of others) {
      if (!other.isMatched) {
        other.isMatched = true;
        this.#store.touch(other);
      }
      this.#emit(entry, other, Math.max(timestamp, other.timestamp));
    }
    if (others.length === 0 && leavesAlone(this.#settings, side)) this.#findsNone(entry, now);
    this.#keep(entry, record);
  }

  /** What the other side's window store shows, the earliest first. */
  #others({ side, key, timestamp }: JoinEntry): JoinEntry[] {
    const other: Side = side === 0 ? 1 : 0;
    const { from, to } = reachOf(this.#settings, side, timestamp);
    const shown = this.#store.lastTimestamp(other) - this.#retentionMs + 1;
    return this.#store.near(other, key, Math.max(0, from, shown), Math.max(0, to));
  }

  #findsNone(entry: JoinEntry, now: number): void {
    if (entry.timestamp + aheadOf(this.#settings, entry.side) < now) return this.#emit(entry, null, entry.timestamp);
    entry.isMatched = false;
    this.#waiting.push(entry);
  }

  #keep(entry: JoinEntry, record: AnyRecord): void {
    const { side, timestamp } = entry;
    const horizon = Math.max(this.#store.lastTimestamp(side), timestamp) - this.#retentionMs;
    const segmentMs = Math.max(Math.floor(this.#retentionMs / 2), LEAST_SEGMENT_MS);
    if (Math.floor(timestamp / segmentMs) < Math.floor(horizon / segmentMs))
      this.#context.dropped(record, 'behind the retention of the join');
    // What is behind the horizon is shown to nobody; it is kept only as long as it may leave alone.
    if (timestamp > horizon || !entry.isMatched) this.#store.add(entry);
    for (let first = this.#store.first(side); first !== undefined; first = this.#store.first(side)) {
      if (first.timestamp > horizon || !first.isMatched) return;
      this.#store.removeFirst(side);
    }
  }

  /** Lets those leave alone that nobody in time can match any more. Kafka Streams looks only when the earliest is out of the reach of `side`. */
  #release(now: number, side: Side): void {
    const { graceMs } = this.#settings;
    const first = this.#firstWaiting();
    if (first === undefined || first.timestamp + aheadOf(this.#settings, side) + graceMs >= now) return;
    const open: JoinEntry[] = [];
    const isOpen = new Set<Side>();
    for (let next = this.#firstWaiting(); next !== undefined && isOpen.size < 2; next = this.#firstWaiting()) {
      this.#waiting.pop();
      if (next.timestamp + aheadOf(this.#settings, next.side) + graceMs >= now) {
        isOpen.add(next.side);
        open.push(next);
        continue;
      }
      next.isMatched = true;
      this.#store.touch(next);
      this.#emit(next, null, next.timestamp);
    }
    for (const entry of open) this.#waiting.push(entry);
  }

  #firstWaiting(): JoinEntry | undefined {
    for (let entry = this.#waiting.peek(); entry !== undefined; entry = this.#waiting.peek()) {
      if (!entry.isMatched) return entry;
      this.#waiting.pop();
    }
    return undefined;
  }

  #emit(entry: JoinEntry, other: JoinEntry | null, timestamp: number): void {
    const value = joinTwo(this.#settings, entry, other);
    this.#context.emitAt({ key: entry.key, value, timestamp }, this.#context.time);
  }

  /** After a restart: what waits, from the store. */
  #resume(): void {
    if (this.#isResumed) return;
    this.#isResumed = true;
    for (const side of SIDES) {
      for (const entry of this.#store.entries(side)) if (!entry.isMatched) this.#waiting.push(entry);
    }
  }
}
