import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterConnection } from '../../../topology/kafkajs/connection.ts';
import { newKafka } from '../../../topology/kafkajs/load.ts';

const DEADLINE_MS = 10_000;
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /^TCPSocketWrap$|^(Simple)?ShutdownWrap$/.test(name)).length;

test('a request that goes on after another one has dropped the connections leaves none open', async () => {
  const brokers = process.env['SLUICE_TEST_KAFKA'];
  assert.ok(brokers !== undefined, 'SLUICE_TEST_KAFKA is not set: `npm test` starts the parts and sets it');
  const before = sockets();
  const connection = new ClusterConnection(
    newKafka({ brokers: brokers.split(','), clientId: 'connection', logger: silent }),
  );
  await connection.use('connecting', [], (cluster) => cluster.refreshMetadata());

  const failed = Promise.withResolvers<void>();
  const slow = connection.use('a slow request', [], async (cluster) => {
    await failed.promise;
    // As kafkajs does for a request whose broker is gone: it connects again.
    await cluster.refreshMetadata();
  });
  await assert.rejects(connection.use('a broken request', [], () => Promise.reject(new Error('broken'))));
  const deadline = Date.now() + DEADLINE_MS;
  const gone = async (): Promise<void> => {
    while (sockets() > before) {
      assert.ok(Date.now() < deadline, `${sockets() - before} connections stay open`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await gone();
  failed.resolve();
  await slow;
  await connection.close();
  await gone();
});
