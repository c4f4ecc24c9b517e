import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { KStream } from '../dsl/kstream.ts';
import type { CreateProcessor } from '../dsl/node.ts';
import { TopologyError } from '../errors.ts';
import { type Duration, parseDuration } from '../duration.ts';
import type { StreamRecord } from '../record.ts';
import { StreamJoin } from './stream-join-processor.ts';
import { StreamJoinAsTheyCome } from './stream-join-as-they-come.ts';

/**
 * `within`: how far apart two records may lie in event time: left.ts - before <= right.ts <= left.ts + after; one duration is both. `grace`: how late a
 * record of either side may be. `store` names the records that wait.
 */
export interface StreamJoinOptions {
  readonly store: string;
  readonly within: Duration | { readonly before: Duration; readonly after: Duration };
  readonly grace: Duration;
}

/**
 * Joins each record with all records of `other` that have its key and lie within the time. A pair leaves at once, with the larger of both timestamps. A
 * record that finds none is dropped by 'inner'; 'left' joins a left one with null, 'outer' one of either side, when none can come any more: its timestamp
 * is its own. Records without a value are dropped, and those without a key, but for 'left' and 'outer', which join them with null at once. Where a side
 * was given another key it gets a repartition topic, `<app>-<store>-repartition` for the left and `<app>-<store>-right-repartition` for the right one,
 * unless its keyBy() has a name. TopologyError SLC_STAGE_JOIN for a negative window, or for a stream of another stage.
 */
export function streamJoin<K, V, W, O>(
  other: KStream<NoInfer<K>, W>,
  joiner: (left: NonNullable<V>, right: NonNullable<W>, key: K) => O,
  options: StreamJoinOptions & { readonly join: 'inner' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function streamJoin<K, V, W, O>(
  other: KStream<NoInfer<K>, W>,
  joiner: (left: NonNullable<V>, right: NonNullable<W> | null, key: K) => O,
  options: StreamJoinOptions & { readonly join: 'left' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function streamJoin<K, V, W, O>(
  other: KStream<NoInfer<K>, W>,
  joiner: (left: NonNullable<V> | null, right: NonNullable<W> | null, key: K) => O,
  options: StreamJoinOptions & { readonly join: 'outer' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>>;
export function streamJoin<K, V, W, O>(
  other: KStream<NoInfer<K>, W>,
  joiner: (left: never, right: never, key: K) => O,
  options: StreamJoinOptions & { readonly join: 'inner' | 'left' | 'outer' },
): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, O>> {
  const { store, within, grace, join } = options;
  const { before, after } = typeof within === 'string' ? { before: within, after: within } : within;
  const times = { beforeMs: parseDuration(before), afterMs: parseDuration(after), graceMs: parseDuration(grace) };
  if (Object.values(times).some((ms) => ms < 0)) {
    throw new TopologyError('SLC_STAGE_JOIN', `${store} joins from -${before} to ${after} with grace ${grace}`, {
      hint: 'before, after and grace must not be negative',
    });
  }
  const settings = { ...times, store, join, joiner };
  const create: CreateProcessor<StreamRecord<K, V>, StreamRecord<K, O>> = (context) =>
    context.policy.isCanonical ? new StreamJoin(settings, context) : new StreamJoinAsTheyCome(settings, context);
  return defineOperator({
    spec: {
      kind: 'streamJoin',
      keyed: true,
      detail: `${join}, before ${before}, after ${after}, grace ${grace}`,
      store: { name: store, kind: 'join' },
    },
    create,
    streams: [other.node],
  });
}
