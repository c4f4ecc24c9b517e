/** Rebuilds the stores of a slot's tasks from their changelogs, before the first record (DESIGN section 5). */
import { RecordCursor } from '../record-batch.ts';
import type { KafkaAdmin, KafkaClient } from './kafka-client.ts';

/** What takes the changes that a topic holds. */
export interface Restorable {
  readonly topic: string;
  restore(key: Uint8Array, value: Uint8Array | null): void;
}

/** How far a restore has come, in offsets of changelogs. */
export interface RestoreProgress {
  total: number;
  done: number;
}

const POLL_MS = 250;

/**
 * Reads each changelog partition from its start to its committed end. Call it after fencing, so that no predecessor can still commit.
 * Returns how many changelog records were applied.
 */
export async function restoreStores(
  client: KafkaClient,
  admin: KafkaAdmin,
  partition: number,
  stores: readonly Restorable[],
  signal: AbortSignal,
  progress: RestoreProgress = { total: 0, done: 0 },
): Promise<number> {
  const partitions = stores.map(({ topic }) => ({ topic, partition }));
  if (partitions.length === 0) return 0;
  const ends = await admin.offsets(partitions, { committed: true });
  const waiting = new Map<string, { readonly store: Restorable; at: bigint; readonly end: bigint }>();
  const reader = await client.reader({ committed: true, maxBytes: 32 * 2 ** 20, maxBytesPerPartition: 4 * 2 ** 20 });
  let restored = 0;
  try {
    for (const [i, store] of stores.entries()) {
      const { topic } = store;
      const { start, end } = ends[i] ?? { start: 0n, end: 0n };
      if (end <= start) continue;
      waiting.set(topic, { store, at: start, end });
      progress.total += Number(end - start);
      reader.seek({ topic, partition }, start);
    }
    const cursor = new RecordCursor();
    while (waiting.size > 0 && !signal.aborted) {
      for (const fetched of await reader.poll(POLL_MS)) {
        const target = waiting.get(fetched.topic);
        if (target === undefined) continue;
        for (const batch of fetched.batches) {
          cursor.open(batch);
          while (cursor.next()) {
            const key = cursor.keyBytes();
            if (key !== null) target.store.restore(key, cursor.valueBytes());
            restored++;
          }
        }
        progress.done += Number(fetched.nextOffset - target.at);
        target.at = fetched.nextOffset;
        if (fetched.nextOffset < target.end) continue;
        waiting.delete(fetched.topic);
        reader.remove({ topic: fetched.topic, partition });
      }
    }
  } finally {
    await reader.close();
  }
  return restored;
}
