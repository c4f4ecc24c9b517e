import { keyFromText, keyKind, keyText } from './key-codec.ts';
import type { ChangelogEntry, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue, numberText } from './value-codec.ts';
import { writeInt64 } from '../int64.ts';
import { utf8, utf8Behind } from '../utf8.ts';

/** A record that an aggregation keeps until its window closes: timestamp ms, coordinate as base64, value, and ow (ms) where a window asks for it. */
export type Contributor = [timestamp: number, coordinate: string, value: unknown, originWatermark?: number];

/** The state of one key in one window. Change it in place, then `touch`. */
export interface WindowEntry {
  readonly key: unknown;
  readonly start: number;
  readonly end: number;
  /** Largest timestamp of the contributors, ms. */
  timestamp: number;
  /** Largest ow of the contributors since the last restore, ms; not in the changelog. */
  originWatermark: number;
  accumulator: unknown;
  /** Only for aggregations that need an order. */
  contributors: Contributor[] | undefined;
}

/** An entry knows itself what has to be said of it: sets of entries cost a hash for each of the four windows of a record. */
interface Held extends WindowEntry {
  /** What the next changes say of it; undefined: nothing. */
  change: 'changed' | 'closed' | undefined;
  isPending: boolean;
}

interface Bucket {
  readonly start: number;
  readonly end: number;
  readonly entries: Map<unknown, Held>;
}

/**
 * Windows by (start, end), in each the entries by key. Closed windows are taken out and tombstoned in the changelog.
 * Changelog: key = start i64 | end i64 | kind byte | UTF-8 key text; value = JSON [timestamp, accumulator, contributors or null].
 */
export class MemoryWindowStore implements StateStore {
  readonly name: string;
  /**
   * By start, then by end: numbers, because a text of both had to be made for each look-up. With int64.ts 21 % less CPU for R2.
   */
  readonly #buckets = new Map<number, Map<number, Bucket>>();
  #dirty: Held[] = [];
  #pending: Held[] = [];
  #size = 0;
  #firstEnd = Infinity;

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#size;
  }

  /** End of the open window that ends first, ms; Infinity when none is open. */
  get firstEnd(): number {
    return this.#firstEnd;
  }

  get(key: unknown, start: number, end: number): WindowEntry | undefined {
    return this.#bucket(start, end)?.entries.get(key);
  }

  add(key: unknown, start: number, end: number, accumulator: unknown, ordered: boolean): WindowEntry {
    const entry: Held = {
      key,
      start,
      end,
      timestamp: -Infinity,
      originWatermark: -Infinity,
      accumulator,
      contributors: ordered ? [] : undefined,
      change: undefined,
      isPending: false,
    };
    this.#insert(entry);
    return entry;
  }

  /** An entry of this store has changed. */
  touch(entry: WindowEntry): void {
    const held = entry as Held;
    this.#say(held, 'changed');
    if (held.isPending) return;
    held.isPending = true;
    this.#pending.push(held);
  }

  #say(entry: Held, change: 'changed' | 'closed'): void {
    if (entry.change === undefined) this.#dirty.push(entry);
    entry.change = change;
  }

  /** Open entries touched since the last call: for updates that are emitted once per commit. */
  takePending(): WindowEntry[] {
    const pending = this.#pending.filter((entry) => entry.isPending);
    for (const entry of pending) entry.isPending = false;
    this.#pending = [];
    return pending;
  }

  /** Takes out all windows that end at or before `lastEnd`, in (end, start, key text) order. */
  takeClosed(lastEnd: number): Iterable<WindowEntry> {
    const closed = this.#all().filter((bucket) => bucket.end <= lastEnd);
    closed.sort((a, b) => a.end - b.end || a.start - b.start);
    const entries: WindowEntry[] = [];
    for (const bucket of closed) {
      this.#forget(bucket);
      const sorted = [...bucket.entries.values()].sort(byKey);
      for (const entry of sorted) {
        this.#say(entry, 'closed');
        entry.isPending = false;
        entries.push(entry);
      }
    }
    this.#size -= entries.length;
    this.#firstEnd = Math.min(Infinity, ...this.#all().map((bucket) => bucket.end));
    return entries;
  }

  takeChanges(): ChangelogEntry[] {
    const changes: ChangelogEntry[] = [];
    for (const entry of this.#dirty) {
      const value = entry.change === 'changed' ? encodeWindowEntry(entry) : null;
      changes.push({ key: windowEntryKey(entry), value, timestamp: Math.max(0, entry.end - 1) });
      entry.change = undefined;
    }
    this.#dirty = [];
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    const at = parseWindowEntryKey(asBuffer(key));
    this.#remove(at.key, at.start, at.end);
    if (value === null) return;
    const { timestamp, accumulator, contributors } = decodeWindowEntry(asBuffer(value));
    const entry = this.add(at.key, at.start, at.end, accumulator, false);
    entry.timestamp = timestamp;
    entry.contributors = contributors;
  }

  clear(): void {
    this.#buckets.clear();
    this.#dirty = [];
    this.#pending = [];
    this.#size = 0;
    this.#firstEnd = Infinity;
  }

  #bucket(start: number, end: number): Bucket | undefined {
    return this.#buckets.get(start)?.get(end);
  }

  #all(): Bucket[] {
    return [...this.#buckets.values()].flatMap((ends) => [...ends.values()]);
  }

  #forget({ start, end }: Bucket): void {
    const ends = this.#buckets.get(start);
    ends?.delete(end);
    if (ends?.size === 0) this.#buckets.delete(start);
  }

  #insert(entry: Held): void {
    const { start, end } = entry;
    let bucket = this.#bucket(start, end);
    if (bucket === undefined) {
      bucket = { start, end, entries: new Map() };
      const ends = this.#buckets.get(start);
      if (ends === undefined) this.#buckets.set(start, new Map([[end, bucket]]));
      else ends.set(end, bucket);
    }
    bucket.entries.set(entry.key, entry);
    this.#size++;
    if (entry.end < this.#firstEnd) this.#firstEnd = entry.end;
  }

  #remove(key: unknown, start: number, end: number): void {
    const bucket = this.#bucket(start, end);
    if (bucket === undefined || !bucket.entries.delete(key)) return;
    this.#size--;
    if (bucket.entries.size === 0) this.#forget(bucket);
    this.#firstEnd = Math.min(Infinity, ...this.#all().map((each) => each.end));
  }
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The order in which the entries of a window close: by key text; what differs in kind only, by kind. */
export function byKey(a: WindowEntry, b: WindowEntry): number {
  return compareText(keyText(a.key), keyText(b.key)) || compareText(keyKind(a.key) ?? 't', keyKind(b.key) ?? 't');
}

/** The key of an entry in the changelog. */
export function windowEntryKey({ key, start, end }: Pick<WindowEntry, 'key' | 'start' | 'end'>): Buffer {
  const bytes = utf8Behind(16, (keyKind(key) ?? 't') + keyText(key));
  writeInt64(bytes, start, 0);
  writeInt64(bytes, end, 8);
  return bytes;
}

/** What such a key names. */
export function parseWindowEntryKey(bytes: Buffer): { key: unknown; start: number; end: number } {
  const start = Number(bytes.readBigInt64BE(0));
  const end = Number(bytes.readBigInt64BE(8));
  const kind = bytes.toString('latin1', 16, 17);
  return { key: keyFromText(bytes.toString('utf8', 17), kind === 't' ? undefined : kind), start, end };
}

/** The value of an entry in the changelog. */
export function encodeWindowEntry({ timestamp, accumulator, contributors }: WindowEntry): Uint8Array {
  // Counts and sums.
  if (contributors === undefined && typeof accumulator === 'number' && Number.isFinite(accumulator + timestamp)) {
    return utf8(`[${numberText(timestamp)},${numberText(accumulator)},null]`);
  }
  return encodeValue([timestamp, accumulator, contributors ?? null]);
}

/** What such a value holds. */
export function decodeWindowEntry(value: Buffer): Pick<WindowEntry, 'timestamp' | 'accumulator' | 'contributors'> {
  const [timestamp, accumulator, kept] = decodeValue(value) as [number, unknown, Contributor[] | null];
  return { timestamp, accumulator, contributors: kept ?? undefined };
}
