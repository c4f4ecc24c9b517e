import type { OperatorFunction } from 'rxjs';
import type { Emit } from '../dsl/node.ts';
import { type Aggregated, aggregation, type AggregationOptions, type Groupable, type ValueIn } from './aggregation.ts';

/** `commutative`: the order of records does not matter, so only the accumulator is kept. */
export interface AggregateOptions<E extends Emit> extends AggregationOptions<E> {
  readonly commutative?: boolean;
}

/**
 * Folds the values per key, or per key and window. Records are folded in (timestamp, coordinate) order when the window closes or an update leaves, so
 * the result does not depend on how partitions interleave; the window keeps its records for that. Say `commutative: true` where the order does not
 * matter: then only the accumulator is kept.
 */
export function aggregate<I extends Groupable, A, E extends Emit = 'final'>(
  init: () => A,
  add: (accumulator: A, value: ValueIn<I>) => A,
  options: AggregateOptions<E>,
): OperatorFunction<I, Aggregated<I, A, E>> {
  return aggregation(options, { kind: 'aggregate', init, add, commutative: options.commutative ?? false });
}
