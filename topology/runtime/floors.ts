/**
 * What an upgrade does to the time of what stages write (TIME.md rule 9). A stage that is added to a topic which others write, or that reads one topic more
 * than before, has old records to give; but what is behind has closed windows by what was promised before. So the ow of all that a task writes is raised to
 * its floor. A replay has none: it begins with the new topology, when nothing is out.
 */
import type { WriterPromise } from '../time/ledger-records.ts';

/** Per topic the tasks that write it. */
export type Writers = Readonly<Record<string, readonly string[]>>;
/** Per `writer|topic` the floor, ms. */
export type Floors = Readonly<Record<string, number>>;

/** The stage of a writer's name. */
export const stageOf = (writer: string): string => writer.slice(0, writer.lastIndexOf('/'));

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
 * The floors of the tasks in `is`, after `was`: of one that has promised, its promise; of a task of a stage that did not write the topic, the minimum of what
 * those that did have promised, if all of them have: else nobody has closed anything. Call it while no application runs that wrote by `was`: `promises`,
 * by `writer|topic`, is then all that readers can have gone by.
 */
export function floorsAfter(was: Writers, is: Writers, promises: ReadonlyMap<string, WriterPromise>): Floors {
  const floors: Record<string, number> = {};
  for (const [topic, writers] of Object.entries(is)) {
    const former = was[topic] ?? [];
    const stages = new Set(former.map(stageOf));
    const least = Math.min(Infinity, ...former.map((writer) => promises.get(`${writer}|${topic}`)?.m ?? -Infinity));
    for (const writer of writers) {
      const id = `${writer}|${topic}`;
      const floor = promises.get(id)?.m ?? (stages.has(stageOf(writer)) ? -Infinity : least);
      if (Number.isFinite(floor)) floors[id] = floor;
    }
  }
  return floors;
}
