/** What a driver of Kafka must hold of groups that are to be forgotten. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { type KafkaClient, RetriableError } from '#topology';

const DEADLINE_MS = 20_000;

/** Resolves when the condition holds. */
async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `${what}: not in time`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Any driver, any broker. */
export function groupsContract(name: string, makeClient: () => KafkaClient): void {
  describe(`groups of Kafka client ${name}`, () => {
    const client = makeClient();
    const id = `contract-${randomUUID().slice(0, 8)}`;
    after(() => client.close());

    test('a group is forgotten with its positions, once it has no member', async () => {
      const admin = await client.admin();
      await admin.ensureTopics([{ name: id, partitions: 1 }]);
      const producer = await client.producer({ transactionalId: id });
      await producer.begin();
      await producer.sendOffsets(id, [{ topic: id, partition: 0, offset: 3n, metadata: null }]);
      await producer.commit();
      await producer.close();
      const committed = async (): Promise<bigint[]> =>
        (await admin.committedOffsets(id, [{ topic: id, partition: 0 }])).map(({ offset }) => offset);
      assert.deepEqual(await committed(), [3n]);

      let assigned: readonly number[] = [];
      const membership = await client.join({
        group: id,
        topics: [id],
        epoch: 'e',
        sessionTimeoutMs: 6_000,
        onAssigned: (partitions) => (assigned = partitions),
        onLost: (error) => assert.fail(error),
      });
      await until('assigned', () => assigned.length > 0);
      await assert.rejects(
        admin.deleteGroups([id]),
        (error) => error instanceof RetriableError && error.code === 'SLC_BROKER_GROUP_BUSY',
      );
      await membership.leave();
      await admin.deleteGroups([id]);
      assert.deepEqual(await committed(), []);
      await admin.deleteGroups([id]); // one that is not there
      await admin.deleteTopics([id]);
      await admin.close();
    });
  });
}
