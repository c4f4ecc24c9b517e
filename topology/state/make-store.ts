import { MemoryBufferStore } from './buffer-store.ts';
import { MemoryJoinStore } from './join-store.ts';
import { MemoryKeyValueStore } from './memory-store.ts';
import { MemorySeenStore } from './seen-store.ts';
import { MemorySessionStore } from './session-store.ts';
import type { StateStore, StoreSpec } from './store.ts';
import { MemorySuppressStore } from './suppress-store.ts';
import { MemoryVersionedStore } from './versioned-store.ts';
import { MemoryWindowStore } from './window-store.ts';

/** An empty store of the kind that its spec names. */
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
      return new MemorySessionStore(spec.name);
    case 'suppress':
      return new MemorySuppressStore(spec.name);
    case 'seen':
      return new MemorySeenStore(spec.name);
  }
}
