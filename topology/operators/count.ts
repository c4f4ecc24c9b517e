import type { OperatorFunction } from 'rxjs';
import type { Emit } from '../dsl/node.ts';
import { type Aggregated, aggregation, type AggregationOptions, type Groupable } from './aggregation.ts';

/** Counts the records per key, or per key and window. Records with a null value do not count, as in Kafka Streams. */
export function count<I extends Groupable, E extends Emit = 'final'>(
  options: AggregationOptions<E>,
): OperatorFunction<I, Aggregated<I, number, E>> {
  return aggregation(options, {
    kind: 'count',
    init: () => 0,
    add: (n: number) => n + 1,
    commutative: true,
    merge: (a: number, b: number) => a + b,
    isSum: true,
  });
}
