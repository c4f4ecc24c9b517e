/** How far the slots of a process have come with their inputs. */
import type { Topology } from '../dsl/topology.ts';
import type { TopicPartition } from '../record.ts';
import type { KafkaAdmin } from './kafka-client.ts';
import type { LedgerReader } from './ledger-reader.ts';
import type { Slot } from './slot.ts';
import type { SlotRunner } from './slot-runner.ts';

/** One input of a slot. */
export interface InputProgress extends TopicPartition {
  /** Offset of the next record to process. */
  readonly position: bigint;
  /** Where a replay ends. */
  readonly end: bigint | undefined;
  /** Event time up to which the input is complete at its position, ms; -Infinity before any. */
  readonly watermark: number;
}

/** The inputs of slots, one by one. */
export function inputProgress(slots: readonly Slot[]): InputProgress[] {
  return slots.flatMap((slot) =>
    slot.inputs.map(({ tp, position, end, watermark }) => ({ ...tp, position, end, watermark })),
  );
}

/** Slots of the whole application. */
export const slotCount = (topology: Topology): number =>
  Math.max(0, ...topology.subTopologies.map((sub) => sub.partitions));

/** True when all slots of these runners are restored, each frozen input is at its end, and whatever lies in the other topics and in the ledgers has been read. */
export async function isDrained(
  context: { readonly admin: KafkaAdmin; readonly ledger: LedgerReader },
  runners: readonly SlotRunner[],
): Promise<boolean> {
  const slots = runners.flatMap((runner) => runner.slot ?? []);
  if (slots.length < runners.length) return false;
  const inputs = slots.flatMap((slot) => slot.inputs);
  if (inputs.some((input) => input.end !== undefined && !input.atEnd)) return false;
  const open = inputs.filter((input) => input.end === undefined);
  const ledgers = context.ledger.positions();
  // High watermarks: what is in a transaction that is still open counts as not read.
  const ranges = await context.admin.offsets([...open.map((input) => input.tp), ...ledgers], { committed: false });
  const isRead = open.every((input, i) => input.position >= (ranges[i]?.end ?? 0n) && !input.hasRecord);
  return isRead && ledgers.every(({ position }, i) => position >= (ranges[open.length + i]?.end ?? 0n));
}
