/** What count, sum and aggregate share: their types, and how they become a node. */
import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { TableOf } from '../dsl/kstream.ts';
import type { CreateProcessor, Emit, NodeSpec } from '../dsl/node.ts';
import type { AnyRecord, StreamRecord, WindowKey } from '../record.ts';
import { tableAggregate } from './table-aggregate.ts';
import { queryRow } from './table-node.ts';
import { windowAggregate } from './window-aggregate.ts';
import type { Windowed } from './windowed-by.ts';

/** What an aggregation takes: records (result: a table) or windowed records. */
export type Groupable = AnyRecord | Windowed<unknown, unknown>;

/** The value type of what an aggregation takes. */
export type ValueIn<I> =
  I extends Windowed<unknown, infer V> ? V : I extends StreamRecord<unknown, infer V> ? V : never;

/** What it gives: with a window and 'final' records keyed by window, with 'updates' a table keyed by window, without a window a table. */
export type Aggregated<I, A, E extends Emit> = [I] extends [Windowed<infer K, unknown>]
  ? E extends 'final'
    ? StreamRecord<WindowKey<K>, A>
    : TableOf<WindowKey<K>, A>
  : [I] extends [StreamRecord<infer K, unknown>]
    ? TableOf<K, A>
    : never;

/** The store's name is mandatory: an upgrade must find it again. `emit` is for windows: once per closed window (default), or every change. */
export interface AggregationOptions<E extends Emit> {
  readonly store: string;
  readonly emit?: E;
}

interface Fold {
  readonly kind: string;
  /** What the accumulator depends on besides `kind`: state made otherwise is not taken over. */
  readonly detail?: string;
  readonly init: () => unknown;
  readonly add: (accumulator: never, value: never, record: AnyRecord) => unknown;
  readonly commutative: boolean;
  /** Accumulators of two sessions become one; without it sessions keep their records. */
  readonly merge?: (a: never, b: never) => unknown;
  /** See WindowAggregateOptions. */
  readonly isSum?: boolean;
}

/** The node of an aggregation: over windows when a windowedBy is before it, else a table. */
export function aggregation<I extends Groupable, O>(
  options: AggregationOptions<Emit>,
  fold: Fold,
): OperatorFunction<I, O> {
  const emit = options.emit ?? 'final';
  const spec: NodeSpec = {
    kind: fold.kind,
    detail: fold.detail === undefined ? `emit ${emit}` : `${fold.detail}, emit ${emit}`,
    keyed: true,
    aggregates: true,
    emits: emit,
    ordered: !fold.commutative,
    merges: fold.merge !== undefined,
    isSum: fold.isSum === true,
    store: { name: options.store, kind: 'window' },
    query: queryRow,
  };
  const overWindows = windowAggregate({ ...fold, store: options.store, emit });
  const overKeys = tableAggregate({ ...fold, store: options.store });
  const create: CreateProcessor<never, unknown> = (context, emitOne) =>
    context.windows === undefined ? overKeys(context, emitOne) : overWindows(context, emitOne);
  return defineOperator({ spec, create: create as CreateProcessor<I, O> });
}
