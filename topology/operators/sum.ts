import type { OperatorFunction } from 'rxjs';
import type { Emit } from '../dsl/node.ts';
import { RecordError } from '../errors.ts';
import { type Aggregated, aggregation, type AggregationOptions, type Groupable, type ValueIn } from './aggregation.ts';

/**
 * Adds up whole numbers per key, or per key and window; exact, so the order does not matter. RecordError SLC_RECORD_SUM for a number that is not whole
 * or a sum beyond 2^53: use bigints (minor units of money) for what may grow.
 */
export function sum<I extends Groupable, N extends number | bigint, E extends Emit = 'final'>(
  number: (value: ValueIn<I>) => N,
  options: AggregationOptions<E>,
): OperatorFunction<I, Aggregated<I, N extends bigint ? bigint : number, E>> {
  const add = (total: number | bigint | null, value: ValueIn<I>): number | bigint => plus(total, number(value));
  const merge = (a: number | bigint | null, b: number | bigint | null): number | bigint | null =>
    b === null ? a : plus(a, b);
  return aggregation(options, { kind: 'sum', init: () => null, add, merge, commutative: true });
}

/** The next total; null is that of nothing. */
export function plus(total: number | bigint | null, next: number | bigint): number | bigint {
  if (typeof next === 'bigint') return typeof total === 'bigint' ? total + next : next;
  const result = (typeof total === 'number' ? total : 0) + next;
  if (Number.isSafeInteger(next) && Number.isSafeInteger(result)) return result;
  throw new RecordError('SLC_RECORD_SUM', `a sum cannot take ${next}: it is not whole, or the sum grows beyond 2^53`, {
    hint: 'sum bigints, for example money in its minor unit; fractions do not add up the same in every order',
  });
}
