/** The stores of process(): what user code declares, and what it sees of them. */
import type { NodeContext } from '../dsl/node.ts';
import { type Duration, parseDuration } from '../duration.ts';
import { TopologyError } from '../errors.ts';
import type { WindowKey } from '../record.ts';
import type { MemorySessionStore } from '../state/session-store.ts';
import type { KeyValueStore, StoreSpec } from '../state/store.ts';
import type { WindowEntry } from '../state/window-store.ts';

/** A store that process() declares; its name is unique in the application. */
export interface StoreHandle<in out K, in out V> {
  readonly name: string;
  /** Never present at run time: carries the types. */
  readonly row?: (key: K, value: V) => [K, V];
}

/** A store of values per key and window of one size. */
export interface WindowStoreHandle<in out K, in out V> {
  readonly name: string;
  readonly kind: 'user-window';
  readonly sizeMs: number;
  readonly retentionMs: number;
  /** Never present at run time: carries the types. */
  readonly windowed?: (key: K, value: V) => [K, V];
}

/** A store of values per key and session. */
export interface SessionStoreHandle<in out K, in out V> {
  readonly name: string;
  readonly kind: 'user-session';
  readonly retentionMs: number;
  /** Never present at run time: carries the types. */
  readonly session?: (key: K, value: V) => [K, V];
}

/** Declares a key-value store: keys are text, numbers, bigints, booleans or window keys; values what JSON and bigints can hold. */
export function keyValueStore<K, V>(name: string): StoreHandle<K, V> {
  return { name };
}

/**
 * Declares a store of windows [start, start + size): a window is forgotten when event time has reached its end + retention, before user code is called at
 * that time. TopologyError SLC_STAGE_PROCESS for a size of 0.
 */
export function windowStore<K, V>(
  name: string,
  options: { readonly size: Duration; readonly retention: Duration },
): WindowStoreHandle<K, V> {
  const sizeMs = parseDuration(options.size);
  if (sizeMs <= 0) {
    throw new TopologyError('SLC_STAGE_PROCESS', `window store ${name} has windows of ${options.size}`, {
      hint: 'give it a size above 0',
    });
  }
  return { name, kind: 'user-window', sizeMs, retentionMs: parseDuration(options.retention) };
}

/**
 * Declares a store of sessions [start, end], both ends included: a session is forgotten when event time is beyond its end + retention, before user code is
 * called at that time.
 */
export function sessionStore<K, V>(name: string, options: { readonly retention: Duration }): SessionStoreHandle<K, V> {
  return { name, kind: 'user-session', retentionMs: parseDuration(options.retention) };
}

/** What user code may do with a key-value store. Objects taken from it may be changed in place, followed by put(). */
export type UserStore<K, V> = Pick<KeyValueStore<K, V>, 'get' | 'put' | 'delete' | 'entries' | 'size'>;

/** What user code may do with a store of windows; `start` is the window's, ms. Objects taken from it may be changed in place, followed by put(). */
export interface UserWindowStore<K, V> {
  /** Windows of all keys. */
  readonly size: number;
  get(key: K, start: number): V | undefined;
  put(key: K, start: number, value: V): void;
  delete(key: K, start: number): void;
  /** The windows of a key that begin in [from, to], by start. */
  fetch(key: K, from: number, to: number): [start: number, value: V][];
  entries(): IterableIterator<[key: WindowKey<K>, value: V]>;
}

/** What user code may do with a store of sessions. Objects taken from it may be changed in place, followed by put(). */
export interface UserSessionStore<K, V> {
  /** Sessions of all keys. */
  readonly size: number;
  get(session: WindowKey<K>): V | undefined;
  put(session: WindowKey<K>, value: V): void;
  delete(session: WindowKey<K>): void;
  /** The sessions of a key that share an instant with [from, to], by end, then start. */
  find(key: K, from: number, to: number): [session: WindowKey<K>, value: V][];
  entries(): IterableIterator<[session: WindowKey<K>, value: V]>;
}

/** The stores by the names of their handles' fields. */
export type UserStores<S> = {
  readonly [N in keyof S]: S[N] extends WindowStoreHandle<infer K, infer V>
    ? UserWindowStore<K, V>
    : S[N] extends SessionStoreHandle<infer K, infer V>
      ? UserSessionStore<K, V>
      : S[N] extends StoreHandle<infer K, infer V>
        ? UserStore<K, V>
        : never;
};

type AnyHandle =
  | StoreHandle<unknown, unknown>
  | WindowStoreHandle<unknown, unknown>
  | SessionStoreHandle<unknown, unknown>;

/** The handles of an object of stores, by field. */
export function handlesOf(stores: object | undefined): [field: string, handle: AnyHandle][] {
  return Object.entries((stores ?? {}) as Readonly<Record<string, AnyHandle>>);
}

/** What the topology must know of a store. */
export function specOf(handle: AnyHandle): StoreSpec {
  if (!('kind' in handle)) return { name: handle.name, kind: 'key-value' };
  return { name: handle.name, kind: handle.kind, retentionMs: handle.retentionMs };
}

/** The stores of a task, for user code, and a function that forgets what event time (ms) has passed. */
export function openStores<S>(
  handles: readonly (readonly [field: string, handle: AnyHandle])[],
  context: Pick<NodeContext, 'store'>,
): { readonly stores: UserStores<S>; readonly forget: (time: number) => void } {
  const forgetters: ((time: number) => void)[] = [];
  const opened = handles.map(([field, handle]) => {
    if (!('kind' in handle)) return [field, context.store(handle.name)];
    const store = context.store<MemorySessionStore>(handle.name);
    // A window is over at its end, a session beyond it.
    const over = handle.kind === 'user-window' ? 0 : 1;
    forgetters.push((time) => void store.takeClosed(time - handle.retentionMs - over));
    return [field, handle.kind === 'user-window' ? new Windows(store, handle.sizeMs) : new Sessions(store)];
  });
  return {
    stores: Object.fromEntries(opened) as UserStores<S>,
    forget: (time) => {
      for (const each of forgetters) each(time);
    },
  };
}

class Sessions<K, V> implements UserSessionStore<K, V> {
  readonly #store: MemorySessionStore;

  constructor(store: MemorySessionStore) {
    this.#store = store;
  }

  get size(): number {
    return this.#store.size;
  }

  get({ key, start, end }: WindowKey<K>): V | undefined {
    return this.#store.get(key, start, end)?.accumulator as V | undefined;
  }

  put({ key, start, end }: WindowKey<K>, value: V): void {
    this.#store.put(entryOf(key, start, end, value));
  }

  delete({ key, start, end }: WindowKey<K>): void {
    const entry = this.#store.get(key, start, end);
    if (entry !== undefined) this.#store.remove(entry);
  }

  find(key: K, from: number, to: number): [session: WindowKey<K>, value: V][] {
    return this.#store.touching(key, from, to).map((entry) => rowOf<K, V>(entry));
  }

  entries(): IterableIterator<[session: WindowKey<K>, value: V]> {
    return rowsOf<K, V>(this.#store);
  }
}

class Windows<K, V> implements UserWindowStore<K, V> {
  readonly #store: MemorySessionStore;
  readonly #sizeMs: number;

  constructor(store: MemorySessionStore, sizeMs: number) {
    this.#store = store;
    this.#sizeMs = sizeMs;
  }

  get size(): number {
    return this.#store.size;
  }

  get(key: K, start: number): V | undefined {
    return this.#store.get(key, start, start + this.#sizeMs)?.accumulator as V | undefined;
  }

  put(key: K, start: number, value: V): void {
    this.#store.put(entryOf(key, start, start + this.#sizeMs, value));
  }

  delete(key: K, start: number): void {
    const entry = this.#store.get(key, start, start + this.#sizeMs);
    if (entry !== undefined) this.#store.remove(entry);
  }

  fetch(key: K, from: number, to: number): [start: number, value: V][] {
    // All windows are of one size, so by end is by start.
    return this.#store
      .touching(key, from, to)
      .filter(({ start }) => start >= from)
      .map(({ start, accumulator }) => [start, accumulator as V]);
  }

  entries(): IterableIterator<[key: WindowKey<K>, value: V]> {
    return rowsOf<K, V>(this.#store);
  }
}

function entryOf(key: unknown, start: number, end: number, value: unknown): WindowEntry {
  return {
    key,
    start,
    end,
    timestamp: end,
    originWatermark: -Infinity,
    accumulator: value,
    contributors: undefined,
  };
}

function rowOf<K, V>({ key, start, end, accumulator }: WindowEntry): [WindowKey<K>, V] {
  return [{ key: key as K, start, end }, accumulator as V];
}

function* rowsOf<K, V>(store: MemorySessionStore): IterableIterator<[WindowKey<K>, V]> {
  for (const entry of store.entries()) yield rowOf<K, V>(entry);
}
