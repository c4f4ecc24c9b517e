import type { AnyRecord } from '../record.ts';
import { isAbsent, type MaterializedOptions, materializer, type NewNode, tableSpec } from './table-node.ts';

/**
 * KTable.filter: a row that does not pass becomes a tombstone, whether there was one before or not, as in Kafka Streams: nothing is kept to know.
 * Timestamps stay.
 */
export function tableFilterNode<K, V>(predicate: (value: V, key: K) => boolean, options: MaterializedOptions): NewNode {
  return {
    spec: tableSpec('filter', options),
    create: (context, emit) => {
      const keep = materializer(context, options.store);
      return {
        process: (record: AnyRecord) => {
          if (isAbsent(record.key)) return context.dropped(record, 'null key');
          const { key, value, timestamp } = record;
          const passes = !isAbsent(value) && predicate(value as V, key as K);
          const row = { key, value: passes ? value : null, timestamp };
          keep(row);
          emit(row);
        },
      };
    },
  };
}
