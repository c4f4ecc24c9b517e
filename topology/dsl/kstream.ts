/** KStream and KTable: what the user chains. They only describe; the graph holds the nodes. */
import type { OperatorFunction } from 'rxjs';
import { TopologyError } from '../errors.ts';
import { addForeignKeyJoin, type ForeignKeyJoinOptions } from '../operators/foreign-key-join.ts';
import { type SuppressOptions, suppressNode } from '../operators/suppress.ts';
import { tableFilterNode } from '../operators/table-filter.ts';
import { type TableJoinKind, tableJoinNode, type TableJoinOptions } from '../operators/table-join.ts';
import { tableMapValuesNode } from '../operators/table-map-values.ts';
import type { MaterializedOptions, NewNode } from '../operators/table-node.ts';
import type { AnyRecord, StreamRecord } from '../record.ts';
import { splitCoordinate } from '../time/coordinate.ts';
import type { SinkTopic } from '../topic.ts';
import { type AnyTopic, type Graph, type GraphNode, isTable, windowsBefore } from './graph.ts';
import { KGroupedTable } from './grouped-table.ts';
import type { CreateProcessor } from './node.ts';
import { scope } from './scope.ts';
import { type AnyOperator, rxEntry, Trace } from './trace.ts';

declare const table: unique symbol;

/**
 * What an aggregation without a window, or with `emit: 'updates'`, gives: the end of a pipe, which then is a KTable. No StreamRecord on purpose: a
 * filter over the changes of a table would leave dropped rows standing.
 */
export interface TableOf<out K, out V> {
  readonly [table]: 'the end of a pipe: go on with KTable methods or toStream()';
  readonly row: readonly [K, V];
}

type End = AnyRecord | TableOf<unknown, unknown>;
type Op<I, O> = OperatorFunction<I, O>;

/** What a pipe gives: a KTable behind an aggregation that makes one, else a KStream. */
export type StreamOf<A> = [A] extends [TableOf<infer K, infer V>]
  ? KTable<K, V>
  : [A] extends [StreamRecord<infer K, infer V>]
    ? KStream<K, V>
    : never;

type Guard<K, V> = (value: V, key: K) => boolean;
type Narrowed<P, V> = P extends ((value: V, ...rest: never[]) => value is infer S extends V) ? S : V;

/** The streams that `split` gives: one per predicate, and `rest` for what none took. */
export type Branches<K, V, P extends Record<string, Guard<K, V>>> = {
  [N in keyof P]: KStream<K, Narrowed<P[N], V>>;
} & { rest: KStream<K, V> };

/** Streams made of one hold records of the same coordinate: a further part tells them apart, so that all of them have one order. */
const mergeAll: CreateProcessor<AnyRecord, unknown> = (context) => ({
  process: (record, parent) => {
    const { originWatermark, coordinate } = context.time;
    context.emitAt(record, { originWatermark, coordinate: splitCoordinate(coordinate, parent) });
  },
});

/** A stream of records with key K and value V. */
export class KStream<out K, out V> {
  readonly graph: Graph;
  readonly node: GraphNode;

  constructor(graph: Graph, node: GraphNode) {
    this.graph = graph;
    this.node = node;
  }

  /** Applies operators, RxJS's and the engine's. TopologyError for what a stage may not do (SLC_STAGE_*). */
  pipe<A extends End>(a: Op<StreamRecord<K, V>, A>): StreamOf<A>;
  pipe<A, B extends End>(a: Op<StreamRecord<K, V>, A>, b: Op<A, B>): StreamOf<B>;
  pipe<A, B, C extends End>(a: Op<StreamRecord<K, V>, A>, b: Op<A, B>, c: Op<B, C>): StreamOf<C>;
  pipe<A, B, C, D extends End>(a: Op<StreamRecord<K, V>, A>, b: Op<A, B>, c: Op<B, C>, d: Op<C, D>): StreamOf<D>;
  pipe<A, B, C, D, E extends End>(
    a: Op<StreamRecord<K, V>, A>,
    b: Op<A, B>,
    c: Op<B, C>,
    d: Op<C, D>,
    e: Op<D, E>,
  ): StreamOf<E>;
  pipe<A, B, C, D, E, F extends End>(
    a: Op<StreamRecord<K, V>, A>,
    b: Op<A, B>,
    c: Op<B, C>,
    d: Op<C, D>,
    e: Op<D, E>,
    f: Op<E, F>,
  ): StreamOf<F>;
  pipe<A, B, C, D, E, F, G extends End>(
    a: Op<StreamRecord<K, V>, A>,
    b: Op<A, B>,
    c: Op<B, C>,
    d: Op<C, D>,
    e: Op<D, E>,
    f: Op<E, F>,
    g: Op<F, G>,
  ): StreamOf<G>;
  pipe<A, B, C, D, E, F, G, H extends End>(
    a: Op<StreamRecord<K, V>, A>,
    b: Op<A, B>,
    c: Op<B, C>,
    d: Op<C, D>,
    e: Op<D, E>,
    f: Op<E, F>,
    g: Op<F, G>,
    h: Op<G, H>,
  ): StreamOf<H>;
  pipe(...operators: AnyOperator[]): KStream<unknown, unknown> | KTable<unknown, unknown> {
    let trace = new Trace([]);
    scope.building = `stage ${this.graph.stage}`;
    try {
      for (const operator of operators) {
        const out: unknown = operator(trace);
        trace = out instanceof Trace ? out : trace.add(rxEntry(operator));
      }
    } finally {
      scope.building = undefined;
    }
    const node = this.graph.append(this.node, trace.entries);
    return isTable(node) ? new KTable(this.graph, node) : new KStream(this.graph, node);
  }

  /** One stream per predicate; each record goes to the first that holds, else to `rest`. A type guard narrows V. */
  split<P extends Record<string, Guard<K, V>>>(branches: P): Branches<K, V, P> {
    const names = Object.keys(branches);
    const takes = (value: V, key: K): string => names.find((name) => branches[name]?.(value, key) === true) ?? 'rest';
    const streams = [...names, 'rest'].map((name) => {
      const create: CreateProcessor<StreamRecord<K, V>, unknown> = (_context, emit) => ({
        process: (record) => {
          if (takes(record.value, record.key) === name) emit(record);
        },
      });
      const node = this.graph.add({ kind: 'branch', detail: name }, [this.node], {
        create: create,
      });
      return [name, new KStream(this.graph, node)] as const;
    });
    return Object.fromEntries(streams) as unknown as Branches<K, V, P>;
  }

  /** The records of all these streams. */
  merge(...others: readonly KStream<K, V>[]): KStream<K, V> {
    const parents = [this.node, ...others.map((other) => other.node)];
    return new KStream(this.graph, this.graph.add({ kind: 'merge' }, parents, { create: mergeAll }));
  }

  /** Writes the stream to a topic, by its key. The value may be null: a tombstone. */
  to(topic: SinkTopic<K, NonNullable<V>>): void {
    if (topic.origin !== undefined) {
      throw new TopologyError(
        'SLC_TOPOLOGY_SINK',
        `${this.graph.stage}: ${topic.name} is an origin topic, which no stage writes`,
        {
          hint: 'declare it with topic()',
        },
      );
    }
    this.graph.add({ kind: 'sink', detail: topic.name }, [this.node], { topic: topic as unknown as AnyTopic });
  }
}

/** A table: the last value per key. */
export class KTable<in out K, in out V> {
  /** Never present at run time: carries the types. */
  declare readonly row: (key: K) => V;
  readonly graph: Graph;
  readonly node: GraphNode;

  constructor(graph: Graph, node: GraphNode) {
    this.graph = graph;
    this.node = node;
  }

  /**
   * Holds the changes of the table back and lets only some of them through: see untilWindowCloses() and untilTimeLimit(). TopologyError
   * SLC_STAGE_SUPPRESS when the table has no windows that could close.
   */
  suppress(options: SuppressOptions<K>): KTable<K, V> {
    const { spec, create } = suppressNode(options, windowsBefore(this.node), this.graph.stage);
    return new KTable(this.graph, this.graph.add(spec, [this.node], { create }));
  }

  /** The changes of the table. With updates only the last value per key is promised. */
  toStream(): KStream<K, V> {
    return new KStream(this.graph, this.node);
  }

  /** The rows that pass; the others are deleted. */
  filter(predicate: (value: V, key: K) => boolean, options: MaterializedOptions = {}): KTable<K, V> {
    return this.#next(tableFilterNode(predicate, options));
  }

  /** Another value per row. */
  mapValues<O>(map: (value: V, key: K) => O, options: MaterializedOptions = {}): KTable<K, O> {
    return this.#next(tableMapValuesNode(map, options));
  }

  /** The rows by another key, to be aggregated; a repartition topic follows. A row whose group is null is in none. */
  groupBy<K2 extends string | number | bigint | boolean>(group: (value: V, key: K) => K2 | null): KGroupedTable<K2, V> {
    return new KGroupedTable<K2, V>(this, group, (node) => new KTable<K2, never>(this.graph, node));
  }

  /** Rows that both tables have. */
  join<T, O>(
    other: KTable<K, T>,
    joiner: (left: V, right: NoInfer<T>, key: K) => O,
    options: TableJoinOptions,
  ): KTable<K, O> {
    return this.#join(other, 'inner', joiner, options);
  }

  /** Rows of this table, with those of the other where it has them. */
  leftJoin<T, O>(
    other: KTable<K, T>,
    joiner: (left: V, right: NoInfer<T> | null, key: K) => O,
    options: TableJoinOptions,
  ): KTable<K, O> {
    return this.#join(other, 'left', joiner, options);
  }

  /** Rows that either table has. */
  outerJoin<T, O>(
    other: KTable<K, T>,
    joiner: (left: V | null, right: NoInfer<T> | null, key: K) => O,
    options: TableJoinOptions,
  ): KTable<K, O> {
    return this.#join(other, 'outer', joiner, options);
  }

  /**
   * Joins each row with the row of another table that `foreignKey` names, whatever its partition; null names none. A change of either gives the joined row.
   * Only the last value per key is promised: on the way, answers to a former row may show.
   */
  foreignKeyJoin<F, T, O>(
    other: KTable<F, T>,
    foreignKey: (value: V, key: K) => NoInfer<F> | null,
    joiner: (value: V, row: NoInfer<T>, key: K) => O,
    options: ForeignKeyJoinOptions & { readonly join: 'inner' },
  ): KTable<K, O>;
  foreignKeyJoin<F, T, O>(
    other: KTable<F, T>,
    foreignKey: (value: V, key: K) => NoInfer<F> | null,
    joiner: (value: V, row: NoInfer<T> | null, key: K) => O,
    options: ForeignKeyJoinOptions & { readonly join: 'left' },
  ): KTable<K, O>;
  foreignKeyJoin<F, T, O>(
    other: KTable<F, T>,
    foreignKey: (value: V, key: K) => F | null,
    joiner: (value: V, row: never, key: K) => O,
    { store, join }: ForeignKeyJoinOptions & { readonly join: 'inner' | 'left' },
  ): KTable<K, O> {
    const what = { store, left: join === 'left', foreignKey, joiner };
    return new KTable(this.graph, addForeignKeyJoin(this.graph, [this.node, other.node], what));
  }

  #join<T, O>(
    other: KTable<K, T>,
    kind: TableJoinKind,
    joiner: (left: never, right: never, key: never) => O,
    options: TableJoinOptions,
  ): KTable<K, O> {
    const { spec, create } = tableJoinNode(kind, joiner, options);
    return new KTable(this.graph, this.graph.add(spec, [this.node, other.node], { create }));
  }

  #next<O>({ spec, create }: NewNode): KTable<K, O> {
    return new KTable(this.graph, this.graph.add(spec, [this.node], { create }));
  }
}
