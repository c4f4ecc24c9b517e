import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { StreamRecord } from '../record.ts';

/** Shows each record to `look`, and passes it on. What `look` does is in no transaction: after a crash it sees records again. */
export function peek<K, V>(
  look: (record: StreamRecord<K, V>) => void,
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, V>> {
  return defineOperator({
    spec: { kind: 'peek' },
    create: (_context, emit) => ({
      process: (record) => {
        look(record);
        emit(record);
      },
    }),
  });
}
