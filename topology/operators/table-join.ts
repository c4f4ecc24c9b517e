import type { NodeContext, Processor } from '../dsl/node.ts';
import type { AnyRecord } from '../record.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';
import { isAbsent, type NewNode } from './table-node.ts';

/** Which rows a join of two tables has: those of both sides, of the left side, of either. */
export type TableJoinKind = 'inner' | 'left' | 'outer';

/** `store` names the rows of both sides that the join keeps. */
export interface TableJoinOptions {
  readonly store: string;
}

/** Rows of both sides: timestamp (ms) and value; null where there is none. */
type Sides = [left: Side | null, right: Side | null];
type Side = [timestamp: number, value: unknown];

/**
 * Joins two tables by key, as Kafka Streams: a change on either side gives the joined row with the larger timestamp of both, or a tombstone where there
 * is no longer one. A change without a partner gives nothing in an inner join; nothing where neither side has or had a row. Null keys are dropped. The
 * result is a function of the last rows of both sides.
 */
export function tableJoinNode(
  join: TableJoinKind,
  joiner: (left: never, right: never, key: never) => unknown,
  { store }: TableJoinOptions,
): NewNode {
  return {
    spec: {
      kind: `${join === 'inner' ? '' : join}${join === 'inner' ? 'join' : 'Join'}`,
      detail: 'tables',
      keyed: true,
      table: true,
      emits: 'updates',
      store: { name: store, kind: 'key-value' },
    },
    create: (context, emit) => new TableJoin(join, joiner, context, { store, emit }),
  };
}

const LEFT = 0;

class TableJoin implements Processor<AnyRecord> {
  readonly #join: TableJoinKind;
  readonly #joiner: (left: never, right: never, key: never) => unknown;
  readonly #context: NodeContext;
  readonly #rows: MemoryKeyValueStore<unknown, Sides>;
  readonly #emit: (record: AnyRecord) => void;

  constructor(
    join: TableJoinKind,
    joiner: (left: never, right: never, key: never) => unknown,
    context: NodeContext,
    options: { readonly store: string; readonly emit: (record: AnyRecord) => void },
  ) {
    this.#join = join;
    this.#joiner = joiner;
    this.#context = context;
    this.#rows = context.store<MemoryKeyValueStore<unknown, Sides>>(options.store);
    this.#emit = options.emit;
  }

  process(record: AnyRecord, parent: number): void {
    if (isAbsent(record.key)) return this.#context.dropped(record, 'null key');
    const { key, timestamp } = record;
    const [left, right] = this.#rows.get(key) ?? [null, null];
    const changed: Side | null = isAbsent(record.value) ? null : [timestamp, record.value];
    const isLeft = parent === LEFT;
    const sides: Sides = isLeft ? [changed, right] : [left, changed];
    // Told first, kept then: a joiner that throws leaves the table as it was.
    const result = this.#resultOf({ key, timestamp, sides, isLeft, former: isLeft ? left : right });
    if (sides[0] === null && sides[1] === null) this.#rows.delete(key);
    else this.#rows.put(key, sides);
    if (result !== undefined) this.#emit(result);
  }

  #resultOf(change: {
    readonly key: unknown;
    readonly timestamp: number;
    readonly sides: Sides;
    readonly isLeft: boolean;
    readonly former: Side | null;
  }): AnyRecord | undefined {
    const { key, sides, isLeft, former } = change;
    const [left, right] = sides;
    const own = isLeft ? left : right;
    const other = isLeft ? right : left;
    if (other === null) {
      if (!this.#standsAlone(isLeft) || (own === null && former === null)) return undefined;
      return { key, value: own === null ? null : this.#joined(sides, key), timestamp: change.timestamp };
    }
    const timestamp = Math.max(change.timestamp, other[0]);
    const exists = own !== null || this.#standsAlone(!isLeft);
    return { key, value: exists ? this.#joined(sides, key) : null, timestamp };
  }

  /** Whether a row of that side is in the result without a partner. */
  #standsAlone(isLeft: boolean): boolean {
    return this.#join === 'outer' || (this.#join === 'left' && isLeft);
  }

  #joined([left, right]: Sides, key: unknown): unknown {
    return this.#joiner((left?.[1] ?? null) as never, (right?.[1] ?? null) as never, key as never);
  }
}
