/** The coordinator of a transaction is asked for once, and again when a request fails: on kafkajs's own manager of transactions, with a cluster that counts. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { pino } from 'pino';
import { createKafkaClient } from '#topology';
import { requireKafkajs } from '../../../topology/kafkajs/patches/replace-module.ts';

// Makes a client, so that kafkajs is mended.
createKafkaClient({ brokers: ['127.0.0.1:1'], clientId: 'test', logger: pino({ level: 'silent' }) });

interface Manager {
  initProducerId(): Promise<void>;
  beginTransaction(): void;
  addPartitionsToTransaction(topics: readonly object[]): Promise<void>;
  sendOffsets(offsets: object): Promise<void>;
  commit(): Promise<void>;
}

const makeManager = requireKafkajs('kafkajs/src/producer/eosManager') as (options: object) => Manager;
const logger = { debug: () => undefined, error: () => undefined };

describe('coordinators of transactions', () => {
  /** Node that coordinates transactions; positions are coordinated by node 7. */
  let coordinator: string;
  let lookUps: number;
  let asked: string[];
  /** Errors to come: the next answers of this node. */
  let failing: { readonly nodeId: string; readonly type: string }[];

  beforeEach(() => {
    coordinator = '1';
    lookUps = 0;
    asked = [];
    failing = [];
  });

  function brokerOf(nodeId: string): object {
    const answer = (name: string) => async () => {
      asked.push(`${name} ${nodeId}`);
      const [failure] = failing;
      if (failure?.nodeId === nodeId) {
        failing.shift();
        throw Object.assign(new Error(failure.type), { type: failure.type });
      }
      return { producerId: '5', producerEpoch: 0 };
    };
    const names = ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'];
    return Object.fromEntries([['nodeId', nodeId], ...names.map((name) => [name, answer(name)])]) as object;
  }

  async function started(): Promise<Manager> {
    const cluster = {
      refreshMetadataIfNecessary: async () => undefined,
      findBroker: async ({ nodeId }: { nodeId: string }) => brokerOf(nodeId),
      findGroupCoordinator: async ({ coordinatorType }: { coordinatorType: number }) => {
        lookUps++;
        return brokerOf(coordinatorType === 1 ? coordinator : '7');
      },
    };
    const manager = makeManager({ logger, cluster, transactional: true, transactionalId: 'shop-0' });
    await manager.initProducerId();
    return manager;
  }

  async function transaction(manager: Manager): Promise<void> {
    manager.beginTransaction();
    await manager.addPartitionsToTransaction([{ topic: 'out', partitions: [{ partition: 0 }] }]);
    await manager.sendOffsets({ consumerGroupId: 'shop', topics: [] });
    await manager.commit();
  }

  test('one look-up each for the transaction and the group, however many transactions there are', async () => {
    const manager = await started();
    for (let i = 0; i < 3; i++) await transaction(manager);
    assert.equal(lookUps, 2);
    const each = ['addPartitionsToTxn 1', 'addOffsetsToTxn 1', 'txnOffsetCommit 7', 'endTxn 1'];
    assert.deepEqual(asked, ['initProducerId 1', ...each, ...each, ...each]);
  });

  test('a coordinator that has moved is found by the request that meets the old one', async () => {
    const manager = await started();
    await transaction(manager);
    failing = [{ nodeId: '1', type: 'NOT_COORDINATOR_FOR_GROUP' }];
    coordinator = '2';
    asked = [];
    await transaction(manager);
    assert.deepEqual(asked, [
      'addPartitionsToTxn 1',
      'addPartitionsToTxn 2',
      'addOffsetsToTxn 2',
      'txnOffsetCommit 7',
      'endTxn 2',
    ]);
    assert.equal(lookUps, 3);
  });

  test('any other failure is told, and the next request asks anew; markers that are being written change nothing', async () => {
    const manager = await started();
    await transaction(manager);
    manager.beginTransaction();
    const partitions = [{ topic: 'out', partitions: [{ partition: 0 }] }];
    failing = [{ nodeId: '1', type: 'CONCURRENT_TRANSACTIONS' }];
    await assert.rejects(manager.addPartitionsToTransaction(partitions), /CONCURRENT_TRANSACTIONS/);
    await manager.addPartitionsToTransaction(partitions);
    assert.equal(lookUps, 2);
    failing = [{ nodeId: '1', type: 'REQUEST_TIMED_OUT' }];
    await assert.rejects(manager.sendOffsets({ consumerGroupId: 'shop', topics: [] }), /REQUEST_TIMED_OUT/);
    await manager.commit();
    assert.equal(lookUps, 3);
  });
});
