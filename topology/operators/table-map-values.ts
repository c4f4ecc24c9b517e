import type { AnyRecord } from '../record.ts';
import { isAbsent, type MaterializedOptions, materializer, type NewNode, tableSpec } from './table-node.ts';

/** KTable.mapValues: another value per row; tombstones stay tombstones. Timestamps stay. */
export function tableMapValuesNode<K, V, O>(map: (value: V, key: K) => O, options: MaterializedOptions): NewNode {
  return {
    spec: tableSpec('mapValues', options),
    create: (context, emit) => {
      const keep = materializer(context, options.store);
      return {
        process: (record: AnyRecord) => {
          if (isAbsent(record.key)) return context.dropped(record, 'null key');
          const { key, value, timestamp } = record;
          const row = { key, value: isAbsent(value) ? null : map(value as V, key as K), timestamp };
          keep(row);
          emit(row);
        },
      };
    },
  };
}
