import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { StreamRecord } from '../record.ts';

/** Gives each record another value; key and timestamp stay. A null result is a tombstone. */
export function mapValues<K, V, V2>(
  map: (value: V, key: K, timestamp: number) => V2,
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, V2>> {
  return defineOperator({
    spec: { kind: 'mapValues' },
    create: (_context, emit) => ({
      process: ({ key, value, timestamp }) => emit({ key, value: map(value, key, timestamp), timestamp }),
    }),
  });
}
