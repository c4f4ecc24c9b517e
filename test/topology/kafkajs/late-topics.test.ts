/** A topic that Kafka has made and does not show yet: on the clock of the test, with an administration that answers like a broker that is behind. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { Admin, Kafka } from 'kafkajs';
import { RetriableError } from '#topology';
import { KafkajsAdmin } from '../../../topology/kafkajs/admin.ts';

/** A cluster that shows what it has made only `delayMs` later. */
function slowToShow(delayMs: number): Kafka {
  let shownAt = Infinity;
  const admin: Partial<Admin> = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    listTopics: async () => (Date.now() >= shownAt ? ['events'] : []),
    createTopics: async () => {
      shownAt = Math.min(shownAt, Date.now() + delayMs);
      return true;
    },
    fetchTopicMetadata: async () => ({
      topics: [
        { name: 'events', partitions: [{ partitionErrorCode: 0, partitionId: 0, leader: 1, replicas: [1], isr: [1] }] },
      ],
    }),
  };
  return { admin: () => admin } as unknown as Kafka;
}

/** Lets the clock of the test run until `work` has ended; how long that took, in ms of that clock. */
async function untilSettled(t: TestContext, work: Promise<unknown>): Promise<number> {
  const started = Date.now();
  const ended = work.then(
    () => true,
    () => true,
  );
  const turn = async (): Promise<boolean> => {
    await new Promise((resolve) => setImmediate(resolve));
    return false;
  };
  while (!(await Promise.race([ended, turn()]))) t.mock.timers.tick(100);
  return Date.now() - started;
}

describe('a topic that is made and not there yet', () => {
  test('is waited for as long as a slow broker needs', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const made = new KafkajsAdmin(slowToShow(40_000)).ensureTopics([{ name: 'events', partitions: 1 }]);
    const took = await untilSettled(t, made);
    await made;
    assert.ok(took >= 40_000, `${took} ms`);
  });

  test('is given up after a minute', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    const made = new KafkajsAdmin(slowToShow(Infinity)).ensureTopics([{ name: 'events', partitions: 1 }]);
    const took = await untilSettled(t, made);
    await assert.rejects(made, (error) => error instanceof RetriableError && error.code === 'SLC_BROKER_AWAY');
    assert.ok(took >= 60_000 && took < 62_000, `${took} ms`);
  });
});
