import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { it } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import { topicConfig, type TopicKind } from '../../../topology/runtime/topic-config.ts';

const KINDS: TopicKind[] = ['origin', 'derived', 'table', 'repartition', 'changelog', 'ledger', 'hints', 'late', 'dlq'];

it('Kafka accepts the settings of every kind and records of any time', async () => {
  const broker = process.env['SLUICE_TEST_KAFKA'];
  assert.ok(broker, 'SLUICE_TEST_KAFKA is not set: `npm test` starts Kafka and sets it');
  const kafka = new Kafka({ clientId: 'topic-config-test', brokers: [broker], logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  const producer = kafka.producer();
  const prefix = `t-${randomUUID().slice(0, 8)}-`;
  const names = KINDS.map((kind) => prefix + kind);
  await admin.connect();
  await producer.connect();
  try {
    const topics = KINDS.map((kind) => ({
      topic: prefix + kind,
      numPartitions: 1,
      replicationFactor: 1,
      configEntries: Object.entries(topicConfig(kind)).map(([name, value]) => ({ name, value })),
    }));
    await admin.createTopics({ topics, waitForLeaders: true });
    for (const topic of names) {
      // Kafka's defaults would refuse the second one: it lies more than an hour ahead.
      const messages = ['0', '4102444800000'].map((timestamp) => ({ key: 'k', value: 'v', timestamp }));
      const [result] = await producer.send({ topic, messages });
      assert.equal(result?.errorCode, 0, topic);
    }
  } finally {
    await admin.deleteTopics({ topics: names }).catch(() => undefined);
    await producer.disconnect();
    await admin.disconnect();
  }
});
