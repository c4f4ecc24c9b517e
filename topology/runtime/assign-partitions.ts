/** Who gets which slot: the same rule for every driver. */

/** What a member tells the leader of its group. */
export interface MemberInfo {
  readonly memberId: string;
  readonly topics: readonly string[];
  readonly epoch: string;
  /** Partition numbers that it had before. */
  readonly owned: readonly number[];
  /** How many copies of each slot's state it wishes there to be, beside the owner's; by default 0. */
  readonly standby?: number;
  /** Slots of whose state it has a copy that lags behind by little. */
  readonly copies?: readonly number[];
  /** Where its state lies beside memory: members of one place find each other's. undefined: nowhere. */
  readonly place?: string | undefined;
}

/** Of a member, for sharing out. */
type Able = Pick<MemberInfo, 'memberId' | 'owned' | 'copies' | 'place'>;

/**
 * Spreads partition numbers over the members of one epoch, evenly (counts differ by one at most) and sticky: who had a number keeps it as far as that
 * allows. A member of another epoch gets nothing. The epoch that holds most numbers keeps them until its last member has gone; when nobody holds any,
 * it is `preferred`. With standby copies a number moves only to a member that has a copy, and one whose owner has gone goes to a member with a copy
 * first: until the copies are there the spread may be uneven (assign-standbys.ts). Same input, same result.
 */
export function assignPartitions(
  members: readonly MemberInfo[],
  preferred: string,
  count: number,
): Map<string, number[]> {
  const epoch = holdingEpoch(members) ?? preferred;
  const able = members.filter((member) => member.epoch === epoch);
  const even = evenSpread(able, count);
  return able.some(({ standby = 0 }) => standby > 0) ? whereStateIs(able, even) : even;
}

/** The even and sticky spread; what is free goes to a member with a copy of it as far as that is even. */
export function evenSpread(members: readonly Able[], count: number): Map<string, number[]> {
  const able = members.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const assigned = new Map<string, number[]>(able.map(({ memberId }) => [memberId, []]));
  if (able.length === 0) return assigned;
  const floor = Math.floor(count / able.length);
  let withOneMore = count % able.length;
  const free = new Set(Array.from({ length: count }, (_, partition) => partition));
  // Those who have much keep much: fewer partitions move.
  for (const { memberId, owned } of able.toSorted((a, b) => b.owned.length - a.owned.length)) {
    const kept = owned.filter((partition) => free.has(partition));
    const limit = kept.length > floor && withOneMore > 0 ? floor + 1 : floor;
    if (limit > floor) withOneMore--;
    for (const partition of kept.slice(0, limit)) {
      free.delete(partition);
      assigned.get(memberId)?.push(partition);
    }
  }
  const sizeOf = ({ memberId }: Able): number => assigned.get(memberId)?.length ?? 0;
  for (const partition of free) {
    const warm = able.filter((member) => member.copies?.includes(partition) === true && sizeOf(member) < floor);
    const from = warm.length > 0 ? warm : able;
    const least = from.reduce((a, b) => (sizeOf(b) < sizeOf(a) ? b : a));
    assigned.get(least.memberId)?.push(partition);
  }
  for (const partitions of assigned.values()) partitions.sort((a, b) => a - b);
  return assigned;
}

/** As `even` has it where that moves no state; else to whom has the state already. */
function whereStateIs(members: readonly Able[], even: ReadonlyMap<string, readonly number[]>): Map<string, number[]> {
  const assigned = new Map<string, number[]>([...even.keys()].map((memberId) => [memberId, []]));
  const orphans: { readonly partition: number; readonly warm: readonly string[] }[] = [];
  const idsWith = (has: (member: Able) => boolean): string[] => members.filter(has).map(({ memberId }) => memberId);
  for (const [target, partitions] of even) {
    for (const partition of partitions) {
      const owners = idsWith(({ owned }) => owned.includes(partition));
      const places = members.filter(({ memberId }) => owners.includes(memberId)).map(({ place }) => place);
      const warm = idsWith(
        ({ copies, place }) => copies?.includes(partition) === true || (place !== undefined && places.includes(place)),
      );
      const mayMove = owners.includes(target) || warm.includes(target) || (owners.length === 0 && warm.length === 0);
      if (mayMove) assigned.get(target)?.push(partition);
      else if (owners[0] !== undefined) assigned.get(owners[0])?.push(partition);
      else orphans.push({ partition, warm });
    }
  }
  for (const { partition, warm } of orphans.toSorted((a, b) => a.partition - b.partition)) {
    const sizes = warm.toSorted().map((memberId) => ({ memberId, size: assigned.get(memberId)?.length ?? 0 }));
    const [least] = sizes.toSorted((a, b) => a.size - b.size);
    if (least !== undefined) assigned.get(least.memberId)?.push(partition);
  }
  for (const partitions of assigned.values()) partitions.sort((a, b) => a - b);
  return assigned;
}

function holdingEpoch(members: readonly MemberInfo[]): string | undefined {
  const held = new Map<string, number>();
  for (const { epoch, owned } of members) held.set(epoch, (held.get(epoch) ?? 0) + owned.length);
  const [most] = [...held].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return most !== undefined && most[1] > 0 ? most[0] : undefined;
}
