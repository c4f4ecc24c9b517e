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

test('every partition has one owner, counts differ by one, and no more move than must', () => {
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
      const held = members.reduce((sum, { owned }) => sum + owned.length, 0);
      const larger = Math.ceil(count / members.length);
      const surplus = members.reduce((sum, { owned }) => sum + Math.max(0, owned.length - larger), 0);
      // What must move at most: beyond the larger share, and one each where only some members may have the larger share.
      assert.ok(held - stayed <= surplus + members.length, text);
      if (members.every(({ owned }) => owned.length <= Math.floor(count / members.length)))
        assert.equal(stayed, held, text);
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
