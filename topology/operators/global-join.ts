import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { GlobalKTable } from '../dsl/global-table.ts';
import type { CreateProcessor } from '../dsl/node.ts';
import type { AnyRecord, StreamRecord } from '../record.ts';
import { isAbsent } from './table-node.ts';

/** 'left' joins what has no row with null, 'inner' drops it. */
export interface GlobalJoinOptions {
  readonly join: 'inner' | 'left';
}

/**
 * Joins each record with the row of a global table whose key `keyOf` gives, as it is when the record comes: no common key and no repartition topic are
 * needed, no store, and no time is waited for, so the result is no function of the log. Before the first record the table is what its topic held when the
 * process started. Dropped are null values, and by 'inner' records whose `keyOf` is null. Key and timestamp of the record stay; its own key may be null.
 */
export function globalJoin<K, V, G, T, O>(
  table: GlobalKTable<G, T>,
  keyOf: (record: StreamRecord<K, V>) => NoInfer<G> | null,
  joiner: (value: V, row: NoInfer<T>, key: K) => O,
  options: GlobalJoinOptions & { readonly join: 'inner' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function globalJoin<K, V, G, T, O>(
  table: GlobalKTable<G, T>,
  keyOf: (record: StreamRecord<K, V>) => NoInfer<G> | null,
  joiner: (value: V, row: NoInfer<T> | null, key: K) => O,
  options: GlobalJoinOptions & { readonly join: 'left' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function globalJoin<K, V, G, T, O>(
  table: GlobalKTable<G, T>,
  keyOf: (record: StreamRecord<K, V>) => G | null,
  joiner: (value: V, row: never, key: K) => O,
  options: GlobalJoinOptions,
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>> {
  const create = globalJoinProcessor({
    store: table.node.spec.store?.name ?? '',
    left: options.join === 'left',
    keyOf: (record) => keyOf(record as StreamRecord<K, V>),
    joiner,
  });
  return defineOperator({
    spec: {
      kind: 'globalJoin',
      detail: options.join,
      nondeterministic: 'the global table as it is when a record comes',
    },
    create: create as CreateProcessor<StreamRecord<K, V>, StreamRecord<K, O>>,
    globalTables: [table.node],
  });
}

function globalJoinProcessor(options: {
  readonly store: string;
  readonly left: boolean;
  readonly keyOf: (record: AnyRecord) => unknown;
  readonly joiner: (value: never, row: never, key: never) => unknown;
}): CreateProcessor<AnyRecord, AnyRecord> {
  const { store, left, keyOf, joiner } = options;
  return (context, emit) => {
    const rows = context.globalTable(store);
    return {
      process: (record) => {
        if (isAbsent(record.value)) return context.dropped(record, 'null value');
        const at = keyOf(record);
        if (isAbsent(at) && !left) return context.dropped(record, 'null key');
        const row = isAbsent(at) ? null : (rows.get(at) ?? null);
        if (row === null && !left) return;
        const { key, value, timestamp } = record;
        emit({ key, value: joiner(value as never, row as never, key as never), timestamp });
      },
    };
  };
}
