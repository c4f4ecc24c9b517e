/** A target in memory with the faults that real ones have. Passes the contract suite of sinks. */
import {
  InvariantError,
  RetriableError,
  type Sink,
  type SinkPartition,
  type SinkRecord,
  SinkRecordError,
  TaskMigratedError,
} from '#topology';

interface Held {
  epoch: number;
  next: bigint | null;
}

export class MemoryTarget {
  readonly rows = new Map<string, unknown>();
  /** Every row ever written: `topic/partition@offset`. */
  readonly history: string[] = [];
  readonly held = new Map<string, Held>();
  /** Calls fail with RetriableError while true. */
  away = false;
  /** Awaited inside each write, before its atomic step. */
  beforeCommit: () => Promise<void> = async () => undefined;
  /** Asked after each committed step: true = the answer is lost. */
  loseAnswer: () => boolean = () => false;

  sink(): Sink {
    const check = async (): Promise<void> => {
      await Promise.resolve();
      if (this.away) throw new RetriableError('SLC_TEST_AWAY', 'the target is away');
    };
    return {
      name: 'memory',
      open: check,
      claim: async (topic, partition) => {
        await check();
        return this.#claim(`${topic}/${partition}`);
      },
      close: async () => undefined,
    };
  }

  #claim(tp: string): SinkPartition {
    const held: Held = this.held.get(tp) ?? { epoch: 0, next: null };
    this.held.set(tp, held);
    const epoch = (held.epoch += 1);
    let next = held.next;
    let doubtful: bigint | undefined;
    const write = async (records: readonly SinkRecord[], to: bigint): Promise<void> => {
      const first = records[0]?.offset ?? to;
      if (first < (next ?? 0n) || to < (next ?? 0n) || (records.at(-1)?.offset ?? -1n) >= to) {
        throw new InvariantError('SLC_BUG_SINK_POSITION', `${tp}: ${first} to ${to} does not continue ${next}`);
      }
      const rejected = records.filter((record) => record.value === 'poison');
      if (rejected.length > 0) {
        const reasons = rejected.map(({ offset }) => ({ offset, reason: 'poison' }));
        throw new SinkRecordError('SLC_RECORD_TEST', 'memory', reasons);
      }
      await this.beforeCommit();
      if (this.away) throw new RetriableError('SLC_TEST_AWAY', 'the target is away');
      if (held.epoch === epoch && doubtful === to && held.next === to) {
        next = to;
        return;
      }
      if (held.epoch !== epoch || held.next !== next)
        throw new TaskMigratedError('SLC_TASK_MIGRATED', `${tp} has another owner`);
      for (const { key, value, offset } of records) {
        if (value === null) this.rows.delete(String(key));
        else {
          this.rows.set(String(key), value);
          this.history.push(`${tp}@${offset}`);
        }
      }
      held.next = to;
      if (this.loseAnswer()) {
        doubtful = to;
        throw new RetriableError('SLC_TEST_AWAY', 'the answer was lost');
      }
      next = to;
    };
    return {
      get nextOffset() {
        return next;
      },
      write,
      close: async () => undefined,
    };
  }
}
