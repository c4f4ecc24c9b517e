import { utf8 } from '../utf8.ts';
import { behindPrefix, type DiskEntry } from './disk-table.ts';
import { Heap } from './heap.ts';
import { keyFromId, keyId } from './key-codec.ts';
import {
  byEndAndKey,
  firstEndingAt,
  isBefore,
  type MemorySessionStore,
  sessionEntry,
  touchingEntries,
} from './session-store.ts';
import type { ChangelogEntry } from './store.ts';
import { estimate, type PersistentStore, type StoreMirror } from './store-mirror.ts';
import { type Held, Sweep } from './sweep.ts';
import { asBuffer } from './value-codec.ts';
import { decodeWindowEntry, encodeWindowEntry, type WindowEntry } from './window-store.ts';

/** The entries of one key: all of them in memory, or none. */
interface Row extends Held {
  readonly key: unknown;
  /** By end, then start. */
  readonly entries: WindowEntry[];
}

/** The methods of the store in memory. */
type SessionStore = Pick<MemorySessionStore, keyof MemorySessionStore>;

/**
 * Sessions above a file: the keys that were used lately are in memory. On disk the entries of a key lie side by side, key = key length u16 | keyId() in
 * UTF-8 | end | start, and a second table finds them by end, start, key. Changelog as in memory.
 */
export class PersistentSessionStore implements SessionStore, PersistentStore {
  readonly name: string;
  readonly #mirror: StoreMirror;
  readonly #ends: StoreMirror['table'];
  readonly #rows = new Map<unknown, Row>();
  readonly #live = new Set<WindowEntry>();
  /** Of the entries in memory; may hold some that were removed since. */
  readonly #queue = new Heap<WindowEntry>((a, b) => a.end - b.end);
  readonly #dirty = new Map<string, WindowEntry>();
  readonly #touched = new Set<Row>();
  /** Entries that are on disk and not in memory. */
  #away = 0;
  /** No entry that is away comes before it in the table of ends. */
  #firstAway: Buffer = NOWHERE;
  /** The one there, when it was last looked for. */
  #found: { readonly key: unknown; readonly end: number } | undefined;
  readonly #sweep: Sweep<Row>;

  /** `ends`: the second table. */
  constructor(name: string, mirror: StoreMirror, ends: StoreMirror['table']) {
    this.name = name;
    this.#mirror = mirror;
    this.#ends = ends;
    this.#sweep = new Sweep(mirror, {
      held: () => this.#rows.values(),
      isBusy: (row) => this.#touched.has(row),
      letGo: (row) => this.#letGo(row),
    });
  }

  get size(): number {
    return this.#live.size + this.#away;
  }

  get firstEnd(): number {
    return Math.min(this.#firstLiveEnd(), this.#firstAwayEntry()?.end ?? Infinity);
  }

  attach(): void {
    this.#away = this.#mirror.table.count();
    this.#firstAway = NOWHERE;
    this.#found = undefined;
  }

  diskKey(changelogKey: Uint8Array): Uint8Array {
    const { key, start, end } = keyFromId(asBuffer(changelogKey).toString('utf8')) as WindowEntry;
    return Buffer.concat([keyPrefix(key), sortable(end), sortable(start)]);
  }

  /** An entry of the second table for each of the first. */
  indexOf(changes: readonly DiskEntry[]): { table: string; entries: DiskEntry[] }[] {
    const entries = changes.map(({ key, value }) => {
      const ends = key.subarray(key.length - 16);
      return { key: Buffer.concat([ends, key.subarray(2, key.length - 16)]), value: value && NOWHERE };
    });
    return [{ table: endsOf(this.name), entries: entries.sort((a, b) => Buffer.compare(a.key, b.key)) }];
  }

  *entries(): IterableIterator<WindowEntry> {
    // As they are now: whoever iterates may bring others into memory.
    const inMemory = new Set(this.#rows.keys());
    const live = [...this.#live];
    yield* live;
    if (this.#away === 0) return;
    for (const { key, value } of this.#mirror.table.entries()) {
      const entry = entryOf(key, value);
      if (!inMemory.has(entry.key)) yield this.get(entry.key, entry.start, entry.end) ?? entry;
    }
  }

  get(key: unknown, start: number, end: number): WindowEntry | undefined {
    const entries = this.#row(key)?.entries ?? [];
    for (let i = firstEndingAt(entries, end); i < entries.length; i++) {
      const entry = entries[i];
      if (entry === undefined || entry.end > end) return undefined;
      if (entry.start === start) return entry;
    }
    return undefined;
  }

  touching(key: unknown, from: number, to: number): WindowEntry[] {
    return touchingEntries(this.#row(key)?.entries, from, to);
  }

  put(entry: WindowEntry): void {
    const known = this.get(entry.key, entry.start, entry.end);
    if (known !== entry) {
      if (known !== undefined) this.#unlink(known);
      this.#link(this.#row(entry.key) ?? this.#add(entry.key), entry, estimate(0));
    }
    this.touch(entry);
  }

  touch(entry: WindowEntry): void {
    this.#dirty.set(keyId(entry), entry);
    const row = this.#rows.get(entry.key);
    if (row !== undefined) this.#touched.add(row);
  }

  remove(entry: WindowEntry): void {
    this.#row(entry.key);
    this.#unlink(entry);
    this.touch(entry);
  }

  takeClosed(lastEnd: number): WindowEntry[] {
    for (let away = this.#firstAwayEntry(); away !== undefined && away.end <= lastEnd; away = this.#firstAwayEntry())
      this.#row(away.key);
    const closed: WindowEntry[] = [];
    while (this.#firstLiveEnd() <= lastEnd) {
      const entry = this.#queue.pop();
      if (entry === undefined) break;
      this.remove(entry);
      closed.push(entry);
    }
    return closed.sort(byEndAndKey);
  }

  takeChanges(): ChangelogEntry[] {
    const changes: ChangelogEntry[] = [];
    for (const [id, entry] of this.#dirty) {
      const value = this.#live.has(entry) ? encodeWindowEntry(entry) : null;
      changes.push({ key: utf8(id), value, timestamp: Math.max(0, entry.end) });
    }
    this.#dirty.clear();
    for (const row of this.#touched) {
      row.epoch = this.#mirror.epoch;
      const bytes = row.entries.reduce((sum, entry) => sum + sizeOf(entry), estimate(0));
      this.#mirror.budget.add(bytes - row.bytes);
      row.bytes = bytes;
    }
    this.#touched.clear();
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    this.#mirror.put(this.diskKey(key), value);
  }

  evict(bytes: number): number {
    const freed = this.#sweep.evict(bytes, this.#rows.size);
    this.#dropRemoved();
    return freed;
  }

  /** Gives back what it has of the budget. */
  clear(): void {
    for (const row of this.#rows.values()) this.#mirror.budget.add(-row.bytes);
    this.#rows.clear();
    this.#live.clear();
    this.#queue.clear();
    this.#dirty.clear();
    this.#touched.clear();
    this.#away = 0;
    this.#sweep.clear();
  }

  #row(key: unknown): Row | undefined {
    const row = this.#rows.get(key);
    if (row === undefined) return this.#away === 0 ? undefined : this.#load(key);
    row.isUsed = true;
    return row;
  }

  #load(key: unknown): Row | undefined {
    const prefix = keyPrefix(key);
    let row: Row | undefined;
    for (const { key: at, value } of this.#mirror.table.entries(prefix, behindPrefix(prefix))) {
      row ??= this.#add(key);
      this.#link(row, entryOf(at, value), estimate(at.length + value.length));
      this.#away--;
    }
    return row;
  }

  #add(key: unknown): Row {
    const row: Row = { key, entries: [], bytes: estimate(0), isUsed: true, epoch: -1 };
    this.#rows.set(key, row);
    this.#mirror.budget.add(row.bytes);
    if (this.#found?.key === key) this.#found = undefined;
    return row;
  }

  #link(row: Row, entry: WindowEntry, bytes: number): void {
    let at = row.entries.length;
    while (at > 0 && isBefore(entry, row.entries[at - 1])) at--;
    row.entries.splice(at, 0, entry);
    row.bytes += bytes;
    this.#mirror.budget.add(bytes);
    this.#live.add(entry);
    this.#queue.push(entry);
  }

  /** A key without entries stays in memory until the disk has forgotten them. */
  #unlink(entry: WindowEntry): void {
    const row = this.#rows.get(entry.key);
    if (row === undefined || !this.#live.delete(entry)) return;
    row.entries.splice(row.entries.indexOf(entry), 1);
  }

  /** All of it is on disk. */
  #letGo(row: Row): void {
    this.#rows.delete(row.key);
    for (const entry of row.entries) this.#live.delete(entry);
    this.#away += row.entries.length;
    const [first] = row.entries;
    if (first === undefined) return;
    const at = endKey(first);
    if (Buffer.compare(at, this.#firstAway) >= 0) return;
    this.#firstAway = at;
    this.#found = undefined;
  }

  /** What is gone would be held by the queue until its turn. */
  #dropRemoved(): void {
    if (this.#queue.size < 2 * this.#live.size + 1_000) return;
    this.#queue.clear();
    for (const entry of this.#live) this.#queue.push(entry);
  }

  #firstLiveEnd(): number {
    for (let entry = this.#queue.peek(); entry !== undefined; entry = this.#queue.peek()) {
      if (this.#live.has(entry)) return entry.end;
      this.#queue.pop();
    }
    return Infinity;
  }

  /** Of the entries whose key is not in memory: there the disk may be behind. */
  #firstAwayEntry(): { readonly key: unknown; readonly end: number } | undefined {
    if (this.#away === 0) return undefined;
    if (this.#found !== undefined && !this.#rows.has(this.#found.key)) return this.#found;
    for (const { key: at } of this.#ends.entries(this.#firstAway)) {
      this.#firstAway = at;
      const key = keyFromId(at.toString('utf8', 16));
      if (!this.#rows.has(key)) return (this.#found = { key, end: unsortable(at, 0) });
    }
    return undefined;
  }
}

const NOWHERE = Buffer.alloc(0);

/** The second table of a store. */
export function endsOf(store: string): string {
  return `${store} ends`;
}

function sizeOf({ contributors }: WindowEntry): number {
  return estimate(100 + 100 * (contributors?.length ?? 0));
}

function keyPrefix(key: unknown): Buffer {
  const id = utf8(keyId(key));
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16BE(id.length, 0);
  return Buffer.concat([length, id]);
}

/** An i64 whose bytes order as the number does. */
function sortable(n: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigInt64BE(BigInt(n) ^ SIGN, 0);
  return bytes;
}

function unsortable(bytes: Buffer, at: number): number {
  return Number(bytes.readBigInt64BE(at) ^ SIGN);
}

const SIGN = -(2n ** 63n);

function endKey({ key, start, end }: WindowEntry): Buffer {
  return Buffer.concat([sortable(end), sortable(start), utf8(keyId(key))]);
}

function entryOf(at: Buffer, value: Buffer): WindowEntry {
  const key = keyFromId(at.toString('utf8', 2, at.length - 16));
  const [end, start] = [unsortable(at, at.length - 16), unsortable(at, at.length - 8)];
  return sessionEntry({ key, start, end }, decodeWindowEntry(value));
}
