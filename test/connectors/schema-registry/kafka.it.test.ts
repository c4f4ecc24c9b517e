import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import { pino } from 'pino';
import { ConfigError, createKafkaClient } from '#topology';
import { startSchemaRegistry } from '../../../connectors/schema-registry/index.ts';
import { registryApi } from './api.ts';

const brokers = process.env['SLUICE_TEST_KAFKA']?.split(',');
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const logger = pino({ level: 'silent' });
const makeClient = () => createKafkaClient({ brokers, clientId: 'registry-test', logger });

registryApi('Kafka', makeClient);

test("Confluent's client for kafkajs registers, encodes and decodes", async (t) => {
  const client = makeClient();
  t.after(() => client.close());
  const registry = await startSchemaRegistry({ client, logger, port: 0, topic: `_schemas-${randomUUID()}` });
  t.after(() => registry.stop());
  const user = new SchemaRegistry({ host: `http://127.0.0.1:${registry.port}` });
  const schema = JSON.stringify({ type: 'record', name: 'T', namespace: 'x', fields: [{ name: 'n', type: 'long' }] });
  const { id } = await user.register({ type: SchemaType.AVRO, schema }, { subject: 't-value' });
  assert.deepEqual({ ...((await user.decode(await user.encode(id, { n: 5 }))) as object) }, { n: 5 });
});

test('a port in use is refused by name', async (t) => {
  const client = makeClient();
  t.after(() => client.close());
  const topic = `_schemas-${randomUUID()}`;
  const first = await startSchemaRegistry({ client, logger, port: 0, topic });
  t.after(() => first.stop());
  await assert.rejects(
    startSchemaRegistry({ client, logger, port: first.port, topic }),
    (error) => error instanceof ConfigError && error.code === 'SLC_REGISTRY_PORT',
  );
});
