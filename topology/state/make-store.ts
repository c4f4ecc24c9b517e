import { MemoryBufferStore } from './buffer-store.ts';
import { MemoryJoinStore } from './join-store.ts';
import { MemoryKeyValueStore } from './memory-store.ts';
import { MemorySeenStore } from './seen-store.ts';
import { MemorySessionStore } from './session-store.ts';
import { PersistentKeyValueStore } from './persistent-key-value-store.ts';
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

/** True for kinds of which there is a store above a file; what waits for event time (buffers, suppressed changes, joins) is in memory always. */
export function isPersistent({ kind }: StoreSpec): boolean {
  return kind === 'key-value' || kind === 'window';
}

/** An empty store above a file. */
export function makePersistentStore({ name, kind }: StoreSpec, mirror: StoreMirror): PersistentStore {
  return kind === 'window' ? new PersistentWindowStore(name, mirror) : new PersistentKeyValueStore(name, mirror);
}
