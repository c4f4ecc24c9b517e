import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { KTable } from '../dsl/kstream.ts';
import type { CreateProcessor } from '../dsl/node.ts';
import { TopologyError } from '../errors.ts';
import { type Duration, parseDuration } from '../duration.ts';
import type { StreamRecord } from '../record.ts';
import { asOfJoinProcessor } from './as-of-join-processor.ts';

/** `store` names the buffer of records that wait for the table. Graces are event time. */
export interface AsOfJoinOptions {
  readonly store: string;
  readonly grace: Duration;
  readonly tableGrace: Duration;
}

/**
 * Joins each record with the row that the table had at the record's event time: waits until the table is complete up to there. A record without a row is
 * dropped by 'inner', and joined with null by 'left'. Key, timestamp and time of the record stay. TopologyError SLC_STAGE_NO_HISTORY for a table that an
 * aggregation made: it keeps only the last value per key.
 */
export function asOfJoin<K, V, T, O>(
  table: KTable<NoInfer<K>, T>,
  joiner: (value: V, row: T, key: K) => O,
  options: AsOfJoinOptions & { readonly join: 'inner' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function asOfJoin<K, V, T, O>(
  table: KTable<NoInfer<K>, T>,
  joiner: (value: V, row: T | null, key: K) => O,
  options: AsOfJoinOptions & { readonly join: 'left' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function asOfJoin<K, V, T, O>(
  table: KTable<NoInfer<K>, T>,
  joiner: (value: V, row: never, key: K) => O,
  options: AsOfJoinOptions & { readonly join: 'inner' | 'left' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>> {
  const { store } = table.node.spec;
  if (store?.kind !== 'versioned') {
    throw new TopologyError(
      'SLC_STAGE_NO_HISTORY',
      `asOfJoin() reads a table as it was, but ${table.node.name} keeps only the last value per key`,
      { hint: 'join with what table() reads: a topic that holds one record per change' },
    );
  }
  const tableStore = store.name;
  const create = asOfJoinProcessor({
    streamStore: options.store,
    tableStore,
    graceMs: parseDuration(options.grace),
    tableGraceMs: parseDuration(options.tableGrace),
    left: options.join === 'left',
    joiner: joiner,
  });
  return defineOperator({
    spec: {
      kind: 'asOfJoin',
      keyed: true,
      detail: `${options.join}, table ${tableStore}, grace ${options.grace}`,
      store: { name: options.store, kind: 'buffer' },
    },
    create: create as CreateProcessor<StreamRecord<K, V>, StreamRecord<K, O>>,
    tables: [table.node],
  });
}
