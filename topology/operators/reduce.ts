import type { OperatorFunction } from 'rxjs';
import type { Emit } from '../dsl/node.ts';
import { type Aggregated, aggregation, type Groupable, type ValueIn } from './aggregation.ts';
import type { FoldOptions } from './aggregate.ts';

/**
 * Folds the values per key, or per key and window, into one of their kind: the first value stands as it is, `combine` adds each further one. Order as for
 * aggregate(): (timestamp, coordinate), unless `commutative: true` says that it does not matter.
 */
export function reduce<I extends Groupable, E extends Emit = 'final'>(
  combine: (accumulator: ValueIn<I>, value: ValueIn<I>) => ValueIn<I>,
  options: FoldOptions<E>,
): OperatorFunction<I, Aggregated<I, ValueIn<I>, E>> {
  const add = (accumulator: ValueIn<I> | null, value: ValueIn<I>): ValueIn<I> =>
    accumulator === null ? value : combine(accumulator, value);
  const { commutative = false } = options;
  return aggregation(options, { kind: 'reduce', init: () => null, add, commutative, merge: merging(combine) });
}

/** null is the accumulator of no record. */
function merging<V>(combine: (a: V, b: V) => V): (a: V | null, b: V | null) => V | null {
  return (a, b) => (a === null ? b : b === null ? a : combine(a, b));
}
