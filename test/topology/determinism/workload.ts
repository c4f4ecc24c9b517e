/** Random logs for determinism runs: out of order, late, with gaps, and hints some of which the next record breaks. Times in ms. */
import { type Hint, partitionFor } from '#topology';
import type { Random } from '#topology/testing';
import { type Event, events, OUT_OF_ORDERNESS, PARTITIONS, rates } from '../runtime/random-topology.ts';

/** A record of an origin topic that is about to be written. */
export interface Planned {
  readonly topic: typeof events.name;
  readonly key: string;
  readonly value: Event | number | null;
  readonly timestamp: number;
  readonly partition: number;
  /** Said behind it: everything of a topic before this time is there. */
  readonly said: { readonly topic: string; readonly time: number } | undefined;
}

/** Records of `events` and `rates`, and the time that their sources have reached in the end. */
export function plan(g: Random, records: number): { readonly records: readonly Planned[]; readonly end: number } {
  let now = 100;
  const planned = Array.from({ length: records }, (_, id): Planned => {
    now += g.chance(0.06) ? g.int(0, 40) : g.int(0, 4);
    const key = `k${g.int(0, 3)}`;
    const behind = g.chance(0.4) ? g.int(0, 2 * OUT_OF_ORDERNESS) : g.chance(0.25) ? g.int(10, 60) : 0;
    const timestamp = now - behind;
    const said = g.chance(0.08)
      ? { topic: (g.chance(0.5) ? events : rates).name, time: now + g.int(-10, 6) }
      : undefined;
    if (g.chance(0.3)) {
      const value = g.chance(0.15) ? null : g.int(0, 3);
      return { topic: rates.name, key, value, timestamp, partition: partitionFor(Buffer.from(key), PARTITIONS), said };
    }
    const partition = g.int(0, PARTITIONS - 1);
    return {
      topic: events.name,
      key: `e${id}`,
      value: { id: `e${id}`, key, n: g.int(0, 5) },
      timestamp,
      partition,
      said,
    };
  });
  return { records: planned, end: now + g.int(0, 80) };
}

/** What the source of a topic says when it has written everything before `time` up to these ends. */
export const hintsOf = (topic: string, time: number, ends: readonly bigint[], at: number): Hint[] =>
  ends.map((endOffset, partition) => {
    return { writer: 'test', topic, partition, m: time - OUT_OF_ORDERNESS, endOffset, at };
  });
