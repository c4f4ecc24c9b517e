import { Heap } from './heap.ts';
import { keyFromId, keyId } from './key-codec.ts';
import type { ChangelogEntry, StateStore } from './store.ts';
import { asBuffer } from './value-codec.ts';
import { byKey, decodeWindowEntry, encodeWindowEntry, type WindowEntry } from './window-store.ts';

const encoder = new TextEncoder();

/**
 * Windows that lie where the records of their key put them: per key the entries by end, then start. What is removed or closed is tombstoned in the
 * changelog. Changelog: key = keyId() of the window key in UTF-8; value = JSON [timestamp, accumulator, contributors or null].
 */
export class MemorySessionStore implements StateStore {
  readonly name: string;
  readonly #keys = new Map<unknown, WindowEntry[]>();
  readonly #live = new Set<WindowEntry>();
  /** May hold entries that were removed since. */
  readonly #ends = new Heap<WindowEntry>((a, b) => a.end - b.end);
  readonly #dirty = new Map<string, WindowEntry>();

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#live.size;
  }

  /** End of the entry that ends first, ms; Infinity when there is none. */
  get firstEnd(): number {
    for (let entry = this.#ends.peek(); entry !== undefined; entry = this.#ends.peek()) {
      if (this.#live.has(entry)) return entry.end;
      this.#ends.pop();
    }
    return Infinity;
  }

  entries(): IterableIterator<WindowEntry> {
    return this.#live.values();
  }

  get(key: unknown, start: number, end: number): WindowEntry | undefined {
    const entries = this.#keys.get(key) ?? [];
    for (let i = firstEndingAt(entries, end); i < entries.length; i++) {
      const entry = entries[i];
      if (entry === undefined || entry.end > end) return undefined;
      if (entry.start === start) return entry;
    }
    return undefined;
  }

  /** Entries of a key that share an instant with [from, to], by end, then start. */
  touching(key: unknown, from: number, to: number): WindowEntry[] {
    return touchingEntries(this.#keys.get(key), from, to);
  }

  /** Adds an entry; one of the same key and bounds is replaced. */
  put(entry: WindowEntry): void {
    const known = this.get(entry.key, entry.start, entry.end);
    if (known !== entry) {
      if (known !== undefined) this.#unlink(known);
      this.#link(entry);
    }
    this.touch(entry);
  }

  /** The entry has changed. */
  touch(entry: WindowEntry): void {
    this.#dirty.set(keyId(entry), entry);
  }

  remove(entry: WindowEntry): void {
    this.#unlink(entry);
    this.touch(entry);
  }

  /** Takes out all entries that end at or before `lastEnd`, in (end, start, key text) order. */
  takeClosed(lastEnd: number): WindowEntry[] {
    const closed: WindowEntry[] = [];
    while (this.firstEnd <= lastEnd) {
      const entry = this.#ends.pop();
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
      changes.push({ key: encoder.encode(id), value, timestamp: Math.max(0, entry.end) });
    }
    this.#dirty.clear();
    return changes;
  }

  restore(bytes: Uint8Array, value: Uint8Array | null): void {
    const { key, start, end } = keyFromId(asBuffer(bytes).toString('utf8')) as WindowEntry;
    const known = this.get(key, start, end);
    if (known !== undefined) this.#unlink(known);
    if (value === null) return;
    this.#link(sessionEntry({ key, start, end }, decodeWindowEntry(asBuffer(value))));
  }

  clear(): void {
    this.#keys.clear();
    this.#live.clear();
    this.#ends.clear();
    this.#dirty.clear();
  }

  #link(entry: WindowEntry): void {
    let entries = this.#keys.get(entry.key);
    if (entries === undefined) this.#keys.set(entry.key, (entries = []));
    let at = entries.length;
    while (at > 0 && isBefore(entry, entries[at - 1])) at--;
    entries.splice(at, 0, entry);
    this.#live.add(entry);
    this.#ends.push(entry);
  }

  #unlink(entry: WindowEntry): void {
    const entries = this.#keys.get(entry.key);
    if (entries === undefined || !this.#live.delete(entry)) return;
    entries.splice(entries.indexOf(entry), 1);
    if (entries.length === 0) this.#keys.delete(entry.key);
  }
}

/** The entries of a key, by end, that share an instant with [from, to]. */
export function touchingEntries(entries: readonly WindowEntry[] | undefined, from: number, to: number): WindowEntry[] {
  if (entries === undefined) return [];
  const found: WindowEntry[] = [];
  for (let i = firstEndingAt(entries, from); i < entries.length; i++) {
    const entry = entries[i];
    if (entry !== undefined && entry.start <= to) found.push(entry);
  }
  return found;
}

/** An entry as a restart finds it. */
export function sessionEntry(
  { key, start, end }: Pick<WindowEntry, 'key' | 'start' | 'end'>,
  content: Pick<WindowEntry, 'timestamp' | 'accumulator' | 'contributors'>,
): WindowEntry {
  return { key, start, end, originWatermark: -Infinity, ...content };
}

/** The order in which sessions close. */
export function byEndAndKey(a: WindowEntry, b: WindowEntry): number {
  return a.end - b.end || a.start - b.start || byKey(a, b);
}

/** The order of the entries of a key: by end, then start. */
export function isBefore(entry: WindowEntry, other: WindowEntry | undefined): boolean {
  if (other === undefined) return false;
  return entry.end < other.end || (entry.end === other.end && entry.start < other.start);
}

/** Index of the first entry that ends at or after `end`. */
export function firstEndingAt(entries: readonly WindowEntry[], end: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.end ?? Infinity) < end) low = middle + 1;
    else high = middle;
  }
  return low;
}
