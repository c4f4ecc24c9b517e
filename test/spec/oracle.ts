/** The definition: what the rows ARE, from the logs and the pins alone; no tasks, no schedule. */
import {
  byTime,
  compareText,
  KEYS,
  MAX_AHEAD,
  type Origin,
  P,
  pad,
  partitionOf,
  type Pin,
  Q,
  type Rec,
  textOf,
} from './model.ts';
import { slidesOf } from './operators.ts';

type Timed = Rec & { readonly p: number };

interface Row {
  readonly key: string;
  readonly ts: number;
  readonly ow: number;
  readonly val: string;
  /** Order in the log, for what the watermark releases. */
  readonly by: readonly [number, number];
  /** Of rows that stay in their origin partition. */
  readonly p?: number;
}

interface Clocked {
  readonly records: Readonly<Record<'clicks' | 'orders' | 'users', Timed[]>>;
  /** The clock at the end of the logs: of `topic`, and of `topic/p`. */
  readonly endOf: (topic: string, p?: number) => number;
}

/** RULE 2, by its definition. Whether a record is accepted is in its ow. */
function clocked(data: readonly Origin[], pins: readonly Pin[], tick: number): Clocked {
  const records: Record<string, Timed[]> = {};
  const ends = new Map<string, number>();
  for (const { name, ooo, parts } of data) {
    const own: Timed[] = [];
    let least = Infinity;
    for (const [p, log] of parts.entries()) {
      const pinned = (at: number): number =>
        Math.max(-Infinity, ...pins.filter((x) => x.topic === name && x.p === p && x.at <= at).map(({ m }) => m));
      let W = -Infinity;
      for (const [i, r] of log.entries()) {
        const isAhead = r.received !== undefined && r.ts > r.received + MAX_AHEAD;
        W = Math.max(W, r.snap === true || isAhead ? -Infinity : r.ts - ooo, pinned(i));
        if (!isAhead) own.push({ ...r, p, ow: W, co: `${name}/${p}/${pad(i)}` });
      }
      const end = Math.max(W, pinned(log.length));
      ends.set(`${name}/${p}`, end);
      least = Math.min(least, Math.floor(end / tick) * tick);
    }
    records[name] = own;
    ends.set(name, least);
  }
  const { clicks = [], orders = [], users = [] } = records;
  return {
    records: { clicks, orders, users },
    endOf: (topic, p) => ends.get(p === undefined ? topic : `${topic}/${p}`) ?? -Infinity,
  };
}

/** Hopping windows, as `windowed`. */
function hopsOf(
  records: readonly Timed[],
  key: string,
  { size, advance, grace, end }: { size: number; advance: number; grace: number; end: number },
): Row[] {
  const rows: Row[] = [];
  for (let s = -size; s + size + grace <= end; s += advance) {
    const e = s + size;
    const items = records.filter((r) => r.key === key && r.ts >= s && r.ts < e && r.ow < e + grace).sort(byTime);
    const [first] = items;
    if (first !== undefined) rows.push({ key, ts: e - 1, ow: e - 1, val: textOf(items), by: [s, s], p: first.p });
  }
  return rows;
}

function sessionsOf(
  records: readonly Timed[],
  key: string,
  { gap, grace, end }: { gap: number; grace: number; end: number },
): Row[] {
  const found: Timed[][] = [];
  for (const r of records.filter((x) => x.key === key && x.ow <= x.ts + grace).sort(byTime)) {
    const last = found.at(-1);
    if (last !== undefined && r.ts <= (last.at(-1)?.ts ?? 0) + gap) last.push(r);
    else found.push([r]);
  }
  return found.flatMap((items): Row[] => {
    const a = items[0]?.ts ?? 0;
    const b = items.at(-1)?.ts ?? 0;
    const val = `${a}..${b}:${items.map((r) => r.val).join('+')}`;
    return end > b + gap + grace ? [{ key, ts: b, ow: b, val, by: [b, a] }] : [];
  });
}

/** The pairs, l without r, and with `outer` r without l. */
function joinOf(
  lefts: readonly Timed[],
  rights: readonly Timed[],
  { before, after, grace, outer, end }: { before: number; after: number; grace: number; outer: boolean; end: number },
): Row[] {
  const accepted = (r: Timed): boolean => r.ow <= r.ts + grace;
  const ls = lefts.filter(accepted);
  const rs = rights.filter(accepted);
  const match = (l: Rec, r: Rec): boolean => l.key === r.key && r.ts >= l.ts - before && r.ts <= l.ts + after;
  const by = [0, 0] as const;
  const pairs = ls.flatMap((l) =>
    rs
      .filter((r) => match(l, r))
      .map((r): Row => {
        const [ts, ow] = [Math.max(l.ts, r.ts), Math.max(l.ow, r.ow)];
        return { key: l.key, ts, ow, val: `${l.val}&${r.val}`, by };
      }),
  );
  const alone = ls
    .filter((l) => end > l.ts + after + grace && !rs.some((r) => match(l, r)))
    .map((l): Row => ({ key: l.key, ts: l.ts, ow: l.ts, val: `${l.val}&null`, by }));
  const others = rs
    .filter((r) => outer && end > r.ts + before + grace && !ls.some((l) => match(l, r)))
    .map((r): Row => ({ key: r.key, ts: r.ts, ow: r.ts, val: `null&${r.val}`, by }));
  return [...pairs, ...alone, ...others];
}

/** As of: grace 4, table grace 2. */
function asOf(orders: readonly Timed[], users: readonly Timed[], tableEnd: number): Row[] {
  const versions = users.filter((r) => r.ow <= r.ts + 2).sort(byTime);
  return orders
    .filter((r) => r.ow <= r.ts + 4 && tableEnd > r.ts + 2)
    .map((r): Row => {
      const row = versions.findLast((version) => version.key === r.key && version.ts <= r.ts);
      return { key: r.key, ts: r.ts, ow: r.ow, val: `${r.val}@${row?.val ?? 'null'}`, by: [0, 0], p: r.p };
    });
}

function show(rows: readonly Row[], isOrdered: boolean, byOrigin = false): string {
  return Array.from({ length: byOrigin ? P : Q }, (_, q) => {
    const texts = rows
      .filter((r) => (byOrigin ? r.p : partitionOf(r.key)) === q)
      .sort((a, b) => a.by[0] - b.by[0] || a.by[1] - b.by[1] || compareText(a.key, b.key))
      .map((r) => `${r.key} ${r.ts} ${r.ow} ${r.val}`);
    return (isOrdered ? texts : texts.sort()).join('\n');
  }).join('\n--\n');
}

/** What the stages down from the origin topics must give. */
export function oracle(data: readonly Origin[], pins: readonly Pin[], tick = 1): Record<string, string> {
  const { records, endOf } = clocked(data, pins, tick);
  const { clicks, orders, users } = records;
  const partitions = Array.from({ length: P }, (_, p) => p);
  const both = Math.min(endOf('clicks'), endOf('orders'));
  const end = endOf('clicks');
  const of = (all: readonly Timed[], p: number): Timed[] => all.filter((r) => r.p === p);
  const slides = slidesOf(
    clicks.filter((r) => r.ow <= r.ts + 5 + 3),
    5,
    3,
  ).filter((w) => end > w.e + 3);
  const raw = partitions.flatMap((p) =>
    KEYS.flatMap((key) => hopsOf(of(clicks, p), key, { size: 8, advance: 8, grace: 1, end: endOf('clicks', p) })),
  );
  return {
    slide: show(
      slides.map(({ key, e, items }) => ({ key, ts: e, ow: e, val: textOf(items), by: [e, 0] })),
      true,
    ),
    hourly: show(
      KEYS.flatMap((key) => hopsOf(clicks, key, { size: 12, advance: 4, grace: 3, end })),
      true,
    ),
    sessions: show(
      KEYS.flatMap((key) => sessionsOf(clicks, key, { gap: 6, grace: 3, end })),
      true,
    ),
    joined: show(joinOf(clicks, orders, { before: 4, after: 6, grace: 3, outer: false, end: both }), false),
    outer: show(joinOf(clicks, orders, { before: 7, after: 2, grace: 3, outer: true, end: both }), false),
    asof: show(asOf(orders, users, endOf('users')), false),
    'c.raw': show(raw, true, true),
    'asof.raw': show(
      partitions.flatMap((p) => asOf(of(orders, p), of(users, p), endOf('users', p))),
      false,
      true,
    ),
  };
}
