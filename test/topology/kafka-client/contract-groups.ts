/** The part of the contract suite about groups. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KafkaAdmin, KafkaClient } from '#topology';

const DEADLINE_MS = 20_000;

/** What these tests share with the others of the suite. */
export interface ContractContext {
  readonly makeClient: () => KafkaClient;
  readonly admin: () => KafkaAdmin;
  readonly newTopic: (partitions: number) => Promise<string>;
  readonly prefix: string;
}

/** Declares the tests. */
export function groupTests({ makeClient, admin, newTopic, prefix }: ContractContext): void {
  test('a group shares partition numbers out over all topics, and gives those of another epoch nothing', async (t) => {
    const topics = [await newTopic(6), await newTopic(6)];
    const group = `${prefix}-members`;
    const clients = [makeClient(), makeClient(), makeClient()];
    t.after(() => Promise.all(clients.map((one) => one.close())));
    const assigned: (readonly number[])[] = [[], [], []];
    const others: (readonly string[])[] = [[], [], []];
    const join = (index: number, epoch: string) =>
      clients[index]?.join({
        group,
        topics,
        epoch,
        sessionTimeoutMs: 6_000,
        onAssigned: (partitions, { otherEpochs }) => {
          assigned[index] = partitions;
          others[index] = otherEpochs;
        },
        onLost: (error) => assert.fail(error),
      });
    const settled = async (expected: () => boolean): Promise<void> => {
      const until = Date.now() + DEADLINE_MS;
      while (!expected()) {
        assert.ok(Date.now() < until, `assigned: ${JSON.stringify(assigned)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const first = await join(0, 'e1');
    await settled(() => assigned[0]?.length === 6);
    const before = assigned[0];
    await join(1, 'e1');
    await settled(() => assigned[0]?.length === 3 && assigned[1]?.length === 3);
    assert.deepEqual(
      [...(assigned[0] ?? []), ...(assigned[1] ?? [])].toSorted((a, b) => a - b),
      before,
    );
    const kept = assigned[1] ?? [];
    await join(2, 'e2');
    await settled(() => others.some((epochs) => epochs.includes('e2')));
    assert.deepEqual([assigned[0]?.length, assigned[1]?.length, assigned[2]?.length], [3, 3, 0]);
    const members = await admin().groupMembers(group);
    assert.deepEqual(members.map(({ epoch, partitions }) => `${epoch} ${partitions.length}`).toSorted(), [
      'e1 3',
      'e1 3',
      'e2 0',
    ]);
    assert.deepEqual(await admin().groupMembers(`${prefix}-nobody`), []);
    await first?.confirmed();
    await first?.leave();
    await settled(() => assigned[1]?.length === 6);
    assert.ok(kept.every((partition) => assigned[1]?.includes(partition)));
  });

  test('a slot moves to a member of standby copies when it has said that it has one, and asked again', async (t) => {
    const topics = [await newTopic(4)];
    const group = `${prefix}-standby`;
    const clients = [makeClient(), makeClient()];
    t.after(() => Promise.all(clients.map((one) => one.close())));
    const assigned: (readonly number[])[] = [[], []];
    const ids = ['', ''];
    let copies: readonly number[] = [];
    const join = (index: number) =>
      clients[index]?.join({
        group,
        topics,
        epoch: 'e1',
        sessionTimeoutMs: 6_000,
        standby: { count: 1, place: `place-${index}`, copies: () => (index === 1 ? copies : []) },
        onAssigned: (partitions, { memberId }) => {
          assigned[index] = partitions;
          ids[index] = memberId;
        },
        onLost: (error) => assert.fail(error),
      });
    const settled = async (...sizes: readonly number[]): Promise<void> => {
      const until = Date.now() + DEADLINE_MS;
      while (assigned.map(({ length }) => length).join() !== sizes.join()) {
        assert.ok(Date.now() < until, `assigned: ${JSON.stringify(assigned)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await join(0);
    await settled(4, 0);
    const second = await join(1);
    await settled(4, 0);
    assert.notEqual(ids[1], '', 'it has joined');
    copies = [0, 1, 2, 3];
    second?.again();
    await settled(2, 2);
    const members = await admin().groupMembers(group);
    const told = members.find(({ memberId }) => memberId === ids[1]);
    assert.deepEqual([told?.standby, told?.copies, told?.place, told?.partitions], [1, copies, 'place-1', assigned[1]]);
    assert.deepEqual(members.find(({ memberId }) => memberId === ids[0])?.copies, []);
  });
}
