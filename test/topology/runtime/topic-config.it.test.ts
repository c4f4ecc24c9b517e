import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { pino } from 'pino';
import { BatchBuilder, createKafkaClient, topicConfig, type TopicKind } from '#topology';

const KINDS: TopicKind[] = ['origin', 'derived', 'table', 'repartition', 'changelog', 'ledger', 'hints', 'late', 'dlq'];

test('Kafka accepts the settings of every kind and records of any time', async (t) => {
  const brokers = process.env['SLUICE_TEST_KAFKA'];
  assert.ok(brokers, 'SLUICE_TEST_KAFKA is not set: `npm test` starts Kafka and sets it');
  const logger = pino({ level: 'silent' });
  const client = createKafkaClient({ brokers: brokers.split(','), clientId: 'topic-config-test', logger });
  t.after(() => client.close());
  const prefix = `t-${randomUUID().slice(0, 8)}-`;
  const names = KINDS.map((kind) => prefix + kind);
  const admin = await client.admin();
  await admin.ensureTopics(KINDS.map((kind) => ({ name: prefix + kind, partitions: 1, config: topicConfig(kind) })));
  const producer = await client.producer();
  for (const topic of names) {
    const batch = new BatchBuilder();
    // Kafka's defaults would refuse the last one: it lies more than an hour ahead. The first lies before the epoch.
    for (const timestamp of [-86_400_000, 0, 4_102_444_800_000])
      batch.append(Buffer.from('k'), Buffer.from('v'), timestamp);
    assert.deepEqual(await producer.send([{ topic, partition: 0, batch }]), [{ topic, partition: 0, baseOffset: 0n }]);
  }
  await admin.deleteTopics(names);
});
