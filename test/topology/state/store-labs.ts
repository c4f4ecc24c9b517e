/** Stores with everything around them that the engine has: a changelog, commits, a disk, crashes. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BatchBuilder } from '../../../topology/record-batch.ts';
import { SlotState } from '../../../topology/runtime/slot-state.ts';
import { makeStore } from '../../../topology/state/make-store.ts';
import { StateBudget } from '../../../topology/state/state-budget.ts';
import type { ChangelogEntry, StateStore, StoreSpec } from '../../../topology/state/store.ts';

/** A directory to be deleted; in memory where that is to be had, since a disk takes long to sync. */
export function scratch(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sluice-state-'));
}

export interface StoreLab<S extends StateStore> {
  /** The store as it is now: another one after a restart. */
  readonly store: S;
  /** A transaction commits. */
  commit(): void;
  /** Memory is short: what can go, goes. */
  squeeze(): void;
  /** What is committed goes to disk. */
  flush(): void;
  /** Ends in order and begins again; what is not committed is lost. */
  reopen(): void;
  /** As kill -9 leaves it; begins again. */
  crash(): void;
  /** What the changelog holds, compacted. */
  changelog(): ReadonlyMap<string, ChangelogEntry>;
  end(): void;
}

export type MakeLab = <S extends StateStore>(spec: StoreSpec) => StoreLab<S>;

class Changelog {
  readonly entries: ChangelogEntry[] = [];

  append(changes: readonly ChangelogEntry[]): void {
    this.entries.push(...changes);
  }

  get compacted(): Map<string, ChangelogEntry> {
    const last = new Map<string, ChangelogEntry>();
    for (const entry of this.entries) {
      const id = Buffer.from(entry.key).toString('latin1');
      last.delete(id);
      if (entry.value !== null) last.set(id, entry);
    }
    return last;
  }
}

export const memoryLab: MakeLab = <S extends StateStore>(spec: StoreSpec): StoreLab<S> => {
  const log = new Changelog();
  const restored = (): S => {
    const store = makeStore(spec) as S;
    for (const { key, value } of log.compacted.values()) store.restore(key, value);
    return store;
  };
  const lab = {
    store: restored(),
    commit: () => log.append(lab.store.takeChanges()),
    squeeze: () => undefined,
    flush: () => undefined,
    reopen: () => void (lab.store = restored()),
    crash: () => void (lab.store = restored()),
    changelog: () => log.compacted,
    end: () => undefined,
  };
  return lab;
};

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };
const clock = { now: () => 0, sleep: () => Promise.resolve() };
const TOPIC = 'changelog';

/** `budgetBytes` below what the content takes, so that most of it is on disk only. */
export const persistentLab =
  (budgetBytes: number): MakeLab =>
  <S extends StateStore>(spec: StoreSpec): StoreLab<S> => {
    const root = scratch();
    const log = new Changelog();
    let nth = 0;
    let directory = join(root, '0');
    let state: SlotState;
    let budget: StateBudget;
    const open = (): S => {
      budget = new StateBudget(budgetBytes);
      const identity = { app: 'lab', epoch: '1', partition: 0 };
      state = new SlotState({ directory, budget, checkpointMs: Infinity }, identity, clock, quiet);
      const store = state.makeStore(spec, TOPIC) as S;
      const load = (key: Uint8Array, value: Uint8Array | null): void => store.restore(key, value);
      const from = Number(state.begin(spec.name, { start: 0n, end: BigInt(log.entries.length) }, load));
      for (const { key, value } of log.entries.slice(from)) state.restore(spec.name, key, value, load);
      state.reached(spec.name, BigInt(log.entries.length));
      state.attach();
      return store;
    };
    /** Whatever was evicted, loaded, changed and deleted: the budget has all of it back. */
    const close = (synced: boolean): void => {
      state.close(synced);
      assert.ok(Math.abs(budget.used) < 1, `${spec.kind}: ${budget.used} bytes are not given back`);
    };
    const lab = {
      store: open(),
      commit: () => {
        const changes = lab.store.takeChanges();
        const batch = new BatchBuilder();
        for (const { key, value, timestamp } of changes) batch.append(key, value, timestamp);
        if (changes.length > 0) {
          state.keep(spec.name, changes, []);
          state.sent(
            [{ topic: TOPIC, partition: 0, batch }],
            [{ topic: TOPIC, partition: 0, baseOffset: BigInt(log.entries.length) }],
          );
        }
        log.append(changes);
        state.committed();
      },
      squeeze: () => state.relieve(),
      flush: () => void state.flush(),
      reopen: () => {
        close(true);
        lab.store = open();
      },
      crash: () => {
        const former = state;
        const copy = join(root, String(++nth));
        cpSync(directory, copy, { recursive: true });
        directory = copy;
        lab.store = open();
        former.close(false);
      },
      changelog: () => log.compacted,
      end: () => {
        close(false);
        rmSync(root, { recursive: true, force: true });
      },
    };
    return lab;
  };
