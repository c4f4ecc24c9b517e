import type { Topology } from '../dsl/topology.ts';
import type { HintView } from './hints.ts';
import type { Slot } from './slot.ts';
import type { SlotInput } from './slot-input.ts';
import type { StoreSize, Task } from './task.ts';

/** What a stage has done in this process. Times are event time, ms. */
export interface StageStats {
  readonly name: string;
  /** Records that its tasks have processed. */
  readonly records: number;
  /** Records that they have written, to repartition topics too. */
  readonly written: number;
  /** Entries in their stores. */
  readonly stateEntries: number;
  /** By store, in the order of the stage. */
  readonly stores: readonly StoreSize[];
  readonly late: number;
  readonly deadLetters: number;
  readonly dropped: number;
  /** Event time up to which the stage is complete: the least of its tasks; null before any. */
  readonly watermark: number | null;
  /** How far that is behind the newest origin clock of this process, ms; null before any. */
  readonly lagMs: number | null;
  /**
   * Who holds the watermark back: the writer of the origin partition that all waits for (`collector`); where its hints name nobody the partition, where
   * a task between is not of this process that task.
   */
  readonly heldBackBy: string | null;
}

/** Sums over the slots of one process. `hints`: whose they are that tell how far origin partitions are. */
export function stageStats(topology: Topology, slots: readonly Slot[], hints?: HintView): StageStats[] {
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
      stores: sumOfStores(slots.flatMap((slot) => slot.storeSizes(name))),
      late: sum((counts) => counts.late),
      deadLetters: sum((counts) => counts.deadLetters),
      dropped: sum((counts) => counts.dropped),
      watermark: known ? watermark : null,
      lagMs: known && Number.isFinite(newest) ? Math.max(0, newest - watermark) : null,
      heldBackBy: holder({ topology, slots, hints }, tasks),
    };
  });
}

/** Of the slots together; bytes as far as all of them are known. */
export function sumOfStores(sizes: readonly StoreSize[]): StoreSize[] {
  return [...Map.groupBy(sizes, ({ store }) => store)].map(([store, all]) => {
    const known = all.filter(({ bytes, entries }) => bytes !== null || entries === 0);
    return {
      store,
      entries: all.reduce((sum, { entries }) => sum + entries, 0),
      bytes: known.length < all.length ? null : known.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
    };
  });
}

interface Process {
  readonly topology: Topology;
  readonly slots: readonly Slot[];
  readonly hints: HintView | undefined;
}

function holder(process: Process, tasks: readonly Task[]): string | null {
  const inputs = process.slots.flatMap((slot) =>
    slot.inputs.filter((input) => tasks.some((task) => task.reads(input.source.name) && slot.tasks.includes(task))),
  );
  const least = leastOf(inputs);
  return least === undefined ? null : writerBehind(process, least);
}

/** From task to task up to an origin, as far as the tasks are of this process. A topology has no cycles. */
function writerBehind(process: Process, { tp, ledger }: SlotInput): string {
  const { topology, slots, hints } = process;
  const writer = ledger?.heldBackBy();
  if (writer === undefined) return hints?.writerOf(tp.topic, tp.partition) ?? `${tp.topic}-${tp.partition}`;
  const [stage, partition] = writer.split('/');
  const read = topology.subTopologies
    .filter((sub) => sub.stage === stage && sub.sinks.some(({ topic }) => topic.name === tp.topic))
    .flatMap((sub) => sub.sources.map(({ topic }) => topic.name));
  const inputs = slots.flatMap((slot) => slot.inputs.filter((input) => input.tp.partition === Number(partition)));
  const least = leastOf(inputs.filter(({ source }) => read.includes(source.name)));
  return least === undefined ? writer : writerBehind(process, least);
}

function leastOf(inputs: readonly SlotInput[]): SlotInput | undefined {
  const [first, ...rest] = inputs;
  return rest.reduce(
    (least, input) => (least !== undefined && least.watermark <= input.watermark ? least : input),
    first,
  );
}
