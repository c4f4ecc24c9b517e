/**
 * Stages that an upgrade adds to topics which others write already (TIME.md rule 9): what is behind such a topic may have closed windows by what the others
 * had promised. So the ow of all that the new stage writes is raised to the minimum of their promises as they stood before: its floor.
 */
import type { WriterPromise } from '../time/ledger-records.ts';

/** Per topic the tasks that write it. */
export type Writers = Readonly<Record<string, readonly string[]>>;
/** Per `stage|topic` the floor, ms. */
export type Floors = Readonly<Record<string, number>>;

const stageOf = (writer: string): string => writer.slice(0, writer.lastIndexOf('/'));

/** The names of a topology's writers. */
export function writerNames(
  writers: ReadonlyMap<string, readonly { readonly stage: string; readonly partitions: number }[]>,
): Writers {
  return Object.fromEntries(
    [...writers].map(([topic, stages]) => [
      topic,
      stages.flatMap(({ stage, partitions }) => Array.from({ length: partitions }, (_, p) => `${stage}/${p}`)),
    ]),
  );
}

/**
 * The floors of stages that write a topic in `is` and did not in `was`. Call it while no application runs that wrote by `was`: `promises`, by
 * `writer|topic`, is then all that readers can have gone by. A former writer without a promise has let nothing close: no floor.
 */
export function floorsOfAdded(was: Writers, is: Writers, promises: ReadonlyMap<string, WriterPromise>): Floors {
  const floors: Record<string, number> = {};
  for (const [topic, writers] of Object.entries(is)) {
    const former = was[topic] ?? [];
    const known = new Set(former.map(stageOf));
    const floor = Math.min(...former.map((writer) => promises.get(`${writer}|${topic}`)?.m ?? -Infinity));
    if (former.length === 0 || !Number.isFinite(floor)) continue;
    for (const writer of writers) if (!known.has(stageOf(writer))) floors[`${stageOf(writer)}|${topic}`] = floor;
  }
  return floors;
}
