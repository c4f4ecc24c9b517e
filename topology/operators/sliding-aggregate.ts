import type { NodeContext, Processor } from '../dsl/node.ts';
import type { SlidingWindows } from '../dsl/windows.ts';
import { InvariantError } from '../errors.ts';
import type { AnyRecord } from '../record.ts';
import { Heap } from '../state/heap.ts';
import { keyBytes, keyId, keyText } from '../state/key-codec.ts';
import type { MemorySessionStore } from '../state/session-store.ts';
import type { Contributor, WindowEntry } from '../state/window-store.ts';
import { finalCoordinate } from '../time/coordinate.ts';
import { foldInOrder } from './fold-in-order.ts';
import type { WindowAggregateOptions, WindowedInput } from './window-aggregate-options.ts';

/** A window that may be: it is when it has members. */
interface Candidate {
  readonly key: unknown;
  readonly end: number;
}

const byEndAndKey = (a: Candidate, b: Candidate): number => {
  if (a.end !== b.end) return a.end - b.end;
  const [one, other] = [keyText(a.key), keyText(b.key)];
  return one < other ? -1 : one > other ? 1 : 0;
};

/**
 * Aggregation per key and sliding window [e - d, e] (TIME.md rule 5). A record enters when ow <= t + d + grace and is a member of each window around it
 * with ow <= e + grace. Windows are made by the set of records: e = t of a record with ow <= t + grace, and e = t + 1 + d of any that entered, if it has
 * members. A window closes when M > e + grace. 'final' emits it then with ts = ow = e, in (end, start, key) order; 'updates' emits the last value per
 * changed window before each commit.
 *
 * The store holds the records, one entry per key and instant, until M > t + 1 + d + grace; the node's clock, the end up to which windows are closed.
 */
export class SlidingAggregate implements Processor<WindowedInput> {
  readonly #options: WindowAggregateOptions;
  readonly #windows: SlidingWindows;
  readonly #context: NodeContext;
  readonly #store: MemorySessionStore;
  readonly #candidates = new Heap<Candidate>(byEndAndKey);
  readonly #pending = new Map<string, Candidate & { readonly originWatermark: number }>();

  constructor(options: WindowAggregateOptions, windows: SlidingWindows, context: NodeContext) {
    this.#options = options;
    this.#windows = windows;
    this.#context = context;
    this.#store = context.store<MemorySessionStore>(options.store);
  }

  process({ record }: WindowedInput): void {
    const { differenceMs, graceMs } = this.#windows;
    const { key, value, timestamp } = record;
    if (key === null || key === undefined) return this.#context.dropped(record, 'null key');
    if (value === null || value === undefined) return this.#context.dropped(record, 'null value');
    const ow = this.#context.arrive(record);
    const lastMoment = timestamp + differenceMs + graceMs;
    if (ow > lastMoment) {
      const bounds = { windowStart: timestamp, windowEnd: timestamp + differenceMs };
      return this.#context.late(record, { reason: 'window closed', latenessMs: ow - lastMoment, ...bounds });
    }
    if (this.#context.watermark() > lastMoment) {
      throw new InvariantError(
        'SLC_BUG_ACCEPTED_BUT_CLOSED',
        `all windows around ${timestamp} are closed for a record that they accept`,
      );
    }
    const { init, add, commutative } = this.#options;
    // Where order does not matter a record that fails is found at once, and leaves no trace.
    if (commutative) add(init() as never, value as never, record);
    this.#restoreCandidates();
    const entry = this.#store.get(key, timestamp, timestamp) ?? this.#newEntry(key, timestamp);
    entry.contributors?.push([timestamp, this.#context.time.coordinate.toString('base64'), value, ow]);
    this.#store.touch(entry);
    this.#offer(key, timestamp, ow);
    if (this.#options.emit === 'updates') this.#touchWindows(key, timestamp, ow);
  }

  #newEntry(key: unknown, timestamp: number): WindowEntry {
    const bounds = { start: timestamp, end: timestamp, timestamp };
    const entry: WindowEntry = { key, ...bounds, originWatermark: -Infinity, accumulator: null, contributors: [] };
    this.#store.put(entry);
    return entry;
  }

  /** The windows that a record makes. */
  #offer(key: unknown, timestamp: number, ow: number): void {
    for (const end of this.#endsMadeBy(timestamp, ow)) {
      if (end > this.#context.clock.now) this.#candidates.push({ key, end });
    }
  }

  #endsMadeBy(timestamp: number, ow: number): number[] {
    const next = timestamp + 1 + this.#windows.differenceMs;
    return ow <= timestamp + this.#windows.graceMs ? [timestamp, next] : [next];
  }

  /** After a restart: the windows that the restored records make. */
  #restoreCandidates(): void {
    if (this.#candidates.size > 0) return;
    for (const { key, timestamp, contributors = [] } of this.#store.entries()) {
      for (const contributor of contributors) this.#offer(key, timestamp, owOf(contributor));
    }
  }

  #touchWindows(key: unknown, timestamp: number, originWatermark: number): void {
    const { differenceMs, graceMs } = this.#windows;
    const around = this.#store.touching(key, timestamp - 1 - differenceMs, timestamp + differenceMs);
    const ends = around.flatMap((entry) =>
      (entry.contributors ?? []).flatMap((each) => this.#endsMadeBy(entry.timestamp, owOf(each))),
    );
    for (const end of ends) {
      const holdsIt = end >= timestamp && end <= timestamp + differenceMs && originWatermark <= end + graceMs;
      if (!holdsIt && end !== timestamp + 1 + differenceMs) continue;
      this.#pending.set(`${end}|${keyId(key)}`, { key, end, originWatermark });
    }
  }

  flush(): void {
    if (this.#pending.size === 0) return;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { key, end, originWatermark } of pending) {
      const members = this.#membersOf(key, end);
      const folded = foldInOrder(key, members, this.#options, () => undefined);
      if (folded === undefined) continue;
      const latest = members.reduce((most, [timestamp]) => Math.max(most, timestamp), -Infinity);
      this.#emit({ key, end }, folded.result, latest, Math.max(latest, originWatermark));
    }
  }

  #membersOf(key: unknown, end: number): Contributor[] {
    const { differenceMs, graceMs } = this.#windows;
    return this.#store
      .touching(key, end - differenceMs, end)
      .flatMap((entry) => (entry.contributors ?? []).filter((each) => owOf(each) <= end + graceMs));
  }

  advance(watermark: number): void {
    this.#restoreCandidates();
    const lastEnd = this.#windows.closedUpTo(watermark);
    if ((this.#candidates.peek()?.end ?? Infinity) > lastEnd) return;
    this.flush();
    let before: Candidate | undefined;
    for (
      let next = this.#candidates.peek();
      next !== undefined && next.end <= lastEnd;
      next = this.#candidates.peek()
    ) {
      this.#candidates.pop();
      if (before !== undefined && byEndAndKey(before, next) === 0) continue;
      before = next;
      this.#context.clock.observe(next.end);
      this.#close(next);
    }
  }

  /** Records that cannot be folded go to the dead-letter topic when the first window that holds them closes, and are in no further one. */
  #close({ key, end }: Candidate): void {
    const failures = new Set<Contributor>();
    const members = this.#membersOf(key, end);
    const folded = foldInOrder(key, members, this.#options, (contributor, error) => {
      failures.add(contributor);
      const [timestamp, coordinate, value] = contributor;
      const time = { originWatermark: end, coordinate: Buffer.from(coordinate, 'base64') };
      this.#context.failed({ key, value, timestamp }, time, error);
    });
    if (failures.size > 0) this.#forget(key, failures);
    // No window to come reaches further back.
    const past = end - this.#windows.differenceMs - 1;
    for (const entry of this.#store.touching(key, -Infinity, past)) if (entry.end <= past) this.#store.remove(entry);
    if (this.#options.emit === 'final' && folded !== undefined) this.#emit({ key, end }, folded.result, end, end);
  }

  #forget(key: unknown, failures: ReadonlySet<Contributor>): void {
    for (const [timestamp] of failures) {
      const entry = this.#store.get(key, timestamp, timestamp);
      if (entry === undefined) continue;
      entry.contributors = entry.contributors?.filter((each) => !failures.has(each));
      this.#store.touch(entry);
    }
  }

  outputWatermark(): number {
    // A window still to come has e + grace >= M, and leaves with ow = e (TIME.md rule 7).
    const watermark = this.#context.watermark();
    return this.#options.emit === 'final' ? watermark - this.#windows.closeDelayMs : watermark;
  }

  #emit({ key, end }: Candidate, value: unknown, timestamp: number, originWatermark: number): void {
    const start = end - this.#windows.differenceMs;
    const coordinate = finalCoordinate(this.#context.storeNumber, start, end, keyBytes(key));
    const record: AnyRecord = { key: { key, start, end }, value, timestamp };
    this.#context.emitAt(record, { originWatermark, coordinate });
  }
}

function owOf(contributor: Contributor): number {
  return contributor[3] ?? -Infinity;
}
