import type { NodeContext, Processor } from '../dsl/node.ts';
import type { AnyRecord } from '../record.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';
import { keepTime, type RecordTime } from '../time/record-time.ts';
import type { GroupChange } from './regroup.ts';
import { isAbsent, type NewNode, queryRow } from './table-node.ts';

/** How a group changes with its rows. Each gets the accumulator as it stands. */
export interface GroupFold {
  readonly kind: string;
  readonly init: () => unknown;
  readonly add: (accumulator: never, value: never) => unknown;
  readonly subtract: (accumulator: never, value: never) => unknown;
  /** What add() and subtract() give does not depend on the order of the rows, and subtract() undoes add(). */
  readonly commutative: boolean;
}

/** Largest timestamp of the changes (ms), accumulator, how many rows are in the group. */
type Group = [timestamp: number, accumulator: unknown, rows: number];

/**
 * Aggregates the rows of a table by group: subtract() for what a group lost, then add() for what it gained. Leaves once per changed group and commit. A
 * group that has lost its last row is deleted, so that the result is a function of the table's rows alone; under stream-time it stays with what subtract()
 * gave, as in Kafka Streams. Timestamp: the largest of the group's changes.
 */
export function groupAggregateNode(fold: GroupFold, store: string): NewNode {
  return {
    spec: {
      kind: fold.kind,
      detail: 'table, add and subtract',
      keyed: true,
      table: true,
      emits: 'updates',
      ordered: !fold.commutative,
      store: { name: store, kind: 'key-value' },
      query: queryRow,
    },
    create: (context) => new GroupAggregate(fold, context, store),
  };
}

class GroupAggregate implements Processor<AnyRecord> {
  readonly #fold: GroupFold;
  readonly #context: NodeContext;
  readonly #store: MemoryKeyValueStore<unknown, Group>;
  readonly #pending = new Map<unknown, { timestamp: number; time: RecordTime }>();

  constructor(fold: GroupFold, context: NodeContext, store: string) {
    this.#fold = fold;
    this.#context = context;
    this.#store = context.store<MemoryKeyValueStore<unknown, Group>>(store);
  }

  process({ key, value, timestamp }: AnyRecord): void {
    const { minus, plus } = value as GroupChange;
    const known = this.#store.get(key);
    let [latest, accumulator, rows] = known ?? [-Infinity, this.#fold.init(), 0];
    if (!isAbsent(minus)) {
      accumulator = this.#fold.subtract(accumulator as never, minus as never);
      rows--;
    }
    if (!isAbsent(plus)) {
      accumulator = this.#fold.add(accumulator as never, plus as never);
      rows++;
    }
    latest = Math.max(latest, timestamp);
    if (rows === 0 && this.#context.policy.isCanonical) this.#store.delete(key);
    else this.#store.put(key, [latest, accumulator, rows]);
    this.#pending.set(key, { timestamp: latest, time: keepTime(this.#context.time) });
  }

  flush(): void {
    for (const [key, { timestamp, time }] of this.#pending) {
      const group = this.#store.get(key);
      this.#context.emitAt({ key, value: group?.[1] ?? null, timestamp }, time);
    }
    this.#pending.clear();
  }
}
