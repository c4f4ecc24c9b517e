import type { DiskTable } from './disk-table.ts';
import { MemoryBufferStore } from './buffer-store.ts';
import { MemoryJoinStore } from './join-store.ts';
import { MemoryKeyValueStore } from './memory-store.ts';
import { MemorySeenStore } from './seen-store.ts';
import { MemorySessionStore } from './session-store.ts';
import { PersistentKeyValueStore } from './persistent-key-value-store.ts';
import { endsOf, PersistentSessionStore } from './persistent-session-store.ts';
import { PersistentVersionedStore } from './persistent-versioned-store.ts';
import { PersistentWindowStore } from './persistent-window-store.ts';
import type { StateStore, StoreSpec } from './store.ts';
import type { PersistentStore, StoreMirror } from './store-mirror.ts';
import { MemorySuppressStore } from './suppress-store.ts';
import { MemoryVersionedStore } from './versioned-store.ts';
import { MemoryWindowStore } from './window-store.ts';

/** An empty store of the kind that its spec names, in memory. */
export function makeStore(spec: StoreSpec): StateStore {
  switch (spec.kind) {
    case 'key-value':
      return new MemoryKeyValueStore(spec.name);
    case 'window':
      return new MemoryWindowStore(spec.name);
    case 'versioned':
      return new MemoryVersionedStore(spec.name);
    case 'buffer':
      return new MemoryBufferStore(spec.name);
    case 'join':
      return new MemoryJoinStore(spec.name);
    case 'session':
    case 'user-window':
    case 'user-session':
      return new MemorySessionStore(spec.name);
    case 'suppress':
      return new MemorySuppressStore(spec.name);
    case 'seen':
      return new MemorySeenStore(spec.name);
  }
}

type Make = (name: string, mirror: StoreMirror, tableOf: (name: string) => DiskTable) => PersistentStore;

const PERSISTENT: Partial<Record<StoreSpec['kind'], Make>> = {
  'key-value': (name, mirror) => new PersistentKeyValueStore(name, mirror),
  window: (name, mirror) => new PersistentWindowStore(name, mirror),
  session: (name, mirror, tableOf) => new PersistentSessionStore(name, mirror, tableOf(endsOf(name))),
  versioned: (name, mirror) => new PersistentVersionedStore(name, mirror),
};

/** The tables of a store above a file; undefined: of that kind there is none. */
export function persistentTables({ name, kind, isWhole }: StoreSpec): string[] | undefined {
  if (isWhole === true || PERSISTENT[kind] === undefined) return undefined;
  return kind === 'session' ? [name, endsOf(name)] : [name];
}

/**
 * An empty store above a file, `tableOf` gives further tables of it. undefined: of that kind there is none; what waits for event time (buffers, suppressed
 * changes, joins) and what an operator holds objects of is in memory always.
 */
export function makePersistentStore(
  { name, kind, isWhole }: StoreSpec,
  mirror: StoreMirror,
  tableOf: (name: string) => DiskTable,
): PersistentStore | undefined {
  return isWhole === true ? undefined : PERSISTENT[kind]?.(name, mirror, tableOf);
}
