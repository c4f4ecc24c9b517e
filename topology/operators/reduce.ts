import type { OperatorFunction } from 'rxjs';
import type { Emit } from '../dsl/node.ts';
import { type Aggregated, aggregation, type Groupable, type ValueIn } from './aggregation.ts';
import type { AggregateOptions } from './aggregate.ts';

/**
 * Folds the values per key, or per key and window, into one of their kind: the first value stands as it is, `combine` adds each further one. Order as for
 * aggregate(): (timestamp, coordinate), unless `commutative: true` says that it does not matter.
 */
export function reduce<I extends Groupable, E extends Emit = 'final'>(
  combine: (accumulator: ValueIn<I>, value: ValueIn<I>) => ValueIn<I>,
  options: AggregateOptions<E>,
): OperatorFunction<I, Aggregated<I, ValueIn<I>, E>> {
  const add = (accumulator: ValueIn<I> | null, value: ValueIn<I>): ValueIn<I> =>
    accumulator === null ? value : combine(accumulator, value);
  return aggregation(options, { kind: 'reduce', init: () => null, add, commutative: options.commutative ?? false });
}
