/** Who gets which slot: the same rule for every driver. */

/** What a member tells the leader of its group. */
export interface MemberInfo {
  readonly memberId: string;
  readonly topics: readonly string[];
  readonly epoch: string;
  /** Partition numbers that it had before. */
  readonly owned: readonly number[];
}

/**
 * Spreads partition numbers over the members of one epoch, evenly (counts differ by one at most) and sticky: who had a number keeps it as far as that
 * allows. A member of another epoch gets nothing. The epoch that holds most numbers keeps them until its last member has gone; when nobody holds any,
 * it is `preferred`. Same input, same result.
 */
export function assignPartitions(
  members: readonly MemberInfo[],
  preferred: string,
  count: number,
): Map<string, number[]> {
  const epoch = holdingEpoch(members) ?? preferred;
  const able = members
    .filter((member) => member.epoch === epoch)
    .toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
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
  for (const partition of free) {
    const least = [...assigned.values()].reduce((a, b) => (b.length < a.length ? b : a));
    least.push(partition);
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
