import type { OperatorFunction } from 'rxjs';
import type { Emit } from '../dsl/node.ts';
import { RecordError, TopologyError } from '../errors.ts';
import { encodeValue } from '../state/value-codec.ts';
import { type Aggregated, aggregation, type AggregationOptions, type Groupable, type ValueIn } from './aggregation.ts';

/** `tie` puts values of equal score in order, the least first: text by code units. What is equal in that too is ordered by its content. */
export interface TopNOptions<V, E extends Emit> extends AggregationOptions<E> {
  readonly tie?: (value: V) => string | number | bigint;
}

/** More than that in one state record would be a table of its own. */
const MAX_N = 10_000;

/**
 * The n values of the largest score per key, or per key and window, the largest first. The order is total, so it does not depend on how records come.
 * Each record counts for itself: to rank groups, sum them first, with 'final' results. TopologyError SLC_TOPOLOGY_TOP_N unless n is a whole number from 1
 * to 10000; RecordError SLC_RECORD_SCORE for a score that is neither a number nor a bigint, or NaN.
 */
export function topN<I extends Groupable, E extends Emit = 'final'>(
  n: number,
  score: (value: ValueIn<I>) => number | bigint,
  options: TopNOptions<ValueIn<I>, E>,
): OperatorFunction<I, Aggregated<I, ValueIn<I>[], E>> {
  if (!Number.isInteger(n) || n < 1 || n > MAX_N) {
    throw new TopologyError('SLC_TOPOLOGY_TOP_N', `topN cannot keep ${n} values`, {
      hint: `a whole number from 1 to ${MAX_N}`,
    });
  }
  type V = ValueIn<I>;
  const { tie } = options;
  const precedes = (a: V, b: V): boolean => {
    const order = compare(score(b), score(a)) || (tie === undefined ? 0 : compare(tie(a), tie(b)));
    return (order || Buffer.compare(encodeValue(a), encodeValue(b))) < 0;
  };
  const add = (top: readonly V[], value: V): readonly V[] => {
    checkScore(score(value));
    const at = top.findIndex((other) => precedes(value, other));
    if (at < 0) return top.length < n ? [...top, value] : top;
    return [...top.slice(0, at), value, ...top.slice(at, n - 1)];
  };
  const merge = (a: readonly V[], b: readonly V[]): readonly V[] => b.reduce(add, a);
  return aggregation(options, { kind: 'topN', detail: `${n} values`, init: () => [], add, merge, commutative: true });
}

function compare<T extends string | number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function checkScore(score: unknown): void {
  if (typeof score === 'bigint' || (typeof score === 'number' && !Number.isNaN(score))) return;
  throw new RecordError('SLC_RECORD_SCORE', `a score is ${String(score)}, which has no place in an order`, {
    hint: 'score() must give a number or a bigint; leave out or replace what has none before topN()',
  });
}
