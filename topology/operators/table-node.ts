/** What the operators of tables share: how a node is made, and the rows that one may keep. */
import type { CreateProcessor, NodeContext, NodeSpec, QueriedRow } from '../dsl/node.ts';
import type { AnyRecord } from '../record.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';

/** A node that is not yet in a graph. */
export interface NewNode {
  readonly spec: NodeSpec;
  readonly create: CreateProcessor<AnyRecord, unknown>;
}

/** A row as a store of tables keeps it: timestamp of its last change (ms), and its value. */
export type TableRow = [timestamp: number, value: unknown];

/** `store`: keeps the rows of the result, to be asked by name; without it nothing is kept. */
export interface MaterializedOptions {
  readonly store?: string;
}

/** Writes rows into the store that was asked for; does nothing without one. */
export function materializer(context: NodeContext, name: string | undefined): (row: AnyRecord) => void {
  if (name === undefined) return () => undefined;
  const store = context.store<MemoryKeyValueStore<unknown, TableRow>>(name);
  return ({ key, value, timestamp }) => {
    if (value === null || value === undefined) store.delete(key);
    else store.put(key, [timestamp, value]);
  };
}

/** Reads a row that begins with timestamp and value. */
export function queryRow([timestamp, value]: readonly [number, unknown, ...unknown[]]): QueriedRow {
  return { timestamp, value };
}

/** The description of a table that may have a store. */
export function tableSpec(kind: string, { store }: MaterializedOptions): NodeSpec {
  return {
    kind,
    table: true,
    emits: 'updates',
    ...(store === undefined ? {} : { store: { name: store, kind: 'key-value' }, query: queryRow }),
  };
}

/** null and undefined are one thing: no row. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}
