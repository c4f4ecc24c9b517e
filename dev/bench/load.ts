/** Fills the topics that both engines read. */
import { BatchBuilder, encodeHint, HINTS_TOPIC, type KafkaClient, type KafkaProducer } from '#topology';
import { FIRST_MS, items, type LoadedRecord, pageviews, PARTITIONS } from './workload.ts';

/** Names of the input topics. */
export const INPUT = { pageviews: 'bench.pageviews', items: 'bench.items' } as const;

const BATCH_BYTES = 500_000;
const TWO_DAYS_MS = 2 * 86_400_000;

/** Creates and fills the input topics. The items are said to be complete by a hint, as a connector would. */
export async function loadInputs(
  client: KafkaClient,
  records: number,
  names: { readonly pageviews: string; readonly items: string } = INPUT,
): Promise<void> {
  const admin = await client.admin();
  await admin.ensureTopics([
    { name: names.pageviews, partitions: PARTITIONS },
    { name: names.items, partitions: PARTITIONS, config: { 'cleanup.policy': 'compact' } },
    { name: HINTS_TOPIC, partitions: 1, config: { 'cleanup.policy': 'compact' } },
  ]);
  const producer = await client.producer();
  const sizes = await sendAll(producer, names.items, items());
  const hints = new BatchBuilder();
  const at = Date.now();
  for (const [partition, size] of sizes.entries()) {
    const hint = {
      writer: 'bench',
      topic: names.items,
      partition,
      m: FIRST_MS + TWO_DAYS_MS,
      endOffset: BigInt(size),
      at,
    };
    const { key, value } = encodeHint(hint);
    hints.append(key, value, at);
  }
  await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch: hints }]);
  await sendAll(producer, names.pageviews, pageviews(records));
  await producer.close();
  await admin.close();
}

/** Records sent per partition. */
async function sendAll(producer: KafkaProducer, topic: string, records: Iterable<LoadedRecord>): Promise<number[]> {
  const batches = Array.from({ length: PARTITIONS }, () => new BatchBuilder());
  const sizes = Array.from({ length: PARTITIONS }, () => 0);
  const flush = async (): Promise<void> => {
    const ready = batches.flatMap((batch, partition) => (batch.count > 0 ? [{ topic, partition, batch }] : []));
    await producer.send(ready);
    for (const batch of batches) batch.reset();
  };
  for (const { key, value, timestamp, partition } of records) {
    const batch = batches[partition];
    if (batch === undefined) continue;
    batch.append(key, value, timestamp);
    sizes[partition] = (sizes[partition] ?? 0) + 1;
    if (batch.sizeBytes >= BATCH_BYTES) await flush();
  }
  await flush();
  return sizes;
}
