/** KGroupedTable: what KTable.groupBy gives, until an aggregation makes a table of it. */
import { groupAggregateNode, type GroupFold } from '../operators/group-aggregate.ts';
import { regroupNode } from '../operators/regroup.ts';
import { plus } from '../operators/sum.ts';
import type { Graph, GraphNode } from './graph.ts';
import type { KTable } from './kstream.ts';

/** `store` names the groups; the rows of the table that are kept to know what a group loses are `<store>-rows`. */
export interface GroupOptions {
  readonly store: string;
}

/** `commutative`: the order of rows does not matter, and subtract() undoes add(). The policy `watermark` demands it (SLC_STAGE_ORDER). */
export interface GroupFoldOptions extends GroupOptions {
  readonly commutative?: boolean;
}

/** The rows of a table by group. A change subtracts the old row from its group, then adds the new one to its own: each exactly once. */
export class KGroupedTable<in out K, in out V> {
  readonly #table: { readonly graph: Graph; readonly node: GraphNode };
  readonly #group: (value: never, key: never) => unknown;
  readonly #make: (node: GraphNode) => KTable<K, never>;

  constructor(
    table: { readonly graph: Graph; readonly node: GraphNode },
    group: (value: never, key: never) => unknown,
    make: (node: GraphNode) => KTable<K, never>,
  ) {
    this.#table = table;
    this.#group = group;
    this.#make = make;
  }

  /** How many rows each group has. */
  count(options: GroupOptions): KTable<K, number> {
    const add = (n: number): number => n + 1;
    const subtract = (n: number): number => n - 1;
    return this.#aggregate({ kind: 'count', init: () => 0, add, subtract, commutative: true }, options);
  }

  /** The sum of whole numbers; exact. RecordError SLC_RECORD_SUM as for sum(). */
  sum<N extends number | bigint>(
    number: (value: V) => N,
    options: GroupOptions,
  ): KTable<K, N extends bigint ? bigint : number> {
    const add = (total: number | bigint | null, value: V): number | bigint => plus(total, number(value));
    const subtract = (total: number | bigint | null, value: V): number | bigint => {
      const lost: number | bigint = number(value);
      return plus(total, -lost);
    };
    return this.#aggregate({ kind: 'sum', init: () => null, add, subtract, commutative: true }, options);
  }

  /** Rows folded into one of their kind: the first stands as it is. */
  reduce(
    adder: (accumulator: V, value: V) => V,
    subtractor: (accumulator: V, value: V) => V,
    options: GroupFoldOptions,
  ): KTable<K, V> {
    const add = (accumulator: V | null, value: V): V => (accumulator === null ? value : adder(accumulator, value));
    const subtract = (accumulator: V | null, value: V): V | null =>
      accumulator === null ? null : subtractor(accumulator, value);
    const { commutative = false } = options;
    return this.#aggregate({ kind: 'reduce', init: () => null, add, subtract, commutative }, options);
  }

  /** Rows folded into an accumulator of any kind. */
  aggregate<A>(
    init: () => A,
    add: (accumulator: A, value: V) => A,
    subtract: (accumulator: A, value: V) => A,
    options: GroupFoldOptions,
  ): KTable<K, A> {
    const { commutative = false } = options;
    return this.#aggregate({ kind: 'aggregate', init, add, subtract, commutative }, options);
  }

  #aggregate<A>(fold: GroupFold, { store }: GroupOptions): KTable<K, A> {
    const { graph, node } = this.#table;
    const regroup = regroupNode(this.#group as (value: unknown, key: unknown) => unknown, {
      rows: `${store}-rows`,
      name: store,
    });
    const from = graph.add(regroup.spec, [node], { create: regroup.create });
    const repartition = graph.add({ kind: 'repartition', detail: store }, [from], { repartition: store });
    const groups = groupAggregateNode(fold, store);
    const made = graph.add(groups.spec, [repartition], { create: groups.create });
    return this.#make(made) as unknown as KTable<K, A>;
  }
}
