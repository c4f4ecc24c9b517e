/** What visitors did: the part of the reference that knows sessions. */
import type { OutputRow } from './reference.ts';
import { spans } from './reference-sold.ts';
import { MINUTE } from './synthetic.ts';

type Fields = Record<string, unknown>;

const GAP = 30 * MINUTE;
const GRACE = 5 * MINUTE;

/** A pageview or a change of a cart. */
interface Visit {
  readonly ts: number;
  readonly ow: number;
  readonly userId: number | null;
  readonly anonymousId: string;
  readonly said: { readonly id: string; readonly channel: string };
  /** 'view', or what was done to the cart. */
  readonly action: string;
}

interface Sign extends Pick<Visit, 'ts' | 'ow' | 'userId' | 'action'> {
  readonly visitor: string;
  readonly said?: Visit['said'];
  readonly revenue: bigint;
}

/** Sessions that are over when event time is complete up to `complete`, and how many events came too late for theirs. */
export function sessionsOf(
  visits: readonly Visit[],
  purchases: readonly OutputRow[],
  complete: number,
): { rows: OutputRow[]; late: number } {
  const bought = purchases.map((row) => {
    const userId = row['userId'] as number;
    return { ts: row._ts, ow: row._ow, userId, visitor: `user:${userId}`, action: 'buy', revenue: row['revenue'] as bigint }; // prettier-ignore
  });
  const seen = visits.map((visit) => {
    const visitor = visit.userId === null ? `anonymous:${visit.anonymousId}` : `user:${visit.userId}`;
    return { ...visit, visitor, revenue: 0n };
  });
  const all: Sign[] = [...bought, ...seen];
  const inTime = all.filter(({ ts, ow }) => ow - ts <= GRACE);
  const rows: OutputRow[] = [];
  for (const [visitor, signs] of Map.groupBy(inTime, (sign) => sign.visitor)) {
    const runs: Sign[][] = [];
    for (const sign of signs.toSorted((a, b) => a.ts - b.ts)) {
      const run = runs.at(-1);
      if (run !== undefined && sign.ts - run.at(-1)!.ts <= GAP) run.push(sign);
      else runs.push([sign]);
    }
    for (const run of runs) if (run.at(-1)!.ts + GAP + GRACE < complete) rows.push(sessionOf(visitor, run));
  }
  return { rows, late: all.length - inTime.length };
}

function sessionOf(visitor: string, run: readonly Sign[]): OutputRow {
  const [startedAt, endedAt] = [run[0]!.ts, run.at(-1)!.ts];
  const done = (action: string): number => run.filter((sign) => sign.action === action).length;
  const entries = run
    .filter((sign) => sign.said !== undefined && sign.ts === run.find(({ said }) => said !== undefined)?.ts)
    .toSorted((a, b) => (a.said!.id < b.said!.id ? -1 : 1));
  return {
    _key: `${visitor}|${new Date(startedAt).toISOString()}`,
    _ts: endedAt,
    _ow: endedAt,
    visitor,
    userId: run[0]!.userId,
    startedAt,
    endedAt,
    entryChannel: entries[0]?.said?.channel ?? 'unknown',
    views: done('view'),
    cartAdds: done('add'),
    orders: done('buy'),
    revenue: run.reduce((sum, sign) => sum + sign.revenue, 0n),
    converted: done('buy') > 0,
  };
}

/** Sessions by channel and the day on which they ended. */
export function funnelOf(sessions: readonly OutputRow[]): OutputRow[] {
  const cells = Map.groupBy(sessions, (row) => {
    const { start } = spans['day']!(row['endedAt'] as number);
    return `${new Date(start).toISOString()}|${row['entryChannel'] as string}`;
  });
  return [...cells].map(([key, rows]) => {
    const { start, end } = spans['day']!(rows[0]!['endedAt'] as number);
    const viewed = rows.filter((row) => row['views'] !== 0);
    const carted = viewed.filter((row) => row['cartAdds'] !== 0);
    const purchased = carted.filter((row) => row['converted'] === true);
    return {
      _key: key,
      _ts: end - 1,
      _ow: end - 1,
      windowStart: start,
      windowEnd: end,
      channel: rows[0]!['entryChannel'],
      sessions: rows.length,
      viewed: viewed.length,
      carted: carted.length,
      purchased: purchased.length,
      orders: rows.reduce((sum, row) => sum + (row['orders'] as number), 0),
      revenue: rows.reduce((sum, row) => sum + (row['revenue'] as bigint), 0n),
      conversionRate: viewed.length === 0 ? 0 : Math.floor((purchased.length / viewed.length) * 10_000 + 0.5),
    };
  });
}

/** What each user did: all purchases, and the sessions that are over. */
export function behaviourOf(purchases: readonly OutputRow[], sessions: readonly OutputRow[]): OutputRow[] {
  const users = new Set([...purchases, ...sessions].map((row) => row['userId'] as number | null));
  users.delete(null);
  return [...users].map((userId) => {
    const bought = purchases.filter((row) => row['userId'] === userId);
    const visited = sessions.filter((row) => row['userId'] === userId);
    const orderTimes = bought.map((row) => row._ts).toSorted((a, b) => a - b);
    const revenue = bought.reduce((sum, row) => sum + Number(row['revenue']), 0);
    return {
      _key: String(userId),
      _ts: 0,
      _ow: 0,
      userId,
      lastOrderAt: orderTimes.at(-1) ?? null,
      orders: bought.length,
      revenue,
      averageOrderValue: bought.length === 0 ? 0 : Math.floor(revenue / bought.length + 0.5),
      sessions: visited.length,
      lastSeenAt: Math.max(...orderTimes, ...visited.map((row) => row['endedAt'] as number)),
    };
  });
}

/** What a profile says, of anything that may be written there. */
export function statedBy(row: Fields): Fields {
  const band = said(row['age_band']);
  let preferences: Fields | null = null;
  try {
    preferences = JSON.parse(String(row['preferences'])) as Fields | null;
  } catch {}
  const language = /^[a-z][a-z]$/.exec(said(preferences?.['language']))?.[0] ?? null;
  const newsletter = [true, false].find((each) => each === preferences?.['newsletter']) ?? null;
  const isBand = ['under-18', '18-24', '25-34', '35-44', '45-54', '55-64', '65+'].includes(band);
  return { ageBand: isBand ? band : 'unknown', marketingConsent: row['marketing_consent'] !== 0, language, newsletter };
}

const said = (value: unknown): string => (typeof value === 'string' ? value.trim().toLowerCase() : '');
