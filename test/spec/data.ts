/** Random logs for the specification: out of order, late, gaps, an idle partition, a first snapshot, and hints, some of which are broken by the next record. */
import { random, type Random } from '#topology/testing';
import { type Hint, MAX_AHEAD, type Origin, type OriginRecord, P } from './model.ts';

const LATENESS = 0.12;
const SAID = 0.12;

export function makeData(seed: number, n = 30): Origin[] {
  const g = random(seed);
  const phones = random(seed + 1_000_000);
  return ['clicks', 'orders', 'users'].map((name) => {
    const hints: Hint[] = [];
    const parts = Array.from({ length: P }, (_, p) => makePartition(g, { name, p, n, hints, phones }));
    return { name, ooo: 2, parts, hints };
  });
}

interface Partition {
  readonly name: string;
  readonly p: number;
  readonly n: number;
  readonly hints: Hint[];
  /** Phones whose clock is far ahead. */
  readonly phones: Random;
}

function makePartition(g: Random, { name, p, n, hints, phones }: Partition): OriginRecord[] {
  const records: OriginRecord[] = [];
  const ooo = 2;
  let t = g.int(0, 6);
  const N = p === 2 && name !== 'clicks' ? g.int(0, 3) : g.int(n / 2, n);
  if (name === 'users') {
    // First snapshot: key order, old timestamps; from t = 26 the stream.
    for (const key of 'abc') {
      if (g.chance(0.8)) records.push({ ts: g.int(0, 25), key, val: `s${p}.${records.length}`, snap: true });
    }
    // A slow source is taken for idle in mid-snapshot.
    if (g.chance(0.2)) hints.push({ p, end: g.int(0, records.length), m: g.int(0, 20) });
    hints.push({ p, end: records.length, m: (t = 26) - ooo });
  }
  // The source lost its position: a snapshot once more in mid-log.
  const again = name === 'users' && g.chance(0.3) ? g.int(0, N) : -1;
  for (let i = records.length, to = i + N; i < to; i++) {
    if (i === again) {
      for (const key of 'abc') {
        records.push({ ts: Math.max(0, t - g.int(0, 30)), key, val: `s${p}.${i}${key}`, snap: true });
        i++;
        to++;
      }
    }
    t += g.chance(0.05) ? g.int(10, 40) : g.int(0, 3);
    if (g.chance(SAID)) {
      t += g.int(3, 12);
      // Said to be idle; the next record may break it.
      hints.push({ p, end: records.length, m: t - g.int(0, 3) });
    }
    if (phones.chance(0.03)) records.push({ ts: t + 2 * MAX_AHEAD, key: 'a', val: `x${p}.${i}`, received: t });
    const ts = t - (g.chance(0.3) ? g.int(1, 4) : 0) - (g.chance(LATENESS) ? g.int(4, 14) : 0);
    records.push({ ts: Math.max(0, ts), key: 'abc'[g.int(0, 2)] ?? 'a', val: `${name[0]}${p}.${i}` });
  }
  hints.push({ p, end: records.length, m: 90 });
  return records;
}
