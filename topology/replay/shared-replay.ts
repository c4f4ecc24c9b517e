/**
 * A replay in several processes. Each runs the slots that the group gives it and tells how far they are; one that runs none hears them all and knows when
 * everything is out.
 */
import { slotCount } from '../runtime/run-progress.ts';
import type { ReplayPlan } from './replay-plan.ts';
import {
  openReplay,
  type OpenedReplay,
  progressOf,
  type ReplayConfig,
  type ReplayProgress,
  startApp,
  totalOf,
} from './replay-run.ts';

/** What one process tells, as JSON. */
export interface ReplayShare {
  readonly slots: readonly number[];
  /** Offsets that its slots have read of the inputs. */
  readonly done: number;
  /** Records that its tasks have processed. */
  readonly processed: number;
  /** Event time up to which its slots have read their inputs, ms; null: not known, or all is read. */
  readonly eventTime: number | null;
  /** Transactions that its slots had committed when there was nothing left to do; null: there is. */
  readonly settledAt: number | null;
}

/** One process of a replay. */
export interface ReplayWorker {
  readonly plan: ReplayPlan;
  /** Takes a moment. */
  share(): Promise<ReplayShare>;
  /** Commits what is processed. */
  stop(): Promise<void>;
}

/** Takes part in a replay that `openReplay` has opened, or opens it. Rejects as `startReplay` does. */
export async function joinReplay(config: ReplayConfig): Promise<ReplayWorker> {
  const opened = await openReplay(config);
  const app = await startApp(config, opened);
  return {
    plan: opened.plan,
    stop: () => app.stop(),
    share: async () => {
      const settledAt = await app.settledHere().catch(() => undefined);
      const { done, processed, eventTime } = progressOf(opened, app);
      return {
        slots: app.stats().slots,
        done,
        processed,
        eventTime: Number.isFinite(eventTime) ? eventTime : null,
        settledAt: settledAt ?? null,
      };
    },
  };
}

/** So many shares of a worker must say the same after all were settled: the first may have been looked at before. */
const CONFIRMATIONS = 2;

/**
 * Hears the shares of all workers and knows when a replay is done: all slots were settled, and afterwards each worker looked again and none had
 * committed anything since. So there was a moment in which nobody had anything to do, nor anything on its way.
 */
export class SharedReplay {
  readonly #total: number;
  readonly #slots: number;
  readonly #shares = new Map<number, ReplayShare>();
  readonly #confirmed = new Map<number, number>();

  /** Offsets to read, slots of the application. */
  constructor(total: number, slots: number) {
    this.#total = total;
    this.#slots = slots;
  }

  /** A worker tells. True when the replay is done. */
  hear(worker: number, share: ReplayShare): boolean {
    const before = this.#shares.get(worker);
    this.#shares.set(worker, share);
    if (!this.#allSettled() || before === undefined || !isSame(before, share)) {
      this.#confirmed.clear();
      return false;
    }
    this.#confirmed.set(worker, (this.#confirmed.get(worker) ?? 0) + 1);
    return [...this.#shares.keys()].every((each) => (this.#confirmed.get(each) ?? 0) >= CONFIRMATIONS);
  }

  /** A worker has ended: what it told no longer holds. */
  forget(worker: number): void {
    this.#shares.delete(worker);
    this.#confirmed.clear();
  }

  progress(): ReplayProgress {
    const shares = [...this.#shares.values()];
    const sum = (of: (share: ReplayShare) => number): number => shares.reduce((all, share) => all + of(share), 0);
    const times = shares.flatMap(({ eventTime }) => eventTime ?? []);
    return {
      done: Math.min(
        this.#total,
        sum(({ done }) => done),
      ),
      total: this.#total,
      eventTime: times.length === 0 ? -Infinity : Math.min(...times),
      processed: sum(({ processed }) => processed),
      slots: { here: this.#held().size, all: this.#slots },
    };
  }

  #held(): Set<number> {
    return new Set([...this.#shares.values()].flatMap(({ slots }) => slots));
  }

  #allSettled(): boolean {
    const shares = [...this.#shares.values()];
    const held = shares.reduce((sum, { slots }) => sum + slots.length, 0);
    const done = shares.reduce((sum, share) => sum + share.done, 0);
    // Each slot once: of one that moves two workers may speak.
    if (held !== this.#slots || this.#held().size !== this.#slots || done < this.#total) return false;
    return shares.every(({ settledAt }) => settledAt !== null);
  }
}

/** Hears the workers of an opened replay. */
export function hearReplay({ plan, topology }: OpenedReplay): SharedReplay {
  return new SharedReplay(totalOf(plan), slotCount(topology));
}

function isSame(a: ReplayShare, b: ReplayShare): boolean {
  return a.settledAt === b.settledAt && a.slots.join() === b.slots.join();
}
