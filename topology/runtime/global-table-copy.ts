/** The copy of a global table: one per process and topic, for all tasks. It is what the topic holds; nothing of it is written anywhere. */
import type { GlobalRows, QueriedRow } from '../dsl/node.ts';
import type { TopicPartition } from '../record.ts';
import type { RecordCursor } from '../record-batch.ts';
import { decodeRecord } from './read-record.ts';
import type { TopicReader } from './slot-input.ts';

export class GlobalTableCopy implements GlobalRows {
  readonly source: TopicReader;
  readonly partitions: number;
  /** Records without a key: they are no rows. */
  dropped = 0;
  #rows = new Map<unknown, QueriedRow>();
  /** The copy that is being made while this one is still looked into. */
  #next: Map<unknown, QueriedRow> | undefined;

  constructor(source: TopicReader, partitions: number) {
    this.source = source;
    this.partitions = partitions;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(key: unknown): unknown {
    return this.#rows.get(key)?.value;
  }

  row(key: unknown): QueriedRow | undefined {
    return this.#rows.get(key);
  }

  entries(): IterableIterator<[key: unknown, row: QueriedRow]> {
    return this.#rows.entries();
  }

  /** What is taken from now on makes a new copy, which takes the place of this one by `replace`. */
  beginAnew(): void {
    this.#next = new Map();
  }

  /** Nothing when no new copy was begun. */
  replace(): void {
    this.#rows = this.#next ?? this.#rows;
    this.#next = undefined;
  }

  /** The record under the cursor. Throws NotReadyError and RecordError with nothing changed. */
  take(tp: TopicPartition, cursor: RecordCursor): void {
    const { key, value, timestamp } = decodeRecord({ source: this.source, tp, cursor });
    const rows = this.#next ?? this.#rows;
    if (key === null || key === undefined) this.dropped++;
    else if (value === null || value === undefined) rows.delete(key);
    else rows.set(key, { value, timestamp });
  }
}
