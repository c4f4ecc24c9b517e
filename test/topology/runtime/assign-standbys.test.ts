import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assignPartitions } from '../../../topology/runtime/assign-partitions.ts';
import { assignStandbys } from '../../../topology/runtime/assign-standbys.ts';
import { randomOf } from '../../random.ts';

interface Member {
  readonly memberId: string;
  readonly partitions: readonly number[];
  readonly standby: number;
  readonly copies: readonly number[];
  readonly place: string | undefined;
}

const member = (memberId: string, of: Partial<Member> = {}): Member => ({
  memberId,
  partitions: [],
  standby: 1,
  copies: [],
  place: undefined,
  ...of,
});

/** As the group's leader does it. */
function share(members: readonly Member[], count: number): Member[] {
  const infos = members.map(({ partitions, ...told }) => {
    return { ...told, topics: ['t'], epoch: 'e', owned: partitions };
  });
  const assigned = assignPartitions(infos, 'e', count);
  return members.map((each) => ({ ...each, partitions: assigned.get(each.memberId) ?? [] }));
}

/** Until nobody has anything to ask for: copies come, and those who are to own more have the group share out again. Returns how often it did. */
function settle(start: readonly Member[], count: number): { readonly members: Member[]; readonly rounds: number } {
  let members = share(start, count);
  for (let rounds = 1; ; rounds++) {
    assert.ok(rounds < 10, 'it comes to an end');
    const standbys = assignStandbys(members, count);
    members = members.map((each) => ({ ...each, copies: standbys.get(each.memberId)?.slots ?? [] }));
    if (members.every(({ memberId }) => standbys.get(memberId)?.destined.length === 0)) return { members, rounds };
    members = share(members, count);
  }
}

const sorted = (numbers: Iterable<number>): number[] => [...numbers].toSorted((a, b) => a - b);
const sizes = (members: readonly Member[]): number[] => members.map(({ partitions }) => partitions.length);

test('members come and go: every slot has one owner, with a copy if there was one; it settles evenly, with N copies each at others', () => {
  const { random, seed } = randomOf('assign-standbys');
  const int = (below: number): number => Math.floor(random() * below);
  for (let round = 0; round < 400; round++) {
    const count = 1 + int(12);
    const standby = 1 + int(2);
    let next = 0;
    const places = round % 2 === 0 ? [undefined] : ['here', 'there', 'yonder'];
    const fresh = (): Member => {
      return member(`m${int(1_000)}-${round}-${next++}`, { standby, place: places[int(places.length)] });
    };
    let { members } = settle(
      Array.from({ length: 1 + int(4) }, () => fresh()),
      count,
    );
    for (let change = 0; change < 5; change++) {
      const text = `seed ${seed}, round ${round}, change ${change}`;
      const all = Array.from({ length: count }, (_, slot) => slot);
      assert.deepEqual(sorted(members.flatMap(({ partitions }) => partitions)), all, text);
      assert.ok(Math.max(...sizes(members)) - Math.min(...sizes(members)) <= 1, text);
      const standbys = assignStandbys(members, count);
      for (const slot of all) {
        const copies = members.filter(({ memberId }) => standbys.get(memberId)?.slots.includes(slot));
        const owner = members.find(({ partitions }) => partitions.includes(slot));
        const isElsewhere = ({ place }: Member): boolean => place === undefined || place !== owner?.place;
        const elsewhere = members.filter((each) => each !== owner && isElsewhere(each));
        assert.equal(copies.length, Math.min(standby, elsewhere.length), text);
        assert.ok(copies.every(isElsewhere), text);
        assert.ok(
          copies.every(({ partitions }) => !partitions.includes(slot)),
          text,
        );
      }
      const gone = members.length > 1 && random() < 0.5 ? members[int(members.length)] : undefined;
      const stay = members.filter((each) => each !== gone);
      // Who died is often there again before the others notice.
      const come = gone === undefined || random() < 0.5 ? [fresh()] : [];
      const shared = share([...stay, ...come], count);
      for (const { memberId, partitions, place } of shared) {
        const before = stay.find((each) => each.memberId === memberId);
        for (const slot of partitions) {
          const neighbours = stay.filter(
            (each) => each.memberId === memberId || (place !== undefined && each.place === place),
          );
          const hasState =
            neighbours.some((each) => each.partitions.includes(slot)) || before?.copies.includes(slot) === true;
          const wasAnywhere = stay.some((each) => each.partitions.includes(slot) || each.copies.includes(slot));
          assert.ok(hasState || !wasAnywhere, `${text}: ${memberId} got ${slot} without its state`);
        }
      }
      ({ members } = settle(shared, count));
    }
  }
});

test('the slots of one owner have their copies at different members, which then have equally many', () => {
  const { members } = settle(
    ['a', 'b', 'c'].map((id) => member(id)),
    6,
  );
  const [, b, c] = members;
  assert.ok(b !== undefined && c !== undefined);
  const shared = share([b, c], 6);
  assert.deepEqual(sizes(shared), [3, 3]);
});

test('who keeps no copies gets none, and nobody copies for itself', () => {
  const members = [
    member('a', { partitions: [0, 1] }),
    member('b', { partitions: [2, 3] }),
    member('c', { partitions: [4, 5], standby: 0 }),
  ];
  const standbys = assignStandbys(members, 6);
  assert.equal(standbys.get('c'), undefined);
  assert.deepEqual(
    standbys.get('a')?.slots.filter((slot) => slot < 4),
    [2, 3],
  );
  assert.deepEqual(
    sorted([...(standbys.get('a')?.slots ?? []), ...(standbys.get('b')?.slots ?? [])]),
    [0, 1, 2, 3, 4, 5],
  );
  assert.deepEqual(assignStandbys([member('a', { partitions: [0, 1] })], 2).get('a'), { slots: [], destined: [] });
});

test('without standby nothing is different: the spread is even at once', () => {
  const members = [member('a', { partitions: [0, 1, 2, 3], standby: 0 }), member('b', { standby: 0 })];
  assert.deepEqual(sizes(share(members, 4)), [2, 2]);
});
