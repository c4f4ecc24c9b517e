import type { AnyRecord } from '../record.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';
import { isAbsent, type NewNode } from './table-node.ts';

/** What leaves for a group: a row that is no longer in it, one that is now, or both: subtract first, then add. */
export interface GroupChange {
  readonly minus?: unknown;
  readonly plus?: unknown;
}

/**
 * KTable.groupBy: keeps the rows of the table, and tells the group of a row what it loses and what it gains. A row that stays in its group gives one
 * change, one that moves gives two, the loss first. A row whose group is null is in none, and counted as dropped.
 */
export function regroupNode<K, V>(
  group: (value: V, key: K) => unknown,
  { rows, name }: { readonly rows: string; readonly name: string },
): NewNode {
  return {
    spec: {
      kind: 'groupBy',
      detail: name,
      keyed: true,
      changesKey: true,
      store: { name: rows, kind: 'key-value' },
    },
    create: (context, emit) => {
      const store = context.store<MemoryKeyValueStore<unknown, unknown>>(rows);
      const groupOf = (value: unknown, key: unknown): unknown => group(value as V, key as K) ?? null;
      return {
        process: (record: AnyRecord) => {
          if (isAbsent(record.key)) return context.dropped(record, 'null key');
          const { key, value, timestamp } = record;
          const former = store.get(key);
          const from = former === undefined ? null : groupOf(former, key);
          const to = isAbsent(value) ? null : groupOf(value, key);
          if (!isAbsent(value) && to === null) context.dropped(record, 'null group');
          if (to === null) store.delete(key);
          else store.put(key, value);
          const send = (at: unknown, change: GroupChange): void => emit({ key: at, value: change, timestamp });
          if (from !== null && from === to) return send(to, { minus: former, plus: value });
          if (from !== null) send(from, { minus: former });
          if (to !== null) send(to, { plus: value });
        },
      };
    },
  };
}
