import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import { type Duration, parseDuration } from '../duration.ts';
import type { StreamRecord } from '../record.ts';
import { type Key, keyKind, keyText } from '../state/key-codec.ts';
import type { MemorySeenStore } from '../state/seen-store.ts';

/**
 * `by` tells which records are the same, among those of one key; `within`: how far apart in event time they may be; `store` holds what was seen.
 * `grace`: how much older than the clock of its partition a record may be (`within` unless it is given); what was seen is held for `within` + `grace`.
 */
export interface DedupeOptions<K, V> {
  readonly by: (record: StreamRecord<K, V>) => Key;
  readonly within: Duration;
  readonly grace?: Duration;
  readonly store: string;
}

/**
 * Keeps the first of several records of the same key and `by`, in the order of the log: a record goes when one that was kept lies at most `within`
 * before or after it in event time. What was seen is forgotten when M > t + within + grace, and a record with ow > t + grace, for which that may be too
 * early, goes to the late topic: so nothing depends on when state is forgotten. Duplicates that differ in key need a keyBy before. The order of the log is one order only within one
 * partition of an origin topic: behind a repartition, a merge or another stage put sorted() between (TopologyError SLC_TOPOLOGY_ORDER). Records with
 * a null key or value are dropped. Kept records keep timestamp, ow and coordinate.
 */
export function dedupe<K, V>(options: DedupeOptions<K, V>): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, V>> {
  const withinMs = parseDuration(options.within);
  const graceMs = options.grace === undefined ? withinMs : parseDuration(options.grace);
  return defineOperator<StreamRecord<K, V>, StreamRecord<K, V>>({
    spec: {
      kind: 'dedupe',
      keyed: true,
      inLogOrder: true,
      reachMs: 2 * withinMs,
      detail: `within ${options.within}${options.grace === undefined ? '' : `, grace ${options.grace}`}`,
      store: { name: options.store, kind: 'seen' },
    },
    create: (context, emit) => {
      const seen = context.store<MemorySeenStore>(options.store);
      return {
        process: (record) => {
          if (record.key === null || record.key === undefined) return context.dropped(record, 'null key');
          if (record.value === null || record.value === undefined) return context.dropped(record, 'null value');
          const latenessMs = context.arrive(record) - (record.timestamp + graceMs);
          if (latenessMs > 0) return context.late(record, { reason: 'record after its horizon', latenessMs });
          const id = identity(record.key, options.by(record));
          if (seen.near(id, record.timestamp, withinMs)) return;
          seen.add(id, record.timestamp);
          emit(record);
        },
        advance: (watermark) => seen.forgetBefore(watermark - withinMs - graceMs),
      };
    },
  });
}

/** Kinds are told apart: the number 1 is not the text '1'. */
function identity(...parts: readonly unknown[]): string {
  return JSON.stringify(parts.map((part) => [keyKind(part) ?? 't', keyText(part)].join(':')));
}
