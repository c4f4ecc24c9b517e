import type { Coordinate } from '../time/coordinate.ts';
import type { RecordTime } from '../time/record-time.ts';
import { Heap } from './heap.ts';
import { keyFromId, keyId } from './key-codec.ts';
import type { ChangelogEntry, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';

/** Side of a stream join: 0 = left, 1 = right. */
export type Side = 0 | 1;

/** A record that waits for those of the other side. */
export interface JoinEntry extends RecordTime {
  readonly side: Side;
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  /** True when it has found another, or has left without one. Change it in place, then `touch`. */
  isMatched: boolean;
}

const encoder = new TextEncoder();

const byTime = (a: JoinEntry, b: JoinEntry): number =>
  a.timestamp - b.timestamp || Buffer.compare(a.coordinate, b.coordinate);

/** One side: by key its entries, the earliest first and equal ones as they came. */
class SideEntries {
  readonly keys = new Map<unknown, JoinEntry[]>();
  readonly live = new Set<JoinEntry>();
  readonly queue = new Heap<JoinEntry>(byTime);
  lastTimestamp = -Infinity;

  /** Behind those of its timestamp; restored ones by coordinate, since a compacted log tells not in which order they came. */
  insert(entry: JoinEntry, isRestored: boolean): void {
    let entries = this.keys.get(entry.key);
    if (entries === undefined) this.keys.set(entry.key, (entries = []));
    let at = entries.length;
    for (let before = entries[at - 1]; before !== undefined; before = entries[at - 1]) {
      const order = isRestored ? byTime(before, entry) : before.timestamp - entry.timestamp;
      if (order <= 0) break;
      at--;
    }
    entries.splice(at, 0, entry);
    this.live.add(entry);
    this.queue.push(entry);
    if (entry.timestamp > this.lastTimestamp) this.lastTimestamp = entry.timestamp;
  }

  remove(entry: JoinEntry): void {
    if (!this.live.delete(entry)) return;
    const entries = this.keys.get(entry.key) ?? [];
    entries.splice(entries.indexOf(entry), 1);
    if (entries.length === 0) this.keys.delete(entry.key);
  }

  /** The earliest one; the queue may hold some that are gone. */
  get first(): JoinEntry | undefined {
    for (let entry = this.queue.peek(); entry !== undefined; entry = this.queue.peek()) {
      if (this.live.has(entry)) return entry;
      this.queue.pop();
    }
    return undefined;
  }
}

/**
 * The two windows of a stream join: per side and key the records by timestamp. A record is identified by side, timestamp, key and coordinate.
 * Changelog: key = side u8 (1 or 2) | timestamp i64 | length u16 | keyId() in UTF-8 | coordinate; value = JSON [ow, isMatched, value].
 */
export class MemoryJoinStore implements StateStore {
  readonly name: string;
  readonly #sides: readonly [SideEntries, SideEntries] = [new SideEntries(), new SideEntries()];
  readonly #restored = new Map<string, JoinEntry>();
  readonly #added = new Set<JoinEntry>();
  readonly #dirty = new Set<JoinEntry>();

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#sides[0].live.size + this.#sides[1].live.size;
  }

  /** Largest timestamp that a side has held, ms. */
  lastTimestamp(side: Side): number {
    return this.#sides[side].lastTimestamp;
  }

  entries(side: Side): IterableIterator<JoinEntry> {
    return this.#sides[side].live.values();
  }

  /** Entries of a side and key in [from, to], the earliest first. */
  near(side: Side, key: unknown, from: number, to: number): JoinEntry[] {
    const entries = this.#sides[side].keys.get(key);
    if (entries === undefined) return [];
    const first = firstAt(entries, from);
    let end = first;
    while ((entries[end]?.timestamp ?? Infinity) <= to) end++;
    return entries.slice(first, end);
  }

  add(entry: JoinEntry): void {
    this.#sides[entry.side].insert(entry, false);
    this.#added.add(entry);
    this.#dirty.add(entry);
  }

  /** The entry has changed. */
  touch(entry: JoinEntry): void {
    this.#dirty.add(entry);
  }

  /** The entry of a side that lies first. */
  first(side: Side): JoinEntry | undefined {
    return this.#sides[side].first;
  }

  removeFirst(side: Side): void {
    const entry = this.first(side);
    if (entry === undefined) return;
    this.#sides[side].queue.pop();
    this.#sides[side].remove(entry);
    // What came and went between two commits never reaches the changelog.
    if (this.#added.delete(entry)) this.#dirty.delete(entry);
    else this.#dirty.add(entry);
  }

  takeChanges(): ChangelogEntry[] {
    this.#restored.clear();
    const changes: ChangelogEntry[] = [];
    for (const entry of this.#dirty) {
      const { originWatermark, isMatched, value, timestamp } = entry;
      const isLive = this.#sides[entry.side].live.has(entry);
      const bytes = isLive ? encodeValue([originWatermark, isMatched, value]) : null;
      changes.push({ key: changelogKey(entry), value: bytes, timestamp: Math.max(0, timestamp) });
    }
    this.#added.clear();
    this.#dirty.clear();
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    const bytes = asBuffer(key);
    const id = bytes.toString('latin1');
    const known = this.#restored.get(id);
    if (known !== undefined) this.#sides[known.side].remove(known);
    this.#restored.delete(id);
    if (value === null) return;
    const [originWatermark, isMatched, row] = decodeValue(asBuffer(value)) as [number, boolean, unknown];
    const entry = { ...identityOf(bytes), originWatermark, isMatched, value: row };
    this.#restored.set(id, entry);
    this.#sides[entry.side].insert(entry, true);
  }

  clear(): void {
    for (const side of this.#sides) {
      side.keys.clear();
      side.live.clear();
      side.queue.clear();
      side.lastTimestamp = -Infinity;
    }
    this.#restored.clear();
    this.#added.clear();
    this.#dirty.clear();
  }
}

/** Index of the first entry at or after `from`. */
function firstAt(entries: readonly JoinEntry[], from: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.timestamp ?? Infinity) < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

function changelogKey({ side, timestamp, key, coordinate }: JoinEntry): Uint8Array {
  const id = encoder.encode(keyId(key));
  const bytes = Buffer.allocUnsafe(11 + id.length + coordinate.length);
  bytes[0] = side + 1;
  bytes.writeBigInt64BE(BigInt(timestamp), 1);
  bytes.writeUInt16BE(id.length, 9);
  bytes.set(id, 11);
  coordinate.copy(bytes, 11 + id.length);
  return bytes;
}

function identityOf(bytes: Buffer): Pick<JoinEntry, 'side' | 'timestamp' | 'key' | 'coordinate'> {
  const end = 11 + bytes.readUInt16BE(9);
  const coordinate: Coordinate = Buffer.from(bytes.subarray(end));
  const side = bytes[0] === 1 ? 0 : 1;
  const key = keyFromId(bytes.toString('utf8', 11, end));
  return { side, timestamp: Number(bytes.readBigInt64BE(1)), key, coordinate };
}
