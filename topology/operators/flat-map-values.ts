import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { StreamRecord } from '../record.ts';
import { splitCoordinate } from '../time/coordinate.ts';

/**
 * Makes several records of each one, or none: the key and the timestamp stay, so no repartition topic follows. Each gets a coordinate of its own, in the
 * order of `split`. Several records with other keys: RxJS mergeMap() before keyBy().
 */
export function flatMapValues<K, V, O>(
  split: (value: V, key: K) => Iterable<O>,
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>> {
  return defineOperator<StreamRecord<K, V>, StreamRecord<K, O>>({
    spec: { kind: 'flatMapValues' },
    create: (context) => ({
      process: ({ key, value, timestamp }) => {
        const { originWatermark, coordinate } = context.time;
        // All or nothing: what split() throws in its midst leaves no record behind.
        for (const [i, each] of [...split(value, key)].entries()) {
          const time = { originWatermark, coordinate: splitCoordinate(coordinate, i) };
          context.emitAt({ key, value: each, timestamp }, time);
        }
      },
    }),
  });
}
