import type { OperatorFunction } from 'rxjs';
import { defineOperator } from '../dsl/define-operator.ts';
import type { NodeContext, Processor } from '../dsl/node.ts';
import { type Duration, parseDuration } from '../duration.ts';
import type { StreamRecord } from '../record.ts';
import type { MemoryBufferStore } from '../state/buffer-store.ts';
import { keepTime } from '../time/record-time.ts';

/** `store` names the buffer of records that wait. `grace` is event time. */
export interface SortedOptions {
  readonly store: string;
  readonly grace: Duration;
}

/**
 * Puts the records of a task into (timestamp, coordinate) order, which no interleaving of partitions changes (TIME.md rule 10): takes a record when
 * ow <= t + grace, and lets it go when M > t + grace, with its own timestamp t and ow = t. A later one goes to the late topic.
 */
export function sorted<K, V>(options: SortedOptions): OperatorFunction<StreamRecord<K, V>, StreamRecord<K, V>> {
  const graceMs = parseDuration(options.grace);
  return defineOperator<StreamRecord<K, V>, StreamRecord<K, V>>({
    spec: {
      kind: 'sorted',
      keyed: true,
      detail: `grace ${options.grace}`,
      store: { name: options.store, kind: 'buffer' },
    },
    create: (context) => sorter<K, V>(context, context.store<MemoryBufferStore>(options.store), graceMs),
  });
}

function sorter<K, V>(context: NodeContext, buffer: MemoryBufferStore, graceMs: number): Processor<StreamRecord<K, V>> {
  return {
    process: (record) => {
      if (record.key === null || record.key === undefined) return context.dropped(record, 'null key');
      const latenessMs = context.arrive(record) - (record.timestamp + graceMs);
      if (latenessMs > 0) return context.late(record, { reason: 'record after the stream was complete', latenessMs });
      const { key, value, timestamp } = record;
      buffer.add({ key, value, timestamp, ...keepTime(context.time) });
    },
    advance: (watermark) => {
      for (let next = buffer.first; next !== undefined && watermark > next.timestamp + graceMs; next = buffer.first) {
        buffer.removeFirst();
        const { key, value, timestamp, coordinate } = next;
        context.emitAt({ key, value, timestamp }, { originWatermark: timestamp, coordinate });
      }
    },
    // What is still to come has t + grace >= M, and leaves with ow = t.
    outputWatermark: () => context.watermark() - graceMs,
  };
}
