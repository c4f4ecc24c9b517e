import type { CreateProcessor } from '../dsl/node.ts';
import type { AnyRecord } from '../record.ts';
import type { MemoryVersionedStore } from '../state/versioned-store.ts';
import { materializer } from './table-node.ts';

/** A topic read as a table: every row becomes a version in the store (null = deleted), and goes on to whoever joins the table. */
export function tableSource(options: { readonly store: string }): CreateProcessor<AnyRecord, AnyRecord> {
  return (context, emit) => {
    const store = context.store<MemoryVersionedStore>(options.store);
    return {
      process: (record) => {
        if (record.key === null || record.key === undefined) return context.dropped(record, 'null key');
        const { originWatermark, coordinate } = context.time;
        store.put(record.key, {
          timestamp: record.timestamp,
          coordinate: Buffer.from(coordinate),
          originWatermark,
          value: record.value,
        });
        emit(record);
      },
    };
  };
}

/** The same with the last row of the log per key, and no history. */
export function latestTableSource(options: { readonly store: string }): CreateProcessor<AnyRecord, AnyRecord> {
  return (context, emit) => {
    const keep = materializer(context, options.store);
    return {
      process: (record) => {
        if (record.key === null || record.key === undefined) return context.dropped(record, 'null key');
        keep(record);
        emit(record);
      },
    };
  };
}
