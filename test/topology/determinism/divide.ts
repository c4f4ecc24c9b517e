/** Divides a scenario at random: some of its stages run as applications of their own, beside the one that reads the origin topics. */
import type { Parts, Stage } from '#topology';
import type { Random } from '#topology/testing';

/** Stages that read no origin topic; the clock of one is made by one application. */
function movable({ graph }: Stage): boolean {
  const sources = graph.nodes.filter(({ parents }) => parents.length === 0);
  return sources.every(({ topic }) => topic === undefined || !('origin' in topic) || topic.origin === undefined);
}

/** One or two parts, each with a stage at least; what is left runs under the name of the project. */
export function randomParts(stages: readonly Stage[], g: Random): Parts {
  const names = stages.filter(movable).map(({ name }) => name);
  const parts: Record<string, string[]> = { a: [], b: [] };
  for (const name of names) if (g.chance(0.7)) parts[g.chance(0.5) ? 'a' : 'b']?.push(name);
  const used = Object.entries(parts).filter(([, own]) => own.length > 0);
  return used.length > 0 ? Object.fromEntries(used) : { a: names.slice(0, 1) };
}
