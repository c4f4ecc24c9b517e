/** Interactive queries: the rows of a store of tables, read in process. */
import type { QueriedRow } from '../dsl/node.ts';
import type { Topology } from '../dsl/topology.ts';
import { TopologyError } from '../errors.ts';
import type { KeyValueStore } from '../state/store.ts';
import type { GlobalTableCopy } from './global-table-copy.ts';
import type { Task } from './task.ts';

/**
 * The rows as they stand, the changes since the last commit included: a crash may take those back, to make them again. Rows of partitions that another
 * process has are absent; of a global table each process has all, as far as it has read its topic.
 */
export interface ReadOnlyTable {
  /** The row of a key; undefined when there is none here. */
  get(key: unknown): QueriedRow | undefined;
  /** All rows here, in no order. */
  entries(): IterableIterator<[key: unknown, row: QueriedRow]>;
}

/** The rows of the store `name`: those of a global table, else in the tasks that there are when they are asked for. */
export function queryTable(
  topology: Topology,
  name: string,
  {
    tasks,
    globalTable,
  }: {
    readonly tasks: () => readonly Task[];
    readonly globalTable: (store: string) => GlobalTableCopy | undefined;
  },
): ReadOnlyTable {
  if (topology.globalTables.some(({ store }) => store === name)) {
    return {
      get: (key) => globalTable(name)?.row(key),
      *entries() {
        yield* globalTable(name)?.entries() ?? [];
      },
    };
  }
  const nodes = topology.subTopologies.flatMap((sub) => sub.nodes);
  const spec = nodes.find((node) => node.spec.store?.name === name)?.spec;
  const read = spec?.query as ((row: unknown) => QueriedRow | undefined) | undefined;
  if (read === undefined || spec?.store?.kind !== 'key-value') {
    const tables = nodes.flatMap(({ spec: each }) =>
      each.query !== undefined && each.store?.kind === 'key-value' ? [each.store.name] : [],
    );
    tables.push(...topology.globalTables.map(({ store }) => store));
    throw new TopologyError('SLC_TOPOLOGY_NO_STORE', `there is no store ${name} that holds a table`, {
      hint: `tables are in: ${tables.join(', ') || 'no store'}`,
    });
  }
  const stores = (): KeyValueStore<unknown, unknown>[] =>
    tasks().flatMap((task) => (task.stores.get(name) as KeyValueStore<unknown, unknown> | undefined) ?? []);
  return {
    get: (key) => {
      for (const store of stores()) {
        const row = store.get(key);
        if (row !== undefined) return read(row);
      }
      return undefined;
    },
    *entries() {
      for (const store of stores()) {
        for (const [key, row] of store.entries()) {
          const found = read(row);
          if (found !== undefined) yield [key, found];
        }
      }
    },
  };
}
