import type { Random } from '#topology/testing';

/** In an order by chance. */
export function shuffled<T>(all: readonly T[], g: Random): T[] {
  return all
    .map((each) => ({ each, at: g.int(0, 1_000_000) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ each }) => each);
}
