/** The copy of one slot's state: what is committed in its changelogs, as stores in memory. */
import { RecordCursor } from '../record-batch.ts';
import { makeStore } from '../state/make-store.ts';
import type { StateStore, StoreSpec } from '../state/store.ts';
import { isClockKey } from '../time/stream-clock.ts';
import type { FetchedRecords } from './kafka-client.ts';
import { MAX_COPY_AGE_MS, type RestoreEntry } from './slot-state.ts';

/** A store of the slot and its changelog. */
export interface CopiedStore {
  readonly spec: StoreSpec;
  readonly topic: string;
}

/** One store of the copy. */
interface Part {
  readonly name: string;
  readonly store: StateStore;
  /** Next offset to apply; undefined before anything was read. */
  offset: bigint | undefined;
  /** Where the changelog ended when it was read last; undefined before. */
  end: bigint | undefined;
  /** When it was at that end last, ms; at first when it began. */
  at: number;
  /** Of the node's clock, which is in the same changelog; it belongs to the task that will have the store. */
  clock: { readonly key: Buffer; readonly value: Buffer | null } | undefined;
  records: number;
  bytes: number;
}

/**
 * Filled from the changelogs of a slot that another member owns (standbys.ts), until this member takes the slot: then its stores are those of the tasks,
 * and the restore begins where the copy ends. Takes what a reader of committed records hands over, nothing else: what is in an open transaction may be
 * aborted, and no store can give back what it has taken.
 */
export class StandbyCopy {
  readonly slot: number;
  readonly #parts: ReadonlyMap<string, Part>;
  readonly #cursor = new RecordCursor();

  constructor(slot: number, stores: readonly CopiedStore[], now: number) {
    this.slot = slot;
    this.#parts = new Map(
      stores.map(({ spec, topic }) => [topic, { name: spec.name, store: makeStore(spec), ...nothingAt(now) }]),
    );
  }

  /** Changelogs. */
  get topics(): string[] {
    return [...this.#parts.keys()];
  }

  /** Where to read a changelog from. */
  startOf(topic: string): bigint | 'earliest' {
    return this.#parts.get(topic)?.offset ?? 'earliest';
  }

  /** Offsets that it is behind the ends of the changelogs as it saw them; undefined before it has seen all of them. */
  get lag(): number | undefined {
    let lag = 0;
    for (const { offset, end } of this.#parts.values()) {
      if (offset === undefined || end === undefined) return undefined;
      lag += Math.max(0, Number(end - offset));
    }
    return lag;
  }

  /** Changelog records applied. */
  get records(): number {
    return this.#sum(({ records }) => records);
  }

  /** Entries held. */
  get entries(): number {
    return this.#sum(({ store }) => store.size);
  }

  /** What it holds, estimated as that of stores: entries times the mean size of the records applied. */
  get bytes(): number {
    return Math.round(this.#sum(({ store, records, bytes }) => (records === 0 ? 0 : (bytes / records) * store.size)));
  }

  /**
   * Takes what one fetch brought of one of its changelogs. False: the copy of that store is so old that deletions may have been forgotten meanwhile, and
   * is empty now: read the changelog from its start.
   */
  apply({ topic, batches, nextOffset, endOffset }: FetchedRecords, now: number): boolean {
    const part = this.#parts.get(topic);
    if (part === undefined) return true;
    if (now - part.at > MAX_COPY_AGE_MS) {
      this.restart(topic, now);
      return false;
    }
    for (const batch of batches) {
      this.#cursor.open(batch);
      while (this.#cursor.next()) this.#take(part, this.#cursor.keyBytes(), this.#cursor.valueBytes());
    }
    part.offset = nextOffset;
    part.end = endOffset;
    if (nextOffset >= endOffset) part.at = now;
    return true;
  }

  /** Forgets what it has of one changelog. */
  restart(topic: string, now: number): void {
    const part = this.#parts.get(topic);
    if (part === undefined) return;
    part.store.clear();
    Object.assign(part, nothingAt(now));
  }

  /** The store of that name, for the tasks of the slot. */
  store(name: string): StateStore | undefined {
    return this.#partOf(name)?.store;
  }

  /**
   * Where the restore of a store begins in a changelog whose committed records are from `start` to `end`: behind what the copy holds, after `load` got
   * the node's clock. A copy that does not fit is emptied, and the restore begins at the start.
   */
  begin(
    name: string,
    range: { readonly start: bigint; readonly end: bigint },
    now: number,
    load: RestoreEntry,
  ): bigint {
    const part = this.#partOf(name);
    if (part === undefined) return range.start;
    const { offset, at, clock, store } = part;
    const isOld = now - at > MAX_COPY_AGE_MS;
    if (offset === undefined || offset < range.start || offset > range.end || isOld) {
      store.clear();
      return range.start;
    }
    if (clock !== undefined) load(clock.key, clock.value);
    return offset;
  }

  #take(part: Part, key: Buffer | null, value: Buffer | null): void {
    if (key === null) return;
    part.records++;
    part.bytes += key.length + (value?.length ?? 0);
    if (!isClockKey(key)) return part.store.restore(key, value);
    // Of its own: what was fetched is given back.
    part.clock = { key: Buffer.from(key), value: value === null ? null : Buffer.from(value) };
  }

  #partOf(name: string): Part | undefined {
    return [...this.#parts.values()].find((part) => part.name === name);
  }

  #sum(of: (part: Part) => number): number {
    return [...this.#parts.values()].reduce((sum, part) => sum + of(part), 0);
  }
}

function nothingAt(now: number): Omit<Part, 'name' | 'store'> {
  return { offset: undefined, end: undefined, at: now, clock: undefined, records: 0, bytes: 0 };
}
