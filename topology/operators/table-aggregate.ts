import type { CreateProcessor, NodeContext, Processor } from '../dsl/node.ts';
import type { AnyRecord } from '../record.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';
import { keepTime, type RecordTime } from '../time/record-time.ts';

/** What an aggregation without a window does. Its result is a table: the last value per key counts, so only commutative folds are allowed here. */
export interface TableAggregateOptions {
  readonly store: string;
  readonly init: () => unknown;
  readonly add: (accumulator: never, value: never, record: AnyRecord) => unknown;
}

/** What the store holds: the largest timestamp of the contributors (ms) and the accumulator. */
type Row = [timestamp: number, accumulator: unknown];

/**
 * Aggregation per key without a window. Emits the last value per changed key before each commit, with the largest timestamp of its
 * contributors, as Kafka Streams does with its record cache.
 */
export function tableAggregate(options: TableAggregateOptions): CreateProcessor<AnyRecord, AnyRecord> {
  return (context) => new TableAggregate(options, context);
}

class TableAggregate implements Processor<AnyRecord> {
  readonly #options: TableAggregateOptions;
  readonly #context: NodeContext;
  readonly #store: MemoryKeyValueStore<unknown, Row>;
  readonly #pending = new Map<unknown, RecordTime>();

  constructor(options: TableAggregateOptions, context: NodeContext) {
    this.#options = options;
    this.#context = context;
    this.#store = context.store<MemoryKeyValueStore<unknown, Row>>(options.store);
  }

  process(record: AnyRecord): void {
    if (record.key === null || record.key === undefined) return this.#context.dropped(record, 'null key');
    if (record.value === null || record.value === undefined) return this.#context.dropped(record, 'null value');
    const [timestamp, accumulator] = this.#store.get(record.key) ?? [-Infinity, this.#options.init()];
    const next = this.#options.add(accumulator as never, record.value as never, record);
    this.#store.put(record.key, [Math.max(timestamp, record.timestamp), next]);
    this.#pending.set(record.key, keepTime(this.#context.time));
  }

  flush(): void {
    for (const [key, time] of this.#pending) {
      const row = this.#store.get(key);
      if (row !== undefined) this.#context.emitAt({ key, value: row[1], timestamp: row[0] }, time);
    }
    this.#pending.clear();
  }
}
