/** What lies committed in a topic of the broker in memory, as JSON. */
import { RecordCursor } from '#topology';
import type { FakeKafka } from '#topology/testing';

/** Records of one partition, in the order of the log. */
export function readJson(broker: FakeKafka, topic: string, partition = 0): { key: string; value: unknown }[] {
  const tp = { topic, partition };
  const cursor = new RecordCursor();
  const found: { key: string; value: unknown }[] = [];
  for (let offset = 0n; ;) {
    const fetched = broker.partition(tp).fetch(tp, offset, true, 2 ** 20);
    for (const batch of fetched?.batches ?? []) {
      cursor.open(batch);
      while (cursor.next()) {
        const value = cursor.valueBytes();
        found.push({ key: String(cursor.keyBytes()), value: value === null ? null : JSON.parse(String(value)) });
      }
    }
    if (fetched === undefined || fetched.nextOffset >= fetched.endOffset) return found;
    offset = fetched.nextOffset;
  }
}
