/**
 * A client that is closed at any moment, whatever is under way, leaves no connection open: a process would not end for as long as the broker keeps an idle
 * one (ten minutes). SLUICE_SEED repeats a run.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchBuilder, createKafkaClient, type KafkaClient } from '#topology';
import { random } from '../../../topology/testing/random.ts';

const brokers = process.env['SLUICE_TEST_KAFKA'];
if (brokers === undefined) throw new Error('SLUICE_TEST_KAFKA is not set: npm test starts a broker and sets it');

const RUNS = 60;
const AT_ONCE = 6;
const GONE_MS = 15_000;
const SEED = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const TOPIC = `closing-${randomUUID()}`;
const AT = { topic: TOPIC, partition: 0 };
const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /^TCP(Connect|Socket)Wrap$|^(Simple)?ShutdownWrap$/.test(name))
    .length;

function newClient(): KafkaClient {
  return createKafkaClient({ brokers: (brokers ?? '').split(','), clientId: 'closing', logger });
}

/** What somebody does with a client until it is closed under his hands. */
const uses: Readonly<Record<string, (client: KafkaClient, over: AbortSignal) => Promise<void>>> = {
  transactions: async (client) => {
    for (;;) {
      const producer = await client.producer({ transactionalId: `closing-${randomUUID()}` });
      await producer.fence();
      for (let i = 0; i < 3; i++) {
        await producer.begin();
        const batch = new BatchBuilder();
        batch.append(null, Buffer.from('value'), 1);
        await producer.send([{ ...AT, batch }]);
        await producer.sendOffsets(`group-${TOPIC}`, [{ ...AT, offset: 1n, metadata: null }]);
        await producer.commit();
      }
      void producer.close();
    }
  },
  reading: async (client, over) => {
    const reader = await client.reader({ committed: true });
    reader.seek(AT, 'earliest');
    while (!over.aborted) await reader.poll(20);
  },
  administration: async (client) => {
    const admin = await client.admin();
    for (;;) {
      await admin.listTopics();
      await admin.offsets([AT], { committed: true });
      await admin.committedOffsets(`group-${TOPIC}`, [AT]);
    }
  },
  membership: async (client) => {
    for (;;) {
      const group = `group-${randomUUID()}`;
      const options = { group, topics: [TOPIC], epoch: '1', sessionTimeoutMs: 6_000 };
      const membership = await client.join({ ...options, onAssigned: () => undefined, onLost: () => undefined });
      await sleep(5);
      void membership.leave();
    }
  },
};

async function run(seed: number): Promise<void> {
  const g = random(seed);
  const client = newClient();
  const over = new AbortController();
  const working = Object.values(uses)
    .filter(() => g.chance(0.6))
    .map((use) => use(client, over.signal).catch(() => undefined));
  await sleep(g.int(0, 400));
  await client.close();
  over.abort();
  // What hangs in a closed client has nobody to wait for it.
  await Promise.race([Promise.all(working), sleep(200)]);
}

describe('closing a client', () => {
  before(async () => {
    const client = newClient();
    await (await client.admin()).ensureTopics([{ name: TOPIC, partitions: 1 }]);
    await client.close();
  });

  test(`at any moment: no connection stays (${RUNS} runs)`, { timeout: 120_000 }, async (t) => {
    t.diagnostic(`SLUICE_SEED=${SEED}`);
    const open = sockets();
    for (let i = 0; i < RUNS; i += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, k) => run(SEED + i + k)));
      const deadline = Date.now() + GONE_MS;
      while (sockets() > open) {
        assert.ok(Date.now() < deadline, `${sockets() - open} connections stay open, SLUICE_SEED=${SEED + i}`);
        await sleep(10);
      }
    }
  });
});
