/** What the processors of stream joins share. */
import type { JoinEntry, Side } from '../state/join-store.ts';

/** A stream join, times in ms: a right record matches a left one in [left - before, left + after]. */
export interface StreamJoinSettings {
  readonly store: string;
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly graceMs: number;
  readonly join: 'inner' | 'left' | 'outer';
  readonly joiner: (left: never, right: never, key: never) => unknown;
}

/** The instants in which a record of a side finds those of the other one, ms. */
export function reachOf(
  { beforeMs, afterMs }: StreamJoinSettings,
  side: Side,
  timestamp: number,
): { readonly from: number; readonly to: number } {
  const [back, ahead] = side === 0 ? [beforeMs, afterMs] : [afterMs, beforeMs];
  return { from: timestamp - back, to: timestamp + ahead };
}

/** Until how long after a record's timestamp one of the other side may match it, ms. */
export function aheadOf({ beforeMs, afterMs }: StreamJoinSettings, side: Side): number {
  return side === 0 ? afterMs : beforeMs;
}

/** True when records of a side that find none leave all the same. */
export function leavesAlone({ join }: StreamJoinSettings, side: Side): boolean {
  return join === 'outer' || (join === 'left' && side === 0);
}

/** The joiner's result for a record and one of the other side, or null. */
export function joinTwo(
  { joiner }: StreamJoinSettings,
  one: Pick<JoinEntry, 'side' | 'key' | 'value'>,
  other: Pick<JoinEntry, 'value'> | null,
): unknown {
  const [left, right] = one.side === 0 ? [one.value, other?.value ?? null] : [other?.value ?? null, one.value];
  return joiner(left as never, right as never, one.key as never);
}
