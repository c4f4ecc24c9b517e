import { DirtyMap } from './dirty-map.ts';
import { Heap } from './heap.ts';
import { isWindowKey, keyBytes, keyFromId, keyId } from './key-codec.ts';
import type { ChangelogEntry, StateStore } from './store.ts';
import { asBuffer, decodeValue, encodeValue } from './value-codec.ts';

const encoder = new TextEncoder();

/** A change that waits: the row's key, its last value (null = deleted), and the timestamp of the change, ms. */
export interface SuppressedChange {
  readonly key: unknown;
  readonly value: unknown;
  readonly timestamp: number;
  /** By which the changes leave, ms. */
  readonly dueTime: number;
}

interface Slot extends SuppressedChange {
  readonly id: string;
  readonly sortKey: Uint8Array;
  readonly start: number;
  /** Bytes of key and value in the changelog. */
  readonly bytes: number;
}

const byDueTime = (a: Slot, b: Slot): number =>
  a.dueTime - b.dueTime || Buffer.compare(a.sortKey, b.sortKey) || a.start - b.start;

/**
 * The last change per key that waits, the earliest due first; equal ones by key bytes, then window start. A further change of a key replaces the value and
 * keeps its due time. Changelog: key = keyId() in UTF-8; value = JSON [dueTime, timestamp, value].
 */
export class MemorySuppressStore implements StateStore {
  readonly name: string;
  readonly #slots = new DirtyMap<Slot>();
  /** May hold slots that have been replaced since; the map has the last word. */
  readonly #queue = new Heap<Slot>(byDueTime);
  #bytes = 0;

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Bytes of the waiting changes as the changelog holds them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The change to leave next. */
  get first(): SuppressedChange | undefined {
    for (let slot = this.#queue.peek(); slot !== undefined; slot = this.#queue.peek()) {
      if (this.#slots.get(slot.id) === slot) return slot;
      this.#queue.pop();
    }
    return undefined;
  }

  put(change: SuppressedChange): void {
    const id = keyId(change.key);
    const known = this.#slots.get(id);
    const slot = slotOf(id, { ...change, dueTime: known?.dueTime ?? change.dueTime });
    this.#bytes += slot.bytes - (known?.bytes ?? 0);
    this.#slots.put(id, slot);
    this.#queue.push(slot);
  }

  /** Forgets the change of a key, if one waits. */
  remove(key: unknown): void {
    const id = keyId(key);
    this.#bytes -= this.#slots.get(id)?.bytes ?? 0;
    this.#slots.delete(id);
  }

  removeFirst(): void {
    const first = this.first as Slot | undefined;
    if (first === undefined) return;
    this.#queue.pop();
    this.#bytes -= first.bytes;
    this.#slots.delete(first.id);
  }

  takeChanges(): ChangelogEntry[] {
    return this.#slots.takeChanges((id, slot) => ({
      key: encoder.encode(id),
      value: slot === undefined ? null : encodeSlot(slot),
      timestamp: Math.max(0, slot?.timestamp ?? 0),
    }));
  }

  restore(key: Uint8Array, value: Uint8Array | null): void {
    const id = asBuffer(key).toString('utf8');
    this.#bytes -= this.#slots.get(id)?.bytes ?? 0;
    if (value === null) return this.#slots.restore(id, undefined);
    const [dueTime, timestamp, row] = decodeValue(asBuffer(value)) as [number, number, unknown];
    const slot = slotOf(id, { key: keyFromId(id), value: row, timestamp, dueTime });
    this.#bytes += slot.bytes;
    this.#slots.restore(id, slot);
    this.#queue.push(slot);
  }

  clear(): void {
    this.#slots.clear();
    this.#queue.clear();
    this.#bytes = 0;
  }
}

function slotOf(id: string, change: SuppressedChange): Slot {
  const { key } = change;
  const [plain, start] = isWindowKey(key) ? [key.key, key.start] : [key, 0];
  const bytes = encoder.encode(id).length + encodeSlot(change).length;
  return { ...change, id, sortKey: keyBytes(plain), start, bytes };
}

function encodeSlot({ dueTime, timestamp, value }: SuppressedChange): Uint8Array {
  return encodeValue([dueTime, timestamp, value]);
}
