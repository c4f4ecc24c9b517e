import type { OperatorFunction } from 'rxjs';
import type { Emit } from '../dsl/node.ts';
import { type Aggregated, aggregation, type AggregationOptions, type Groupable, type ValueIn } from './aggregation.ts';

/** `commutative`: the order of records does not matter, so only the accumulator is kept. */
export interface FoldOptions<E extends Emit> extends AggregationOptions<E> {
  readonly commutative?: boolean;
}

/**
 * `merge` makes one accumulator of two when a record joins two sessions, `a` being that of the earlier one: under stream-time sessions need it; else it
 * lets commutative aggregates of sessions keep accumulators only. An accumulator of init() merged with another must give the other.
 */
export interface AggregateOptions<A, E extends Emit> extends FoldOptions<E> {
  readonly merge?: (a: A, b: A) => A;
}

/**
 * Folds the values per key, or per key and window. Records are folded in (timestamp, coordinate) order when the window closes or an update leaves, so
 * the result does not depend on how partitions interleave; the window keeps its records for that. Say `commutative: true` where the order does not
 * matter: then only the accumulator is kept.
 */
export function aggregate<I extends Groupable, A, E extends Emit = 'final'>(
  init: () => A,
  add: (accumulator: A, value: ValueIn<I>) => A,
  options: AggregateOptions<A, E>,
): OperatorFunction<I, Aggregated<I, A, E>> {
  const { commutative = false, merge } = options;
  return aggregation(options, { kind: 'aggregate', init, add, commutative, ...(merge === undefined ? {} : { merge }) });
}
