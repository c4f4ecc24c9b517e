import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { GlobalKTable } from '../dsl/global-table.ts';
import type { CreateProcessor } from '../dsl/node.ts';
import type { StreamRecord } from '../record.ts';
import { type LatestJoinOptions, latestJoinProcessor } from './latest-join.ts';

/**
 * Joins each record with the row of a global table whose key `keyOf` gives, as it is when the record comes: no common key and no repartition topic are
 * needed, and no time is waited for, so the result is no function of the log. Dropped are null values, and by 'inner' records whose `keyOf` is null;
 * 'left' joins what has no row with null. Key and timestamp of the record stay; its own key may be null.
 */
export function globalJoin<K, V, G, T, O>(
  table: GlobalKTable<G, T>,
  keyOf: (record: StreamRecord<K, V>) => NoInfer<G> | null,
  joiner: (value: V, row: NoInfer<T>, key: K) => O,
  options: LatestJoinOptions & { readonly join: 'inner' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function globalJoin<K, V, G, T, O>(
  table: GlobalKTable<G, T>,
  keyOf: (record: StreamRecord<K, V>) => NoInfer<G> | null,
  joiner: (value: V, row: NoInfer<T> | null, key: K) => O,
  options: LatestJoinOptions & { readonly join: 'left' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function globalJoin<K, V, G, T, O>(
  table: GlobalKTable<G, T>,
  keyOf: (record: StreamRecord<K, V>) => G | null,
  joiner: (value: V, row: never, key: K) => O,
  options: LatestJoinOptions & { readonly join: 'inner' | 'left' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>> {
  const create = latestJoinProcessor({
    store: options.store,
    left: options.join === 'left',
    keyOf: (record) => keyOf(record as StreamRecord<K, V>),
    joiner,
  });
  return defineOperator({
    spec: {
      kind: 'globalJoin',
      detail: options.join,
      nondeterministic: 'the global table as it is when a record comes',
      store: { name: options.store, kind: 'key-value' },
    },
    create: create as CreateProcessor<StreamRecord<K, V>, StreamRecord<K, O>>,
    tables: [table.node],
  });
}
