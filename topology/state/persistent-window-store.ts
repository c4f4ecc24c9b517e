import { behindPrefix } from './disk-table.ts';
import type { ChangelogEntry } from './store.ts';
import { estimate, type PersistentStore, type StoreMirror } from './store-mirror.ts';
import { type Held, Sweep } from './sweep.ts';
import {
  byKey,
  decodeWindowEntry,
  encodeWindowEntry,
  parseWindowEntryKey,
  type WindowEntry,
  windowEntryKey,
  type WindowStore,
} from './window-store.ts';

interface Cell extends WindowEntry, Held {}

interface Bucket {
  readonly start: number;
  readonly end: number;
  readonly entries: Map<unknown, Cell>;
  /** Entries that are on disk and not in memory. */
  away: number;
}

/**
 * Windows above a file: which windows are open is known in memory, and how many entries each has; what was used lately is there as objects. An entry
 * that comes back from disk has no ow, as after a restart. Changelog as in memory.
 */
export class PersistentWindowStore implements WindowStore, PersistentStore {
  readonly name: string;
  readonly #mirror: StoreMirror;
  readonly #buckets = new Map<number, Map<number, Bucket>>();
  readonly #dirty = new Map<Cell, boolean>();
  readonly #pending = new Set<WindowEntry>();
  #size = 0;
  #firstEnd = Infinity;
  readonly #sweep: Sweep<Cell>;

  constructor(name: string, mirror: StoreMirror) {
    this.name = name;
    this.#mirror = mirror;
    this.#sweep = new Sweep(mirror, {
      held: () => this.#cells(),
      isBusy: (cell) => this.#dirty.has(cell),
      letGo: ({ key, start, end }) => {
        const bucket = this.#bucket(start, end);
        bucket.entries.delete(key);
        bucket.away++;
      },
    });
  }

  get size(): number {
    return this.#size;
  }

  get firstEnd(): number {
    return this.#firstEnd;
  }

  attach(): void {
    const { table } = this.#mirror;
    let from: Buffer | undefined = Buffer.alloc(0);
    while (from !== undefined) {
      const [first] = table.page(from, undefined, 1);
      if (first === undefined) break;
      const prefix = first.key.subarray(0, 16);
      const behind = behindPrefix(prefix);
      const bucket = this.#bucket(Number(prefix.readBigInt64BE(0)), Number(prefix.readBigInt64BE(8)));
      bucket.away = table.count(prefix, behind);
      this.#size += bucket.away;
      from = behind;
    }
  }

  diskKey(changelogKey: Uint8Array): Uint8Array {
    return changelogKey;
  }

  get(key: unknown, start: number, end: number): WindowEntry | undefined {
    const bucket = this.#buckets.get(start)?.get(end);
    if (bucket === undefined) return undefined;
    const cell = bucket.entries.get(key);
    if (cell === undefined) return bucket.away === 0 ? undefined : this.#take(bucket, key);
    cell.isUsed = true;
    return cell;
  }

  collect(key: unknown, from: number, to: number, into: WindowEntry[]): void {
    const starts = [...this.#buckets.keys()].filter((start) => start >= from && start <= to).sort((a, b) => a - b);
    for (const start of starts) {
      const ends = [...(this.#buckets.get(start)?.keys() ?? [])].sort((a, b) => a - b);
      for (const end of ends) {
        const entry = this.get(key, start, end);
        if (entry !== undefined) into.push(entry);
      }
    }
  }

  add(key: unknown, start: number, end: number, accumulator: unknown, ordered: boolean): WindowEntry {
    const content = { timestamp: -Infinity, accumulator, contributors: ordered ? [] : undefined };
    const cell = newCell({ key, start, end }, content, estimate(0), this.#mirror.epoch);
    this.#insert(this.#bucket(start, end), cell);
    this.#size++;
    return cell;
  }

  touch(entry: WindowEntry): void {
    this.#dirty.set(entry as Cell, true);
    this.#pending.add(entry);
  }

  pending(): readonly WindowEntry[] {
    return [...this.#pending];
  }

  takePending(lastEnd = Infinity): WindowEntry[] {
    const pending = [...this.#pending].filter((entry) => entry.end <= lastEnd);
    for (const entry of pending) this.#pending.delete(entry);
    return pending;
  }

  /** Window by window, so that not more than one is in memory only to be closed. To be taken to the end. */
  *takeClosed(lastEnd: number): IterableIterator<WindowEntry> {
    const closed = this.#all().filter((bucket) => bucket.end <= lastEnd);
    closed.sort((a, b) => a.end - b.end || a.start - b.start);
    for (const bucket of closed) {
      const entries = this.#whole(bucket);
      this.#forget(bucket);
      this.#size -= entries.length;
      for (const cell of entries) {
        this.#dirty.set(cell, false);
        this.#pending.delete(cell);
      }
      yield* entries;
    }
  }

  takeChanges(): ChangelogEntry[] {
    const changes: ChangelogEntry[] = [];
    for (const [cell, isOpen] of this.#dirty) {
      const key = windowEntryKey(cell);
      const value = isOpen ? encodeWindowEntry(cell) : null;
      changes.push({ key, value, timestamp: Math.max(0, cell.end - 1) });
      if (value === null) continue;
      cell.epoch = this.#mirror.epoch;
      this.#resize(cell, estimate(key.length + value.length));
    }
    this.#dirty.clear();
    // Who emits updates has taken them by now; for others it would hold what may go.
    this.#pending.clear();
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    this.#mirror.put(key, value);
  }

  evict(bytes: number): number {
    return this.#sweep.evict(bytes, this.#size);
  }

  /** Gives back what it has of the budget. */
  clear(): void {
    for (const bucket of this.#all()) this.#forget(bucket);
    this.#dirty.clear();
    this.#pending.clear();
    this.#size = 0;
    this.#firstEnd = Infinity;
    this.#sweep.clear();
  }

  #take(bucket: Bucket, key: unknown): Cell | undefined {
    const at = { key, start: bucket.start, end: bucket.end };
    const diskKey = windowEntryKey(at);
    const bytes = this.#mirror.table.get(diskKey);
    if (bytes === undefined) return undefined;
    const cell = newCell(at, decodeWindowEntry(bytes), estimate(diskKey.length + bytes.length), -1);
    bucket.away--;
    this.#insert(bucket, cell);
    return cell;
  }

  /** All entries of a window in closing order; those on disk are not kept in memory. */
  #whole(bucket: Bucket): Cell[] {
    const entries = [...bucket.entries.values()];
    if (bucket.away > 0) {
      const prefix = windowEntryKey({ key: '', start: bucket.start, end: bucket.end }).subarray(0, 16);
      for (const { key, value } of this.#mirror.table.entries(prefix, behindPrefix(prefix))) {
        const at = parseWindowEntryKey(key);
        if (bucket.entries.has(at.key)) continue;
        entries.push(newCell(at, decodeWindowEntry(value), 0, -1));
      }
    }
    return entries.sort(byKey);
  }

  #all(): Bucket[] {
    return [...this.#buckets.values()].flatMap((ends) => [...ends.values()]);
  }

  #bucket(start: number, end: number): Bucket {
    let ends = this.#buckets.get(start);
    if (ends === undefined) this.#buckets.set(start, (ends = new Map()));
    let bucket = ends.get(end);
    if (bucket === undefined) {
      ends.set(end, (bucket = { start, end, entries: new Map(), away: 0 }));
      if (end < this.#firstEnd) this.#firstEnd = end;
    }
    return bucket;
  }

  #forget(bucket: Bucket): void {
    for (const { bytes } of bucket.entries.values()) this.#mirror.budget.add(-bytes);
    bucket.entries.clear();
    const ends = this.#buckets.get(bucket.start);
    ends?.delete(bucket.end);
    if (ends?.size === 0) this.#buckets.delete(bucket.start);
    this.#firstEnd = Math.min(Infinity, ...this.#all().map(({ end }) => end));
  }

  #insert(bucket: Bucket, cell: Cell): void {
    bucket.entries.set(cell.key, cell);
    this.#mirror.budget.add(cell.bytes);
  }

  /** An entry that has been closed meanwhile is out of the budget already. */
  #resize(cell: Cell, bytes: number): void {
    if (this.#buckets.get(cell.start)?.get(cell.end)?.entries.get(cell.key) !== cell) return;
    this.#mirror.budget.add(bytes - cell.bytes);
    cell.bytes = bytes;
  }

  *#cells(): IterableIterator<Cell> {
    for (const ends of this.#buckets.values()) for (const bucket of ends.values()) yield* bucket.entries.values();
  }
}

function newCell(
  { key, start, end }: Pick<WindowEntry, 'key' | 'start' | 'end'>,
  content: Pick<WindowEntry, 'timestamp' | 'accumulator' | 'contributors'>,
  bytes: number,
  epoch: number,
): Cell {
  const { timestamp, accumulator, contributors } = content;
  const originWatermark = -Infinity;
  return { key, start, end, timestamp, originWatermark, accumulator, contributors, bytes, isUsed: true, epoch };
}
