/** Where users stand at the end of each day: the part of the reference that knows segments. Walks day by day, as somebody would with a calendar. */
import { spans } from './reference-sold.ts';
import type { OutputRow } from './reference.ts';
import { DAY, HOUR } from './synthetic.ts';

interface Visited {
  readonly date: number;
  readonly orders: number;
  readonly revenue: number;
}

/** The number of the date in Berlin: its midnight is at 22:00 or 23:00 UTC of the day before. */
const dateOf = (at: number): number => Math.floor((spans['day']!(at).start + 2 * HOUR) / DAY);

/** Rows of the days that are over at `complete` (of the sessions), whether the profiles are complete by then or not. */
export function segmentsOf(
  sessions: readonly OutputRow[],
  complete: number,
  profileOf: (userId: number, at: number) => OutputRow | undefined,
): OutputRow[] {
  const named = sessions.filter((row) => row['userId'] !== null);
  return [...Map.groupBy(named, (row) => row['userId'] as number)].flatMap(([userId, rows]) => {
    const visits = rows.map((row): Visited => {
      return {
        date: dateOf(row['endedAt'] as number),
        orders: row['orders'] as number,
        revenue: Number(row['revenue']),
      };
    });
    return walk(userId, visits, complete, profileOf);
  });
}

function walk(
  userId: number,
  visits: readonly Visited[],
  complete: number,
  profileOf: (userId: number, at: number) => OutputRow | undefined,
): OutputRow[] {
  const rows: OutputRow[] = [];
  let known: { since: number; segment: string | null } | undefined;
  for (let date = Math.min(...visits.map((visit) => visit.date)); ; date++) {
    const { start, end } = spans['day']!(date * DAY + 12 * HOUR);
    if (end > complete) return rows;
    const past = visits.filter((visit) => visit.date <= date && date - visit.date < 90);
    if (past.length === 0) {
      known = undefined;
      continue;
    }
    known ??= { since: date, segment: null };
    const previousSegment = known.segment;
    const standing = standingOf(past, date, known.since);
    known = { ...known, segment: standing.segment };
    if (previousSegment === 'dormant' && standing.segment === 'dormant') continue;
    const profile = profileOf(userId, end - 1);
    rows.push({
      _key: `${new Date(start).toISOString()}|${userId}`,
      _ts: end - 1,
      _ow: end,
      windowStart: start,
      windowEnd: end,
      userId,
      previousSegment,
      ...standing,
      ageBand: profile?.['ageBand'] ?? 'unknown',
      marketingConsent: profile?.['marketingConsent'] ?? null,
      language: profile?.['language'] ?? null,
    });
  }
}

function standingOf(past: readonly Visited[], date: number, since: number) {
  const sum = (of: readonly number[]): number => of.reduce((a, b) => a + b, 0);
  const datesOf = (of: readonly Visited[]): number => new Set(of.map((visit) => visit.date)).size;
  const away = date - Math.max(...past.map((visit) => visit.date));
  const activeDays7d = datesOf(past.filter((visit) => date - visit.date <= 6));
  const orders30d = sum(past.filter((visit) => date - visit.date <= 29).map((visit) => visit.orders));
  const orderDays90d = datesOf(past.filter((visit) => visit.orders > 0));
  const [segment, reason] = ((): [string, string] => {
    if (away > 29) return ['dormant', `days without a visit: ${away}`];
    if (away > 13) return ['at_risk', `days without a visit: ${away}`];
    if (orderDays90d > 2) return ['loyal', `days with orders in the last 90: ${orderDays90d}`];
    if (orders30d > 0) return ['buyer', `orders in the last 30 days: ${orders30d}`];
    if (activeDays7d > 2) return ['engaged', `days with visits in the last 7: ${activeDays7d}`];
    if (date - since <= 6) return ['new', `days since the first visit: ${date - since}`];
    return ['active', `days since the last visit: ${away}`];
  })();
  const revenue90d = sum(past.map((visit) => visit.revenue));
  return { segment, reason, daysSinceSeen: away, activeDays7d, orders30d, orderDays90d, revenue90d };
}

/** Those who are somewhere else than the day before. */
export function changesOf(segments: readonly OutputRow[]): OutputRow[] {
  const moved = segments.filter((row) => row['previousSegment'] !== row['segment']);
  return moved.map((row) => ({
    ...row,
    _key: String(row['userId']),
    fromSegment: row['previousSegment'],
    toSegment: row['segment'],
  }));
}
