import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { KTable } from '../dsl/kstream.ts';
import type { CreateProcessor } from '../dsl/node.ts';
import type { AnyRecord, StreamRecord } from '../record.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';
import { isAbsent } from './table-node.ts';

/** `store` names the rows of the table that the join keeps. */
export interface LatestJoinOptions {
  readonly store: string;
}

const TABLE = 1;

/**
 * Joins each record with the row that the table has when the record comes: Kafka Streams' stream-table join. Which one that is depends on the order in
 * which topics are read, so the result is no function of the log; asOfJoin() is. Only stream records give results, with their own timestamp. A null value
 * is dropped, a null key too by 'inner'; 'left' joins records without a row with null.
 */
export function latestJoin<K, V, T, O>(
  table: KTable<NoInfer<K>, T>,
  joiner: (value: V, row: NoInfer<T>, key: K) => O,
  options: LatestJoinOptions & { readonly join: 'inner' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function latestJoin<K, V, T, O>(
  table: KTable<NoInfer<K>, T>,
  joiner: (value: V, row: NoInfer<T> | null, key: K) => O,
  options: LatestJoinOptions & { readonly join: 'left' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function latestJoin<K, V, T, O>(
  table: KTable<NoInfer<K>, T>,
  joiner: (value: V, row: never, key: K) => O,
  options: LatestJoinOptions & { readonly join: 'inner' | 'left' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>> {
  const create = latestJoinProcessor({ store: options.store, left: options.join === 'left', joiner });
  return defineOperator({
    spec: {
      kind: 'latestJoin',
      keyed: true,
      detail: options.join,
      nondeterministic: 'the table as it is when a record comes',
      store: { name: options.store, kind: 'key-value' },
    },
    create: create as CreateProcessor<StreamRecord<K, V>, StreamRecord<K, O>>,
    tables: [table.node],
  });
}

function latestJoinProcessor(options: {
  readonly store: string;
  readonly left: boolean;
  readonly joiner: (value: never, row: never, key: never) => unknown;
}): CreateProcessor<AnyRecord, AnyRecord> {
  const { store, left, joiner } = options;
  return (context, emit) => {
    const rows = context.store<MemoryKeyValueStore<unknown, unknown>>(store);
    const change = (record: AnyRecord): void => {
      if (isAbsent(record.key)) return context.dropped(record, 'null key');
      if (isAbsent(record.value)) rows.delete(record.key);
      else rows.put(record.key, record.value);
    };
    return {
      process: (record, parent) => {
        if (parent === TABLE) return change(record);
        if (isAbsent(record.value)) return context.dropped(record, 'null value');
        const { key, value, timestamp } = record;
        if (isAbsent(key) && !left) return context.dropped(record, 'null key');
        const row = isAbsent(key) ? null : (rows.get(key) ?? null);
        if (row === null && !left) return;
        emit({ key, value: joiner(value as never, row as never, key as never), timestamp });
      },
    };
  };
}
