/** Each defect of kafkajs that the driver mends (docs/decisions), without a broker. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pino } from 'pino';
import { BatchBuilder, ConfigError, createKafkaClient, RetriableError, TaskMigratedError } from '#topology';
import { portError } from '../../../topology/kafkajs/errors.ts';
import { replaceModule, requireKafkajs } from '../../../topology/kafkajs/patches/replace-module.ts';

// Makes a client, so that kafkajs is mended.
createKafkaClient({ brokers: ['127.0.0.1:1'], clientId: 'test', logger: pino({ level: 'silent' }) });

interface RequestQueue {
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
  checkPendingRequests(): void;
}

describe('kafkajs, mended', () => {
  test('a module that is not the one which was read is not replaced', () => {
    assert.throws(
      () => replaceModule('producer/createTopicData.js', '000000000000', (original) => original),
      (error) => error instanceof ConfigError && error.code === 'SLC_CONFIG_KAFKAJS',
    );
  });

  test('an idle connection sets no timer; one that is throttled or has work does', (t) => {
    const queue = requireKafkajs('kafkajs/src/network/requestQueue') as { prototype: RequestQueue };
    const idle: RequestQueue = Object.assign(Object.create(queue.prototype) as RequestQueue, {
      throttledUntil: -1,
      throttleCheckTimeoutId: null,
      pending: [],
    });
    idle.scheduleCheckPendingRequests();
    assert.equal(idle.throttleCheckTimeoutId, null);
    const busy = Object.assign(Object.create(queue.prototype) as RequestQueue, {
      throttledUntil: Date.now() + 60_000,
      throttleCheckTimeoutId: null as NodeJS.Timeout | null,
      pending: [1],
    });
    busy.scheduleCheckPendingRequests();
    t.after(() => clearTimeout(busy.throttleCheckTimeoutId ?? undefined));
    assert.notEqual(busy.throttleCheckTimeoutId, null);
  });

  test('a fetch hands over bytes', async () => {
    const decode = requireKafkajs('kafkajs/src/protocol/requests/fetch/v4/decodeMessages') as (
      decoder: object,
    ) => Promise<{ raw?: Buffer }>;
    const Decoder = requireKafkajs('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
    const { raw } = await decode(new Decoder(Buffer.from([0, 0, 0, 3, 7, 8, 9])));
    assert.deepEqual(raw, Buffer.from([7, 8, 9]));
  });

  test('a produce request is, byte by byte, what the protocol says (version 3, with a sealed batch)', async () => {
    const request = requireKafkajs('kafkajs/src/protocol/requests/produce/v3/request') as (data: object) => {
      encode(): Promise<{ buffer: Buffer }>;
    };
    const batch = new BatchBuilder();
    batch.append(Buffer.from('k'), Buffer.from('v'), 1_000);
    const messages = { batch, length: 1 };
    const encoded = await request({
      acks: -1,
      timeout: 5_000,
      transactionalId: 'tx',
      producerId: { toString: () => '9' },
      producerEpoch: 2,
      topicData: [{ topic: 'topic', partitions: [{ partition: 3, messages, firstSequence: 17 }] }],
    }).encode();
    const sealed = Buffer.from(batch.seal(9n, 2, 17, true));
    const expected = Buffer.concat([
      Buffer.from([0, 2]), Buffer.from('tx'), // transactional id
      Buffer.from([0xff, 0xff]), // acks
      Buffer.from([0, 0, 0x13, 0x88]), // timeout
      Buffer.from([0, 0, 0, 1, 0, 5]), Buffer.from('topic'), // topics
      Buffer.from([0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, sealed.length]), // partitions
      sealed,
    ]); // prettier-ignore
    assert.deepEqual(encoded.buffer, expected);
  });

  test('errors become those of the port, by what the broker said underneath', () => {
    const told = (type: string): Error => Object.assign(new Error(type), { type });
    const wrapped = (type: string): Error => new Error('number of retries exceeded', { cause: told(type) });
    assert.ok(portError(wrapped('INVALID_PRODUCER_EPOCH'), 'sending') instanceof TaskMigratedError);
    assert.ok(portError(told('TOPIC_AUTHORIZATION_FAILED'), 'sending') instanceof ConfigError);
    assert.ok(portError(wrapped('NOT_LEADER_FOR_PARTITION'), 'sending') instanceof RetriableError);
    assert.ok(portError(new Error('Connection timeout'), 'sending') instanceof RetriableError);
    const migrated = new TaskMigratedError('SLC_TASK_MIGRATED', 'x');
    assert.equal(portError(migrated, 'sending'), migrated);
  });
});
