import type { Topology } from '../dsl/topology.ts';
import type { Slot } from './slot.ts';

/** What a stage has done in this process. Times are event time, ms. */
export interface StageStats {
  readonly name: string;
  /** Records that its tasks have processed. */
  readonly records: number;
  /** Records that they have written, to repartition topics too. */
  readonly written: number;
  /** Entries in their stores. */
  readonly stateEntries: number;
  readonly late: number;
  readonly deadLetters: number;
  readonly dropped: number;
  /** Event time up to which the stage is complete: the least of its tasks; null before any. */
  readonly watermark: number | null;
  /** How far that is behind the newest origin clock of this process, ms; null before any. */
  readonly lagMs: number | null;
  /** The writer that holds the watermark back, when it is not a clock of its own. */
  readonly heldBackBy: string | null;
}

/** Sums over the slots of one process. */
export function stageStats(topology: Topology, slots: readonly Slot[]): StageStats[] {
  const newest = Math.max(
    -Infinity,
    ...slots.flatMap((slot) => slot.inputs.map((input) => input.clock?.watermark ?? -Infinity)),
  );
  return topology.stages.map(({ name }) => {
    const tasks = slots.flatMap((slot) => slot.tasks.filter((task) => task.stage === name));
    const sum = (of: (counts: (typeof tasks)[number]['counts']) => number): number =>
      tasks.reduce((total, task) => total + of(task.counts), 0);
    const watermark = Math.min(Infinity, ...tasks.map((task) => task.watermark));
    const known = Number.isFinite(watermark);
    return {
      name,
      records: sum((counts) => counts.records),
      written: sum((counts) => counts.written),
      stateEntries: tasks.reduce(
        (total, task) => [...task.stores.values()].reduce((entries, store) => entries + store.size, total),
        0,
      ),
      late: sum((counts) => counts.late),
      deadLetters: sum((counts) => counts.deadLetters),
      dropped: sum((counts) => counts.dropped),
      watermark: known ? watermark : null,
      lagMs: known && Number.isFinite(newest) ? Math.max(0, newest - watermark) : null,
      heldBackBy: holder(slots, tasks),
    };
  });
}

function holder(slots: readonly Slot[], tasks: readonly Slot['tasks'][number][]): string | null {
  let least = Infinity;
  let by: string | null = null;
  for (const slot of slots) {
    for (const input of slot.inputs) {
      if (!tasks.some((task) => task.reads(input.source.name) && slot.tasks.includes(task))) continue;
      if (input.watermark >= least) continue;
      least = input.watermark;
      by = input.ledger?.heldBackBy() ?? `${input.tp.topic}-${input.tp.partition}`;
    }
  }
  return by;
}
