import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignPartitions, type MemberInfo } from '../../../topology/runtime/assign-partitions.ts';
import { randomOf } from '../../random.ts';

const member = (memberId: string, owned: number[] = [], epoch = 'e'): MemberInfo => ({
  memberId,
  topics: ['t'],
  epoch,
  owned,
});
const sorted = (numbers: Iterable<number>): number[] => [...numbers].toSorted((a, b) => a - b);

test('every partition has one owner, counts differ by one, and only what must move moves', () => {
  const { random, seed } = randomOf('assign-partitions');
  for (let round = 0; round < 2_000; round++) {
    const count = Math.floor(random() * 20);
    const ids = Array.from({ length: 1 + Math.floor(random() * 6) }, (_, i) => `m${i}`);
    let members = ids.map((id) => member(id));
    let assigned = assignPartitions(members, 'e', count);
    for (let change = 0; change < 5; change++) {
      const text = `seed ${seed}, round ${round}, change ${change}`;
      assert.deepEqual(
        sorted([...assigned.values()].flat()),
        Array.from({ length: count }, (_, i) => i),
        text,
      );
      const sizes = [...assigned.values()].map(({ length }) => length);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, text);
      const before = assigned;
      // Somebody comes or goes.
      if (random() < 0.5 || members.length === 1) members = [...members, member(`n${round}-${change}`)];
      else members = members.toSpliced(Math.floor(random() * members.length), 1);
      members = members.map(({ memberId }) => member(memberId, before.get(memberId) ?? []));
      assigned = assignPartitions(members, 'e', count);
      const stayed = members.reduce(
        (sum, { memberId, owned }) => sum + owned.filter((p) => assigned.get(memberId)?.includes(p)).length,
        0,
      );
      // As much as an even spread lets anybody keep: the smaller share each, and the larger one for as many as there are larger shares.
      const share = Math.floor(count / members.length);
      const above = members.filter(({ owned }) => owned.length > share).length;
      const kept = members.reduce((sum, { owned }) => sum + Math.min(owned.length, share), 0);
      assert.equal(stayed, kept + Math.min(above, count % members.length), text);
    }
  }
});

test('the same members have the same partitions again', () => {
  const first = assignPartitions([member('a'), member('b')], 'e', 6);
  const again = assignPartitions([member('b', first.get('b')), member('a', first.get('a'))], 'e', 6);
  assert.deepEqual(again, first);
});

test('an epoch that holds partitions keeps them all until its last member has gone', () => {
  const old = member('old', [0, 1], 'e1');
  const fresh = member('new', [], 'e2');
  assert.deepEqual([...assignPartitions([old, fresh], 'e2', 2)], [['old', [0, 1]]]);
  assert.deepEqual([...assignPartitions([fresh], 'e2', 2)], [['new', [0, 1]]]);
});

test('one partition claimed by two members after a split has one owner', () => {
  const assigned = assignPartitions([member('a', [0, 1, 2]), member('b', [2, 3])], 'e', 4);
  assert.deepEqual(sorted([...assigned.values()].flat()), [0, 1, 2, 3]);
});
