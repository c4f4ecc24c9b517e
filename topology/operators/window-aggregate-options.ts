/** What the processors of window aggregations share. */
import type { Emit } from '../dsl/node.ts';
import type { AnyRecord, StreamRecord } from '../record.ts';

/** What a window aggregation does. `commutative`: the order of contributors does not matter, so no contributor is kept. */
export interface WindowAggregateOptions {
  readonly store: string;
  readonly emit: Emit;
  readonly init: () => unknown;
  readonly add: (accumulator: never, value: never, record: AnyRecord) => unknown;
  readonly commutative: boolean;
  /** Accumulators of two sessions become one: `a` is that of the earlier. */
  readonly merge?: (a: never, b: never) => unknown;
  /** `merge` is addition and cannot fail: windows may be made of panes. */
  readonly isSum?: boolean;
}

/** What windowedBy hands over: the record with its windows. */
export interface WindowedInput {
  readonly record: StreamRecord<unknown, unknown>;
}
