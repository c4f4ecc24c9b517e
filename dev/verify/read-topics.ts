/** Reads topics from their first record to an end that was taken before: what a dump is made of. */
import { type KafkaAdmin, type KafkaClient, RecordCursor, SluiceError, type TopicPartition } from '#topology';

/** A partition, its first offset kept, and the next one after its last committed record. */
export interface Range extends TopicPartition {
  readonly start: bigint;
  readonly end: bigint;
}

/** Bytes of one fetch: large, as nothing else runs meanwhile. */
const FETCH_BYTES = 16 * 1024 * 1024;
const PARTITION_BYTES = 1024 * 1024;
const POLL_MS = 250;

/** The committed range of every partition of the topics that exist, in one call. */
export async function rangesOf(admin: KafkaAdmin, topics: readonly string[]): Promise<Range[]> {
  const counts = await admin.partitionCounts(topics);
  const partitions = [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  if (partitions.length === 0) return [];
  const offsets = await admin.offsets(partitions, { committed: true });
  return partitions.map((each, i) => {
    const { start = 0n, end = 0n } = offsets[i] ?? {};
    return { ...each, start, end };
  });
}

/**
 * Hands every committed record of the ranges to `take`, in offset order per partition; the cursor is valid until `take` returns.
 * `take` may answer with a promise (something must be fetched before the record can be read): then it is called again with the same record.
 * SluiceError SLC_VERIFY_DEADLINE when the ends were not reached by `deadline` (ms since the epoch).
 */
export async function readTopics(
  client: KafkaClient,
  ranges: readonly Range[],
  deadline: number,
  take: (at: TopicPartition, cursor: RecordCursor) => Promise<void> | undefined,
): Promise<void> {
  const open = new Map(ranges.filter((each) => each.end > each.start).map((each) => [idOf(each), each.end] as const));
  if (open.size === 0) return;
  const reader = await client.reader({ committed: true, maxBytes: FETCH_BYTES, maxBytesPerPartition: PARTITION_BYTES });
  const cursor = new RecordCursor();
  try {
    for (const range of ranges) if (open.has(idOf(range))) reader.seek(range, range.start);
    while (open.size > 0) {
      if (Date.now() > deadline) {
        throw new SluiceError('SLC_VERIFY_DEADLINE', `${[...open.keys()].join(', ')}: not read to the end in time`);
      }
      for (const fetched of await reader.poll(POLL_MS)) {
        const end = open.get(idOf(fetched));
        if (end === undefined) continue;
        for (const batch of fetched.batches) {
          cursor.open(batch);
          while (cursor.next()) {
            if (BigInt(cursor.offset) >= end) break;
            for (let wait = take(fetched, cursor); wait !== undefined; wait = take(fetched, cursor)) await wait;
          }
        }
        if (fetched.nextOffset < end) continue;
        open.delete(idOf(fetched));
        reader.remove(fetched);
      }
    }
  } finally {
    await reader.close();
  }
}

/** `<topic>-<partition>`. */
export function idOf(at: TopicPartition): string {
  return `${at.topic}-${at.partition}`;
}
