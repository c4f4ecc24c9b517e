import { keyFromText, keyKind, keyText } from './key-codec.ts';
import type { BatchBuilder } from '../record-batch.ts';
import type { ChangelogEntry, ChangeSink, StateStore } from './store.ts';
import { asBuffer, decodeValue, numberText, valueToText } from './value-codec.ts';
import { writeInt64 } from '../int64.ts';
import { utf8, utf8Behind, writeUtf8 } from '../utf8.ts';

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
  isOpen: boolean;
}

/** What is open of a key, by (start, end). */
interface OfKey {
  readonly key: unknown;
  readonly entries: Held[];
}

/** What is open of a window; some of its entries may be closed by now (`isOpen`). */
interface Bucket {
  readonly start: number;
  readonly end: number;
  entries: Held[];
  open: number;
}

/** What window stores in memory and above a file have in common. */
export type WindowStore = Omit<MemoryWindowStore, 'writeChanges'>;

/**
 * The windows of each key, and the keys of each window. Closed windows are taken out and tombstoned in the changelog.
 * Changelog: key = start i64 | end i64 | kind byte | UTF-8 key text; value = JSON [timestamp, accumulator, contributors or null].
 */
export class MemoryWindowStore implements StateStore {
  readonly name: string;
  /** A record is in several windows of one key, one after the other: one look-up for all of them, in the key's own short list. */
  readonly #keys = new Map<unknown, OfKey>();
  #last: OfKey | undefined;
  /** By start, then by end: numbers, because a text of both had to be made for each look-up. */
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
    const of = this.#of(key);
    return of === undefined ? undefined : find(of.entries, start, end);
  }

  /** Appends what is open of a key and begins in [from, to], by (start, end). */
  collect(key: unknown, from: number, to: number, into: WindowEntry[]): void {
    const entries = this.#of(key)?.entries ?? [];
    for (let i = placeOf(entries, from, -Infinity); i < entries.length; i++) {
      const entry = entries[i] as Held;
      if (entry.start > to) return;
      into.push(entry);
    }
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
      isOpen: true,
    };
    let of = this.#of(key);
    if (of === undefined) this.#keys.set(key, (of = { key, entries: [] }));
    insert(of.entries, entry);
    const bucket = this.#bucket(start, end);
    bucket.entries.push(entry);
    bucket.open++;
    this.#size++;
    if (end < this.#firstEnd) this.#firstEnd = end;
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

  /** Open entries that takePending() would give. */
  pending(): readonly WindowEntry[] {
    return this.#pending.filter((entry) => entry.isPending);
  }

  /** Open entries that end at or before `lastEnd` and were touched since the last call and the last changes: for updates, once per commit. */
  takePending(lastEnd = Infinity): WindowEntry[] {
    const taken: Held[] = [];
    const left: Held[] = [];
    for (const entry of this.#pending) {
      if (!entry.isPending) continue;
      if (entry.end > lastEnd) {
        left.push(entry);
        continue;
      }
      entry.isPending = false;
      taken.push(entry);
    }
    this.#pending = left;
    return taken;
  }

  /** Takes out all windows that end at or before `lastEnd`, in (end, start, key text) order; the order of keys only where `ordered`. */
  takeClosed(lastEnd: number, ordered = true): Iterable<WindowEntry> {
    const closed = this.#all().filter((bucket) => bucket.end <= lastEnd);
    closed.sort((a, b) => a.end - b.end || a.start - b.start);
    const taken: Held[] = [];
    for (const bucket of closed) {
      this.#forget(bucket);
      const entries = bucket.entries.filter((entry) => entry.isOpen);
      if (ordered) entries.sort(byKey);
      for (const entry of entries) {
        this.#say(entry, 'closed');
        this.#close(entry);
        taken.push(entry);
      }
    }
    this.#firstEnd = Math.min(Infinity, ...this.#all().map((bucket) => bucket.end));
    return taken;
  }

  takeChanges(): ChangelogEntry[] {
    const changes: ChangelogEntry[] = [];
    for (const entry of this.#takeDirty()) {
      const value = entry.change === 'changed' ? encodeWindowEntry(entry) : null;
      changes.push({ key: windowEntryKey(entry), value, timestamp: Math.max(0, entry.end - 1) });
      entry.change = undefined;
    }
    return changes;
  }

  writeChanges(sink: ChangeSink): number {
    const dirty = this.#takeDirty();
    for (const entry of dirty) {
      const batch = sink.begin(Math.max(0, entry.end - 1));
      writeWindowEntry(batch, entry, entry.change === 'closed');
      batch.headerCount(0);
      sink.end(batch);
      entry.change = undefined;
    }
    return dirty.length;
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
    this.#keys.clear();
    this.#last = undefined;
    this.#buckets.clear();
    this.#dirty = [];
    this.#pending = [];
    this.#size = 0;
    this.#firstEnd = Infinity;
  }

  #of(key: unknown): OfKey | undefined {
    if (this.#last !== undefined && this.#last.key === key) return this.#last;
    const of = this.#keys.get(key);
    if (of !== undefined) this.#last = of;
    return of;
  }

  #takeDirty(): Held[] {
    const dirty = this.#dirty;
    this.#dirty = [];
    // Who emits updates has taken them by now; for others it would hold what is closed, for ever.
    for (const entry of this.#pending) entry.isPending = false;
    this.#pending = [];
    return dirty;
  }

  /** Made where there is none. */
  #bucket(start: number, end: number): Bucket {
    let ends = this.#buckets.get(start);
    if (ends === undefined) this.#buckets.set(start, (ends = new Map()));
    let bucket = ends.get(end);
    if (bucket === undefined) ends.set(end, (bucket = { start, end, entries: [], open: 0 }));
    return bucket;
  }

  #all(): Bucket[] {
    return [...this.#buckets.values()].flatMap((ends) => [...ends.values()]);
  }

  #forget({ start, end }: Bucket): void {
    const ends = this.#buckets.get(start);
    ends?.delete(end);
    if (ends?.size === 0) this.#buckets.delete(start);
  }

  #close(entry: Held): void {
    entry.isOpen = false;
    entry.isPending = false;
    this.#size--;
    const of = this.#keys.get(entry.key);
    if (of === undefined) return;
    if (of.entries[0] === entry) of.entries.shift();
    else of.entries.splice(of.entries.indexOf(entry), 1);
    if (of.entries.length > 0) return;
    this.#keys.delete(entry.key);
    if (this.#last === of) this.#last = undefined;
  }

  #remove(key: unknown, start: number, end: number): void {
    const entry = this.get(key, start, end) as Held | undefined;
    if (entry === undefined) return;
    this.#close(entry);
    const bucket = this.#bucket(start, end);
    if (--bucket.open === 0) this.#forget(bucket);
    this.#firstEnd = Math.min(Infinity, ...this.#all().map((each) => each.end));
  }
}

/** So few are looked at one by one. */
const NEAR = 8;

/** Where the entry of a window is, or would be, among those of its key. Looked for from the end: records are mostly of late windows. */
function placeOf(entries: readonly Held[], start: number, end: number): number {
  let low = 0;
  let high = entries.length;
  // What is open of a key may be thousands of windows.
  while (high - low > NEAR) {
    const middle = (low + high) >>> 1;
    if (isBehind(entries[middle] as Held, start, end)) high = middle;
    else low = middle + 1;
  }
  while (high > low && isBehind(entries[high - 1] as Held, start, end)) high--;
  return high;
}

const isBehind = (entry: Held, start: number, end: number): boolean =>
  entry.start > start || (entry.start === start && entry.end > end);

function find(entries: readonly Held[], start: number, end: number): Held | undefined {
  const entry = entries[placeOf(entries, start, end) - 1];
  return entry !== undefined && entry.start === start && entry.end === end ? entry : undefined;
}

function insert(entries: Held[], entry: Held): void {
  const at = placeOf(entries, entry.start, entry.end);
  if (at === entries.length) entries.push(entry);
  else entries.splice(at, 0, entry);
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

/** Key and value of an entry in the changelog, in place; `isClosed`: a tombstone. */
export function writeWindowEntry(batch: BatchBuilder, entry: WindowEntry, isClosed: boolean): void {
  const text = keyText(entry.key);
  const at = batch.openField(17 + text.length * 3);
  const { bytes } = batch;
  writeInt64(bytes, entry.start, at);
  writeInt64(bytes, entry.end, at + 8);
  bytes[at + 16] = (keyKind(entry.key) ?? 't').charCodeAt(0);
  batch.closeField(at, writeUtf8(text, bytes, at + 17));
  if (isClosed) batch.noField();
  else batch.textField(windowEntryText(entry));
}

/** The value of an entry in the changelog. */
export function encodeWindowEntry(entry: WindowEntry): Uint8Array {
  return utf8(windowEntryText(entry));
}

function windowEntryText({ timestamp, accumulator, contributors }: WindowEntry): string {
  // Counts and sums.
  if (contributors === undefined && typeof accumulator === 'number' && Number.isFinite(accumulator + timestamp)) {
    return `[${numberText(timestamp)},${numberText(accumulator)},null]`;
  }
  return valueToText([timestamp, accumulator, contributors ?? null]);
}

/** What such a value holds. */
export function decodeWindowEntry(value: Buffer): Pick<WindowEntry, 'timestamp' | 'accumulator' | 'contributors'> {
  const [timestamp, accumulator, kept] = decodeValue(value) as [number, unknown, Contributor[] | null];
  return { timestamp, accumulator, contributors: kept ?? undefined };
}
