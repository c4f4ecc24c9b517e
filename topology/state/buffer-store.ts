import type { Coordinate } from '../time/coordinate.ts';
import type { RecordTime } from '../time/record-time.ts';
import { Heap } from './heap.ts';
import { keyFromText, keyKind, keyText } from './key-codec.ts';
import type { ChangelogEntry, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';

/** A record that waits, with its time. */
export interface BufferedRecord extends RecordTime {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
}

interface Slot {
  readonly record: BufferedRecord;
  gone: boolean;
}

const byTime = (a: Slot, b: Slot): number =>
  a.record.timestamp - b.record.timestamp || Buffer.compare(a.record.coordinate, b.record.coordinate);
const byWatermark = (a: Slot, b: Slot): number => a.record.originWatermark - b.record.originWatermark;

/**
 * Records waiting for event time, least (timestamp, coordinate) first (TIME.md rule 10). A record is identified by its timestamp and coordinate.
 * Changelog: key = timestamp i64 | coordinate; value = JSON [kind, key text, ow, value].
 */
export class MemoryBufferStore implements StateStore {
  readonly name: string;
  readonly #queue = new Heap<Slot>(byTime);
  readonly #watermarks = new Heap<Slot>(byWatermark);
  readonly #restored = new Map<string, Slot>();
  readonly #added = new Set<Slot>();
  #removed: Slot[] = [];
  #size = 0;

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#size;
  }

  /** The record to leave next. */
  get first(): BufferedRecord | undefined {
    return this.#head()?.record;
  }

  /** Smallest ow among the waiting, ms; Infinity when none waits. */
  get leastWatermark(): number {
    for (let slot = this.#watermarks.peek(); slot !== undefined; slot = this.#watermarks.peek()) {
      if (!slot.gone) return slot.record.originWatermark;
      this.#watermarks.pop();
    }
    return Infinity;
  }

  add(record: BufferedRecord): void {
    this.#added.add(this.#insert(record));
  }

  removeFirst(): void {
    const slot = this.#head();
    if (slot === undefined) return;
    this.#queue.pop();
    this.#drop(slot);
    // What came and went between two commits never reaches the changelog.
    if (!this.#added.delete(slot)) this.#removed.push(slot);
  }

  takeChanges(): ChangelogEntry[] {
    this.#restored.clear();
    const changes: ChangelogEntry[] = [];
    for (const { record } of this.#removed)
      changes.push({ key: changelogKey(record), value: null, timestamp: record.timestamp });
    for (const { record } of this.#added) {
      const value = [keyKind(record.key) ?? 't', keyText(record.key), record.originWatermark, record.value];
      changes.push({ key: changelogKey(record), value: encodeValue(value), timestamp: record.timestamp });
    }
    this.#removed = [];
    this.#added.clear();
    return changes;
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    const bytes = asBuffer(key);
    const id = bytes.toString('latin1');
    const known = this.#restored.get(id);
    if (known !== undefined) this.#drop(known);
    if (value === null) return;
    const [kind, text, originWatermark, row] = decodeValue(asBuffer(value)) as [string, string, number, unknown];
    const coordinate: Coordinate = Buffer.from(bytes.subarray(8));
    const timestamp = Number(bytes.readBigInt64BE(0));
    const recordKey = keyFromText(text, kind === 't' ? undefined : kind);
    this.#restored.set(id, this.#insert({ key: recordKey, value: row, timestamp, originWatermark, coordinate }));
  }

  clear(): void {
    this.#queue.clear();
    this.#watermarks.clear();
    this.#restored.clear();
    this.#added.clear();
    this.#removed = [];
    this.#size = 0;
  }

  #insert(record: BufferedRecord): Slot {
    const slot: Slot = { record, gone: false };
    this.#queue.push(slot);
    this.#watermarks.push(slot);
    this.#size++;
    return slot;
  }

  #drop(slot: Slot): void {
    if (slot.gone) return;
    slot.gone = true;
    this.#size--;
  }

  #head(): Slot | undefined {
    for (let slot = this.#queue.peek(); slot !== undefined; slot = this.#queue.peek()) {
      if (!slot.gone) return slot;
      this.#queue.pop();
    }
    return undefined;
  }
}

function changelogKey(record: BufferedRecord): Uint8Array {
  const bytes = Buffer.allocUnsafe(8 + record.coordinate.length);
  bytes.writeBigInt64BE(BigInt(record.timestamp), 0);
  record.coordinate.copy(bytes, 8);
  return bytes;
}
