import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { TableOf } from '../dsl/kstream.ts';
import type { NodeContext } from '../dsl/node.ts';
import type { StreamRecord } from '../record.ts';
import type { MemoryKeyValueStore } from '../state/memory-store.ts';
import type { Coordinate } from '../time/coordinate.ts';
import { isAbsent } from './table-node.ts';

/** Timestamp (ms), coordinate in base64 ('' under stream-time), value; null: deleted. */
type Row = [timestamp: number, coordinate: string, value: unknown];

/**
 * Reads a stream as a table: each record is a change of the row of its key, a null value deletes it, a null key is dropped. The row with the larger
 * (timestamp, coordinate) stands, not the last to arrive, so that the table is the same however partitions interleave (TIME.md rule 10); for that a
 * deleted row leaves its time behind. Under stream-time the last to arrive stands, as in Kafka Streams.
 */
export function toTable<K, V>(options: {
  readonly store: string;
}): OperatorFunction<StreamRecord<K, V>, TableOf<K, V>> {
  return defineOperator<StreamRecord<K, V>, TableOf<K, V>>({
    spec: {
      kind: 'toTable',
      keyed: true,
      table: true,
      emits: 'updates',
      store: { name: options.store, kind: 'key-value' },
      query: ([timestamp, , value]: Row) => (value === null ? undefined : { timestamp, value }),
    },
    create: (context, emit) => {
      const store = context.store<MemoryKeyValueStore<K, Row>>(options.store);
      return {
        process: (record) => {
          if (isAbsent(record.key)) return context.dropped(record, 'null key');
          if (change(store, record, context)) emit(record as unknown as TableOf<K, V>);
        },
      };
    },
  });
}

/** False: the row that stands is the newer one. */
function change<K, V>(
  store: MemoryKeyValueStore<K, Row>,
  { key, value, timestamp }: StreamRecord<K, V>,
  { policy, time }: NodeContext,
): boolean {
  if (!policy.isCanonical) {
    if (isAbsent(value)) store.delete(key);
    else store.put(key, [timestamp, '', value]);
    return true;
  }
  const known = store.get(key);
  if (known !== undefined && !isNewer(known, timestamp, time.coordinate)) return false;
  store.put(key, [timestamp, time.coordinate.toString('base64'), value ?? null]);
  return true;
}

function isNewer([timestamp, coordinate]: Row, than: number, of: Coordinate): boolean {
  if (than !== timestamp) return than > timestamp;
  return Buffer.compare(of, Buffer.from(coordinate, 'base64')) >= 0;
}
