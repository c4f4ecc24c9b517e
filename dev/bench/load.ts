/** Fills the topics that both engines read. */
import {
  BatchBuilder,
  encodeHint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  type TopicSpec,
} from '#topology';
import { FIRST_MS, items, type LoadedRecord, pageviews, PARTITIONS, type Shape } from './workload.ts';

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
  await loadItems(client, names.items);
  await loadPageviews(client, names.pageviews, { records });
}

/** Creates and fills the table of items, with its hint. */
export async function loadItems(client: KafkaClient, topic: string): Promise<void> {
  const config = { 'cleanup.policy': 'compact' };
  await createTopics(client, [
    { name: topic, partitions: PARTITIONS, config },
    { name: HINTS_TOPIC, partitions: 1, config },
  ]);
  const producer = await client.producer();
  const sizes = await sendAll(producer, topic, items(), PARTITIONS);
  const hints = new BatchBuilder();
  const at = Date.now();
  for (const [partition, size] of sizes.entries()) {
    const hint = { writer: 'bench', topic, partition, m: FIRST_MS + TWO_DAYS_MS, endOffset: BigInt(size), at };
    const { key, value } = encodeHint(hint);
    hints.append(key, value, at);
  }
  await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch: hints }]);
  await producer.close();
}

/** Creates and fills a topic of page views. */
export async function loadPageviews(client: KafkaClient, topic: string, shape: Shape): Promise<void> {
  const partitions = shape.partitions ?? PARTITIONS;
  await createTopics(client, [{ name: topic, partitions }]);
  const producer = await client.producer();
  await sendAll(producer, topic, pageviews(shape), partitions);
  await producer.close();
}

/** Creates topics that are not there yet. */
export async function createTopics(client: KafkaClient, topics: readonly TopicSpec[]): Promise<void> {
  const admin = await client.admin();
  await admin.ensureTopics(topics);
  await admin.close();
}

/** What a stage names by itself: it would stay for the next run, with its records and its number of partitions. */
const OF_STAGES = /^(item_views|enriched_views)\.(late|dlq)$/;

/** Removes the topics that a run has left: those with its id in their names, and those of its stage. */
export async function removeTopics(admin: KafkaAdmin, id: string): Promise<void> {
  const topics = (await admin.listTopics()).filter((topic) => topic.includes(id) || OF_STAGES.test(topic));
  await admin.deleteTopics(topics).catch(() => undefined);
}

/** Records sent per partition. */
async function sendAll(
  producer: KafkaProducer,
  topic: string,
  records: Iterable<LoadedRecord>,
  partitions: number,
): Promise<number[]> {
  const batches = Array.from({ length: partitions }, () => new BatchBuilder());
  const sizes = Array.from({ length: partitions }, () => 0);
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
