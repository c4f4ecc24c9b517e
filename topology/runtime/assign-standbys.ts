/** Who keeps a copy of whose state: every member finds the same from what the group tells of all, so nobody has to be told. */
import { evenSpread } from './assign-partitions.ts';
import type { GroupMember } from './kafka-client.ts';

/** What a member is to keep copies of. */
export interface StandbyAssignment {
  /** Slots, in order; never one that it owns. */
  readonly slots: readonly number[];
  /** Slots that are to be its own for an even spread, as soon as it has copies of them; of those whose state lies where it is, at once. */
  readonly destined: readonly number[];
}

type Member = Pick<GroupMember, 'memberId' | 'partitions' | 'standby' | 'copies' | 'place'>;

/**
 * Per member of one epoch, what it stands by for. Each of `count` slots that has an owner gets as many copies as the member that wishes most of them
 * wishes, at other members that wish any; who has a copy keeps it as far as copies are spread evenly, and the copies of one owner's slots go to different
 * members, so that they share its work when it dies. Who keeps its state where the owner does needs no copy: it finds the owner's. Slots that are to move for an even spread get one more, at their future owner. Same input, same
 * result.
 */
export function assignStandbys(members: readonly Member[], count: number): Map<string, StandbyAssignment> {
  const able = members.filter(({ standby }) => standby > 0).toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const slots = new Map<string, number[]>(able.map(({ memberId }) => [memberId, []]));
  const destined = new Map<string, number[]>(able.map(({ memberId }) => [memberId, []]));
  const targets = targetsOf(members, count);
  const wished = Math.max(0, ...able.map(({ standby }) => standby));
  const limit = Math.ceil((count * wished) / Math.max(1, able.length));
  /** Copies of slots of one owner, by owner and holder. */
  const shared = new Map<string, number>();
  for (let slot = 0; slot < count; slot++) {
    const owner = members.find(({ partitions }) => partitions.includes(slot));
    if (owner === undefined) continue;
    const target = targets.get(slot);
    const elsewhere = able.filter((each) => each !== owner && (each.place === undefined || each.place !== owner.place));
    const warmUp = elsewhere.filter(({ memberId }) => memberId === target);
    for (const { memberId } of warmUp) slots.get(memberId)?.push(slot);
    if (target !== undefined && target !== owner.memberId) destined.get(target)?.push(slot);
    const sizeOf = ({ memberId }: Member): number => slots.get(memberId)?.length ?? 0;
    const sharedBy = ({ memberId }: Member): number => shared.get(`${owner.memberId}|${memberId}`) ?? 0;
    const keeps = (member: Member): number => (member.copies.includes(slot) && sizeOf(member) < limit ? 0 : 1);
    const others = elsewhere.filter((member) => !warmUp.includes(member));
    const ranked = others.toSorted((a, b) => keeps(a) - keeps(b) || sharedBy(a) - sharedBy(b) || sizeOf(a) - sizeOf(b));
    for (const member of ranked.slice(0, wished)) {
      slots.get(member.memberId)?.push(slot);
      shared.set(`${owner.memberId}|${member.memberId}`, sharedBy(member) + 1);
    }
  }
  return new Map(
    able.map(({ memberId }) => [
      memberId,
      { slots: slots.get(memberId) ?? [], destined: destined.get(memberId) ?? [] },
    ]),
  );
}

/** Who is to own each slot in the end. */
function targetsOf(members: readonly Member[], count: number): Map<number, string> {
  const even = evenSpread(
    members.map(({ memberId, partitions, copies }) => ({ memberId, owned: partitions, copies })),
    count,
  );
  return new Map([...even].flatMap(([memberId, slots]) => slots.map((slot) => [slot, memberId] as const)));
}
