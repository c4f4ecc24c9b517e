import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { StreamRecord } from '../record.ts';

/**
 * Gives each record another key: text, a number, a bigint or a boolean. A repartition topic follows where an operator behind it needs all records of a
 * key in one task, and nowhere else; `name` names that topic (`<app>-<name>-repartition`), else the first store behind it does.
 */
export function keyBy<K, V, K2>(
  key: (record: StreamRecord<K, V>) => K2,
  options: { readonly name?: string } = {},
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K2, V>> {
  const { name } = options;
  return defineOperator({
    spec: { kind: 'keyBy', changesKey: true, ...(name === undefined ? {} : { detail: name }) },
    create: (_context, emit) => ({
      process: (record) => emit({ key: key(record), value: record.value, timestamp: record.timestamp }),
    }),
  });
}
