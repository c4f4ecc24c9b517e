/**
 * The state of a slot on disk: stores whose content need not fit into memory, and a copy of the others, so that a restart reads from the changelogs only
 * what came after. What goes to disk is what is committed: after the transaction has, with the changelog offsets that it had (docs/SEMANTICS.md, State).
 */
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Topology } from '../dsl/topology.ts';
import { ConfigError, InvariantError, RetriableError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { makePersistentStore, makeStore, persistentTables } from '../state/make-store.ts';
import { type Flushable, StateBudget } from '../state/state-budget.ts';
import { DISK_CACHE_BYTES, type SlotIdentity, StateDisk, type StoreWrite } from '../state/state-disk.ts';
import type { ChangelogEntry, StatePlace, StateStore, StoreSpec } from '../state/store.ts';
import { type PersistentStore, StoreMirror } from '../state/store-mirror.ts';
import { isClockKey } from '../time/stream-clock.ts';
import type { ReadyBatch, SendResult } from './kafka-client.ts';

/** Where the state of an application goes that is kept beside memory. */
export interface PersistentState {
  /** A local disk; below it `<app>/<slot>`. Processes of one machine may share it. */
  readonly directory: string;
  /** What the state of a process may take in memory, over all its slots and stores. By default 256 MiB. */
  readonly budgetBytes?: number;
  /** By default 10 s. */
  readonly checkpointMs?: number;
  /** Where stages keep their state that do not say it themselves (StageOptions); by default 'disk'. */
  readonly stages?: StatePlace;
}

const DEFAULT_BUDGET_BYTES = 256 * 2 ** 20;
const DEFAULT_CHECKPOINT_MS = 10_000;

/** With defaults, for one process. */
export function stateSettings(
  { app, stages }: Pick<Topology, 'app' | 'stages'>,
  state: PersistentState,
): StateSettings {
  const own = stages.flatMap(({ name, options }): [string, StateBudget][] =>
    options?.stateBudgetBytes === undefined ? [] : [[name, new StateBudget(options.stateBudgetBytes)]],
  );
  return {
    directory: join(state.directory, app),
    budget: new StateBudget(state.budgetBytes ?? DEFAULT_BUDGET_BYTES),
    own: new Map(own),
    checkpointMs: state.checkpointMs ?? DEFAULT_CHECKPOINT_MS,
    stages: state.stages ?? 'disk',
  };
}

/** ConfigError SLC_STATE_DIRECTORY when a stage wants its state on disk: there is no directory. */
export function refuseOnDisk({ stages }: Pick<Topology, 'stages'>): void {
  const wishes = stages.filter(({ options }) => options?.state === 'disk').map(({ name }) => name);
  if (wishes.length === 0) return;
  throw new ConfigError('SLC_STATE_DIRECTORY', `stages that keep their state on disk: ${wishes.join(', ')}`, {
    hint: 'start the application with state: { directory } (SLUICE_STATE_DIR)',
  });
}

/** Of all budgets of a process. */
export function budgetsOf({ budget, own }: StateSettings): {
  readonly usedBytes: number;
  readonly budgetBytes: number;
} {
  const all = [budget, ...(own?.values() ?? [])];
  const sum = (of: (each: StateBudget) => number): number => all.reduce((total, each) => total + of(each), 0);
  return { usedBytes: sum(({ used }) => used), budgetBytes: sum(({ limit }) => limit) };
}

/** What the slots of a process share. */
export interface StateSettings {
  /** Of the application; each slot has a directory in it. */
  readonly directory: string;
  readonly budget: StateBudget;
  /** Of stages that have one of their own, by name. */
  readonly own?: ReadonlyMap<string, StateBudget>;
  /** Of stages that do not say it themselves; by default 'disk'. */
  readonly stages?: StatePlace;
  /** What is committed is on disk after this at the latest, ms, as long as commits go on: a restart reads the changelogs from there. */
  readonly checkpointMs: number;
}

/** Committed and not on disk, per slot: more is written at once. A write of it takes a fraction of a second, in which the process does nothing else. */
const MAX_PENDING_BYTES = 16 * 2 ** 20;
const PENDING_SHARE = 1 / 8;
/**
 * Kafka forgets deletions of a compacted topic after a day (delete.retention.ms): a copy that missed them would hold what is deleted. Half of it, for clocks
 * that differ.
 */
export const MAX_COPY_AGE_MS = 12 * 3_600_000;

/** One store, its copy on disk, and its part of the changelogs. */
interface Kept {
  readonly name: string;
  /** On disk. */
  readonly table: string;
  readonly topic: string;
  readonly store: StateStore;
  readonly persistent: PersistentStore | undefined;
  readonly mirror: StoreMirror;
  /** Of the node's clock, which is in the same changelog. */
  readonly clock: StoreMirror;
  /** Up to where the changelog is in the mirrors; undefined before it is known. */
  offset: bigint | undefined;
  /** Of the transaction under way. */
  sent: bigint | undefined;
}

export class SlotState implements Flushable {
  readonly #settings: StateSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #disk: StateDisk;
  readonly #partition: number;
  readonly #kept = new Map<string, Kept>();
  /** Of its stores. */
  readonly #budgets: StateBudget[] = [];
  /** Changes were taken that are not committed yet. */
  #isStaged = false;
  #lastWrite: number;

  /** Throws what StateDisk.open throws. */
  constructor(settings: StateSettings, identity: SlotIdentity, clock: Clock, logger: Logger) {
    this.#settings = settings;
    this.#clock = clock;
    this.#logger = logger;
    this.#partition = identity.partition;
    this.#disk = StateDisk.open(join(settings.directory, String(identity.partition)), identity, (reason) =>
      this.#unused(reason),
    );
    this.#lastWrite = clock.now();
    settings.budget.add(DISK_CACHE_BYTES);
    this.#join(settings.budget);
  }

  /** An empty store; `topic` is its changelog. */
  makeStore(spec: StoreSpec, topic: string): StateStore {
    const { name } = spec;
    const budget = this.#settings.own?.get(spec.of?.stage ?? '') ?? this.#settings.budget;
    const place = spec.of?.place ?? this.#settings.stages ?? 'disk';
    const table = this.#tableOf(spec, place);
    this.#join(budget);
    const mirror = new StoreMirror(this.#disk.table(table), budget);
    const clock = new StoreMirror(this.#disk.table(clockOf(table)), budget);
    const persistent =
      place === 'memory' ? undefined : makePersistentStore(spec, mirror, (further) => this.#disk.table(further));
    const store = persistent ?? makeStore(spec);
    const begun = { offset: undefined, sent: undefined };
    this.#kept.set(name, { name, table, topic, store, persistent, mirror, clock, ...begun });
    return store;
  }

  /** The copy of a store in memory has other keys than a store above the file: what the other one has left behind, before the setting changed, goes. */
  #tableOf(spec: StoreSpec, place: StatePlace): string {
    const tables = persistentTables(spec);
    if (tables === undefined) return spec.name;
    const inMemory = `${spec.name} in memory`;
    const [table, ...others] = place === 'memory' ? [inMemory, ...tables] : [spec.name, inMemory];
    const [other] = others;
    if (other !== undefined && this.#disk.checkpoint(other) !== undefined)
      this.#disk.discard([...others, clockOf(other)]);
    return table;
  }

  #join(budget: StateBudget): void {
    if (this.#budgets.includes(budget)) return;
    this.#budgets.push(budget);
    budget.join(this);
  }

  /**
   * Where the restore of a store begins in a changelog from `start` to `end`: at the checkpoint, whose content `load` gets unless the store reads it
   * itself; where the checkpoint does not fit, at the start, and it is forgotten. Without `load` nobody reads the stores.
   */
  begin(name: string, range: { readonly start: bigint; readonly end: bigint }, load?: RestoreEntry): bigint {
    const kept = this.#get(name);
    const reason = this.#whyUnusable(kept, range);
    if (reason !== undefined) {
      if (this.#disk.checkpoint(kept.table) !== undefined) this.#unused(`store ${name}: ${reason}`);
      this.#disk.discard([kept.table, clockOf(kept.table), ...this.#indexesOf(kept)]);
      kept.offset = range.start;
      return range.start;
    }
    if (load !== undefined) {
      for (const { key, value } of kept.clock.table.entries()) load(key, value);
      if (kept.persistent === undefined) for (const { key, value } of kept.mirror.table.entries()) load(key, value);
    }
    kept.offset = this.#disk.checkpoint(kept.table)?.offset ?? range.start;
    return kept.offset;
  }

  /** One record of the changelog behind the checkpoint. */
  restore(name: string, key: Uint8Array, value: Uint8Array | null, load?: RestoreEntry): void {
    const kept = this.#get(name);
    if (kept.persistent === undefined || isClockKey(key)) load?.(key, value);
    // What was fetched is given back: a copy, or it would keep the whole answer.
    this.#put(kept, Buffer.from(key), value === null ? null : Buffer.from(value), isClockKey(key));
  }

  /** All before `offset` was restored. */
  reached(name: string, offset: bigint): void {
    this.#get(name).offset = offset;
    if (this.#pendingBytes() > this.#maxPending) this.flush();
  }

  /** Nothing of a store is here any more: its changelog is to be read from its start. */
  forget(name: string): void {
    const kept = this.#get(name);
    kept.mirror.forget();
    kept.clock.forget();
    this.#disk.discard([kept.table, clockOf(kept.table), ...this.#indexesOf(kept)]);
    kept.offset = undefined;
  }

  /** The restore is done: the stores may be read. */
  attach(): void {
    this.flush();
    for (const { persistent, mirror } of this.#kept.values()) {
      if (persistent === undefined) continue;
      persistent.attach();
      mirror.budget.join(persistent);
    }
  }

  /** What a commit takes of a store: held back until `committed`. */
  keep(name: string, changes: readonly ChangelogEntry[], clock: readonly ChangelogEntry[]): void {
    this.#isStaged = true;
    const kept = this.#get(name);
    for (const { key, value } of changes) this.#put(kept, key, value, false);
    for (const { key, value } of clock) this.#put(kept, key, value, true);
  }

  /** Throws what went wrong with the disk since the last call: nothing of what was processed meanwhile may be committed. */
  check(): void {
    if (this.#disk.failure !== undefined) throw this.#disk.failure;
  }

  /** Where the records of the transaction under way landed. */
  sent(batches: readonly ReadyBatch[], results: readonly SendResult[]): void {
    const topics = new Map([...this.#kept.values()].map((kept) => [kept.topic, kept]));
    for (const [i, { topic, batch }] of batches.entries()) {
      const kept = topics.get(topic);
      const result = results[i];
      if (kept !== undefined && result !== undefined) kept.sent = result.baseOffset + BigInt(batch.count);
    }
  }

  /** The transaction is committed. */
  committed(): void {
    this.#isStaged = false;
    for (const kept of this.#kept.values()) {
      kept.offset = kept.sent ?? kept.offset;
      kept.sent = undefined;
    }
    const isDue = this.#clock.now() - this.#lastWrite >= this.#settings.checkpointMs;
    if (isDue || this.#pendingBytes() > this.#maxPending) this.flush();
    this.relieve();
  }

  /** Between two records. */
  relieve(): void {
    for (const budget of this.#budgets) budget.relieve();
  }

  flush(): boolean {
    if (this.#isStaged || this.#disk.failure !== undefined) return false;
    this.#lastWrite = this.#clock.now();
    const waiting = [...this.#kept.values()].filter(({ mirror, clock }) => mirror.size > 0 || clock.size > 0);
    if (waiting.length === 0) return false;
    this.#disk.write(waiting.flatMap(writesOf), this.#lastWrite);
    for (const { mirror, clock } of waiting) {
      mirror.written();
      clock.written();
    }
    return true;
  }

  /** Writes what is committed and gives the directory free, `synced` against power cuts. What is not committed is gone. */
  close(synced: boolean): void {
    try {
      this.flush();
    } catch (error) {
      this.#logger.warn({ slot: this.#partition, reason: String(error) }, 'the state on disk stays as it was');
    }
    for (const { store, persistent, mirror, clock } of this.#kept.values()) {
      if (persistent !== undefined) mirror.budget.leave(persistent);
      store.clear();
      mirror.forget();
      clock.forget();
    }
    for (const budget of this.#budgets) budget.leave(this);
    this.#settings.budget.add(-DISK_CACHE_BYTES);
    this.#disk.close(synced);
  }

  /** Where the file is. */
  get directory(): string {
    return this.#disk.directory;
  }

  /** Bytes in memory of what is not on disk yet. */
  get waitingBytes(): number {
    return this.#pendingBytes();
  }

  get #maxPending(): number {
    return Math.min(MAX_PENDING_BYTES, this.#settings.budget.limit * PENDING_SHARE);
  }

  #pendingBytes(): number {
    let bytes = 0;
    for (const { mirror, clock } of this.#kept.values()) bytes += mirror.bytes + clock.bytes;
    return bytes;
  }

  #put(kept: Kept, key: Uint8Array, value: Uint8Array | null, isClock: boolean): void {
    if (isClock) kept.clock.put(key, value);
    else kept.mirror.put(kept.persistent?.diskKey(key) ?? key, value);
  }

  #whyUnusable({ table }: Kept, { start, end }: { readonly start: bigint; readonly end: bigint }): string | undefined {
    const checkpoint = this.#disk.checkpoint(table);
    if (checkpoint === undefined) return 'there is none';
    const { offset, at } = checkpoint;
    if (offset > end) return `it is at offset ${offset}, and the changelog ends at ${end}`;
    if (offset < start) return `it is at offset ${offset}, and the changelog begins at ${start}`;
    const age = this.#clock.now() - at;
    const isOld = age > MAX_COPY_AGE_MS || age < -MAX_COPY_AGE_MS;
    if (offset < end && isOld) return 'it is too old to have seen all deletions';
    return undefined;
  }

  #indexesOf({ persistent }: Kept): string[] {
    return persistent?.indexOf?.([]).map(({ table }) => table) ?? [];
  }

  #unused(reason: string): void {
    const slot = this.#partition;
    this.#logger.warn({ slot, reason }, `slot ${slot}: state on disk is not used, but restored: ${reason}`);
  }

  #get(name: string): Kept {
    const kept = this.#kept.get(name);
    if (kept === undefined) throw new InvariantError('SLC_BUG_TOPOLOGY', `the slot has no store ${name}`);
    return kept;
  }
}

/** Takes one entry of a changelog into a store in memory. */
export type RestoreEntry = (key: Uint8Array, value: Uint8Array | null) => void;

/**
 * Opens the state of a slot. A slot that moves between two processes of a machine may come before its former owner has closed its file: that is waited
 * for, for a moment. Then, RetriableError SLC_STATE_LOCKED; else what StateDisk.open throws.
 */
export async function openSlotState(
  settings: StateSettings,
  identity: SlotIdentity,
  context: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<SlotState> {
  const { clock, logger, signal } = context;
  for (const begun = clock.now(); ;) {
    try {
      return new SlotState(settings, identity, clock, logger);
    } catch (error) {
      const mayPass = error instanceof RetriableError && clock.now() - begun < HAND_OVER_MS;
      if (!mayPass || signal.aborted) throw error;
      await clock.sleep(HAND_OVER_POLL_MS, signal);
    }
  }
}

const HAND_OVER_MS = 2_000;
const HAND_OVER_POLL_MS = 20;

function clockOf(store: string): string {
  return `${store} clock`;
}

function writesOf({ table, persistent, mirror, clock, offset }: Kept): StoreWrite[] {
  const entries = mirror.inOrder();
  const indexes = persistent?.indexOf?.(entries) ?? [];
  return [
    { store: table, entries, offset },
    { store: clockOf(table), entries: clock.inOrder(), offset: undefined },
    ...indexes.map((index) => ({ store: index.table, entries: index.entries, offset: undefined })),
  ];
}
