/** Records as the contract suite writes and reads them. */
import assert from 'node:assert/strict';
import { BatchBuilder, type KafkaReader, type ReadyBatch, RecordCursor, type TopicPartition } from '#topology';

const DEADLINE_MS = 20_000;

/** A record as tests write and read it. */
export interface TestRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  readonly header?: string;
}

/** A record of the key `k` at 1 s. */
export const record = (value: string | null, key: string | null = 'k', timestamp = 1_000): TestRecord => ({
  key,
  value,
  timestamp,
});

/** Records for one partition, ready to go. */
export function ready(tp: TopicPartition, records: readonly TestRecord[]): ReadyBatch {
  const batch = new BatchBuilder();
  for (const { key, value, timestamp, header } of records) {
    const headers = header === undefined ? [] : ([['h', Buffer.from(header)]] as const);
    batch.append(
      key === null ? null : Buffer.from(key, 'latin1'),
      value === null ? null : Buffer.from(value),
      timestamp,
      headers,
    );
  }
  return { topic: tp.topic, partition: tp.partition, batch };
}

/** Reads partitions to their ends. */
export async function readAll(
  reader: KafkaReader,
  partitions: readonly TopicPartition[],
): Promise<Map<number, TestRecord[]>> {
  const cursor = new RecordCursor();
  const found = new Map<number, TestRecord[]>(partitions.map(({ partition }) => [partition, []]));
  const open = new Set(partitions.map(({ partition }) => partition));
  for (const tp of partitions) reader.seek(tp, 'earliest');
  const until = Date.now() + DEADLINE_MS;
  while (open.size > 0) {
    assert.ok(Date.now() < until, `partitions ${[...open].join()} did not come to their ends`);
    for (const { partition, batches, nextOffset, endOffset } of await reader.poll(50)) {
      for (const batch of batches) {
        cursor.open(batch);
        while (cursor.next()) {
          const header = cursor.header('h')?.toString();
          found.get(partition)?.push({
            key: cursor.keyBytes()?.toString('latin1') ?? null,
            value: cursor.valueBytes()?.toString() ?? null,
            timestamp: cursor.timestamp,
            ...(header === undefined ? {} : { header }),
          });
        }
      }
      if (nextOffset >= endOffset) open.delete(partition);
    }
  }
  return found;
}
