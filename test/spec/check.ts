/** The property, for one seed: live = every replay = the definition; and a replay from the middle of the logs = live beyond its lower bound. */
import { random } from '#topology/testing';
import { makeData } from './data.ts';
import { type Origin, P, type Pin, type Rules, RULES } from './model.ts';
import { oracle } from './oracle.ts';
import { run, type RunResult } from './schedule.ts';

/** What was found for a seed. */
export interface Checked {
  /** Stages that differ; with `!=oracle` from their definition. */
  readonly differs: string[];
  readonly bad: Readonly<Record<string, number>>;
  readonly live: RunResult;
}

/** What a compacted ledger has left of the pins: the last of each key. */
function compact(pins: readonly Pin[], rule: Rules['pins']): Pin[] {
  const keyOf = ({ topic, p, at }: Pin): string => (rule === 'by offset' ? `${topic}/${p}@${at}` : `${topic}/${p}`);
  // RULE 12: of one offset only the largest m matters; pins grow, so it is the last.
  return [...new Map(pins.map((pin) => [keyOf(pin), pin])).values()];
}

/** A live run and `replays` of it, each by another schedule. */
export function check(rules: Rules, seed: number, replays = 3): Checked {
  const data = makeData(seed);
  const added = seed % 2 === 0;
  const live = run({ rules, data, seed: seed * 1_000 + 1, added });
  const differs = new Set<string>();
  const bad: Record<string, number> = { ...live.bad };
  const pins = rules.heartbeat === 'pinned' ? compact(live.pins, rules.pins) : undefined;
  for (let i = 0; i < replays; i++) {
    const other = run({ rules, data, seed: seed * 1_000 + 2 + i, pins, added });
    for (const [name, rows] of Object.entries(live.result)) if (other.result[name] !== rows) differs.add(name);
    for (const [what, n] of Object.entries(other.bad)) bad[what] = (bad[what] ?? 0) + n;
  }
  if (rules.heartbeat === 'pinned' && rules.policy === 'watermark') {
    const said = live.pins.filter((pin) => pin.own !== true);
    for (const [name, rows] of Object.entries(oracle(data, said, rules.tick)))
      if (rows !== live.result[name]) differs.add(`${name}!=oracle`);
  }
  return { differs: [...differs], bad, live };
}

/** The parts of RULE 13 for a replay that begins in mid-log; each may be left out. */
export interface FromRule {
  /** It goes back to the newest hourly pins at or before the start that was asked for. */
  readonly back: boolean;
  /** Their m is the start clock. */
  readonly clock: boolean;
  /** Equal are rows beyond L = the largest m + outOfOrderness over the partitions. */
  readonly L: boolean;
  /** ... beyond what the stage, and the stages before it, look back. */
  readonly reach: boolean;
  /** Pins AT the start count, not only those behind it. */
  readonly at: boolean;
  /** Tables are read from their start. */
  readonly tables: boolean;
}

export const FROM: FromRule = { back: true, clock: true, L: true, reach: true, at: true, tables: true };

interface Start {
  readonly from: Record<string, number[]>;
  readonly pins: Pin[];
  readonly L: number;
}

/** Where a replay begins, and what it knows of clocks. */
function startOf(data: readonly Origin[], live: RunResult, seed: number, rule: FromRule): Start {
  const g = random(seed);
  const whole = new Set(rule.tables ? ['users'] : []);
  const from: Record<string, number[]> = Object.fromEntries(
    [...whole].map((topic) => [topic, Array.from({ length: P }, () => 0)]),
  );
  const pins = live.pins.filter(({ topic }) => whole.has(topic));
  let L = -Infinity;
  for (const { name, ooo, parts } of data.filter((origin) => !whole.has(origin.name))) {
    from[name] = parts.map((log, p) => {
      const ask = g.int(0, Math.floor(log.length / 2));
      const mine = live.pins.filter((pin) => pin.topic === name && pin.p === p);
      const last = mine
        .filter((pin) => pin.own === true && pin.at <= ask)
        .sort((a, b) => a.at - b.at || a.m - b.m)
        .at(-1);
      if (last === undefined) {
        pins.push(...mine);
        return 0;
      }
      const at = rule.back ? last.at : ask;
      if (rule.L) L = Math.max(L, last.m + ooo);
      pins.push(...mine.filter((pin) => (rule.at ? pin.at >= at : pin.at > at)));
      if (rule.clock) pins.push({ topic: name, p, at, m: last.m });
      return at;
    });
  }
  return { from, pins, L };
}

/** RULE 13: the earliest instant that a row depends on; `back` 0 = without the reach. */
function earliestOf(data: readonly Origin[], back: 0 | 1): Record<string, (ts: number, val: string) => number> {
  const tsOf = new Map(data.flatMap(({ parts }) => parts.flat().map((r) => [r.val, r.ts])));
  const sides =
    (before: number, after: number) =>
    (ts: number, val: string): number => {
      const [l = '', r = ''] = val.split('&');
      if (r === 'null') return ts - back * before;
      if (l === 'null') return ts - back * after;
      return Math.min(tsOf.get(l) ?? 0, tsOf.get(r) ?? 0);
    };
  return {
    hourly: (ts) => ts - 11,
    'c.raw': (ts) => ts - 7,
    daily: (ts) => ts - 9 - back * 11,
    sessions: (_ts, val) => Number.parseInt(val, 10) - back * 6,
    slide: (ts) => ts - 5 - back,
    joined: sides(4, 6),
    outer: sides(7, 2),
    'j.agg': (ts) => ts - 9 - back * 6,
    'o.agg': (ts) => ts - 9 - back * 7,
    asof: (ts) => ts,
    'asof.raw': (ts) => ts,
    'a.agg': (ts) => ts - 9,
  };
}

/** A replay that begins in mid-log, against live. */
export function checkFrom(
  seed: number,
  rule: Partial<FromRule> = {},
): { readonly differs: string[]; readonly rows: number; readonly skipped: number } {
  const parts = { ...FROM, ...rule };
  const data = makeData(seed);
  const added = seed % 2 === 0;
  const live = run({ rules: RULES, data, seed: seed * 1_000 + 1, added });
  const { from, pins, L } = startOf(data, live, seed, parts);
  const replay = run({ rules: RULES, data, seed: seed * 1_000 + 2, pins, added, from });
  const differs: string[] = [];
  let rows = 0;
  for (const [name, earliest] of Object.entries(earliestOf(data, parts.reach ? 1 : 0))) {
    const beyond = ({ result }: RunResult): string[] =>
      (result[name] ?? '').split('\n').filter((row) => {
        const [, ts, , val] = row.split(' ');
        return val !== undefined && earliest(Number(ts), val) > L;
      });
    const wanted = beyond(live);
    rows += wanted.length;
    if (wanted.join('\n') !== beyond(replay).join('\n')) differs.push(name);
  }
  const skipped = Object.values(from)
    .flat()
    .reduce((sum, offset) => sum + offset, 0);
  return { differs, rows, skipped };
}
