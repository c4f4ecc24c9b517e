/** Purchases by hour, and by day and month in Berlin: the part of the reference that knows time zones and ranks. */
import type { OutputRow } from './reference.ts';
import { HOUR, MINUTE } from './synthetic.ts';

type Fields = Record<string, unknown>;

export const WINDOW_GRACE = 5 * MINUTE;

/** By the rule of the European Union: summer time from the last Sunday of March, 01:00 UTC, to that of October. */
function berlinOffset(t: number): number {
  const lastSunday = (month: number): number => {
    const last = new Date(Date.UTC(new Date(t).getUTCFullYear(), month, 31));
    return last.getTime() - last.getUTCDay() * 24 * HOUR + HOUR;
  };
  return t >= lastSunday(2) && t < lastSunday(9) ? 2 * HOUR : HOUR;
}

/** The instant at which a date begins in Berlin; no clock changes there near midnight. */
const berlinMidnight = (year: number, month: number, day: number): number => {
  const midnight = Date.UTC(year, month, day);
  return midnight - berlinOffset(midnight - 2 * HOUR);
};

/** What holds an instant: an hour, a day or a month. */
export const spans: Record<string, (t: number) => { start: number; end: number }> = {
  hour: (t) => ({ start: Math.floor(t / HOUR) * HOUR, end: Math.floor(t / HOUR) * HOUR + HOUR }),
  day: (t) => {
    const local = new Date(t + berlinOffset(t));
    const [y, m, d] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
    return { start: berlinMidnight(y, m, d), end: berlinMidnight(y, m, d + 1) };
  },
  month: (t) => {
    const local = new Date(t + berlinOffset(t));
    const [y, m] = [local.getUTCFullYear(), local.getUTCMonth()];
    return { start: berlinMidnight(y, m, 1), end: berlinMidnight(y, m + 1, 1) };
  },
};

interface Sold extends OutputRow {
  readonly quantity: number;
  readonly revenue: bigint;
}

/** Purchases by window and group; what is late for its window is counted. */
export function soldIn<T extends Sold>(
  purchases: readonly T[],
  period: string,
  group: (row: T) => unknown,
): { windows: { start: number; end: number; rows: T[]; sums: Fields }[]; late: number } {
  const windows = new Map<string, { start: number; end: number; rows: T[] }>();
  let late = 0;
  for (const row of purchases) {
    const { start, end } = spans[period]!(row._ts);
    if (row._ow >= end + WINDOW_GRACE) {
      late++;
      continue;
    }
    const id = `${start} ${String(group(row))}`;
    const window = windows.get(id) ?? { start, end, rows: [] };
    windows.set(id, window);
    window.rows.push(row);
  }
  const summed = [...windows.values()].map((window) => {
    const units = window.rows.reduce((all, row) => all + row.quantity, 0);
    const revenue = window.rows.reduce((all, row) => all + row.revenue, 0n);
    return { ...window, sums: { orders: window.rows.length, units, revenue } };
  });
  return { windows: summed, late };
}

/** gold.top_selling_items of closed windows. */
export function topSelling<T extends Sold>(
  purchases: readonly T[],
  complete: number,
): { rows: OutputRow[]; late: number } {
  const rows: OutputRow[] = [];
  let late = 0;
  for (const period of ['hour', 'day']) {
    const sold = soldIn(purchases, period, (row) => row['itemId']);
    late += sold.late;
    const closed = sold.windows.filter((window) => complete >= window.end + WINDOW_GRACE);
    for (const [start, items] of Map.groupBy(closed, (window) => window.start)) {
      for (const rankedBy of ['revenue', 'units']) {
        const best = items.toSorted(
          (a, b) =>
            Number(b.sums[rankedBy]) - Number(a.sums[rankedBy]) ||
            (a.rows[0]!['itemId'] as number) - (b.rows[0]!['itemId'] as number),
        );
        for (const [place, { end, rows: bought, sums }] of best.slice(0, 10).entries()) {
          const last = bought
            .toSorted((a, b) => a._ts - b._ts || (a['purchaseId'] as number) - (b['purchaseId'] as number))
            .at(-1)!;
          rows.push({
            _key: `${new Date(start).toISOString()}|${period}|${rankedBy}|${place + 1}`,
            _ts: end - 1,
            _ow: end - 1,
            windowStart: start,
            windowEnd: end,
            period,
            rankedBy,
            rank: place + 1,
            itemId: last['itemId'],
            title: last['title'],
            category: last['category'],
            ...sums,
          });
        }
      }
    }
  }
  return { rows, late };
}

/** gold.order_trends: a day or a week in Berlin of a category, beside the one before. */
export function trendsOf(purchases: readonly Sold[]): OutputRow[] {
  const weekOf = (t: number): { start: number; end: number } => {
    let first = spans['day']!(t);
    while (new Date(first.start + 12 * HOUR).getUTCDay() !== 1) first = spans['day']!(first.start - 1);
    let last = first;
    for (let days = 1; days < 7; days++) last = spans['day']!(last.end);
    return { start: first.start, end: last.end };
  };
  const sumOf = (rows: readonly Sold[], of: (row: Sold) => bigint): bigint =>
    rows.reduce((sum, row) => sum + of(row), 0n);
  return [['day', spans['day']!] as const, ['week', weekOf] as const].flatMap(([period, spanOf]) => {
    const cells = Map.groupBy(purchases, (row) => `${spanOf(row._ts).start} ${row['category'] as string}`);
    return [...cells.values()].map((rows) => {
      const [{ start, end }, category] = [spanOf(rows[0]!._ts), rows[0]!['category'] as string];
      const before = cells.get(`${spanOf(start - 1).start} ${category}`) ?? [];
      const [revenue, past] = [sumOf(rows, (row) => row.revenue), sumOf(before, (row) => row.revenue)];
      return {
        _key: `${new Date(start).toISOString()}|${period}|${category}`,
        _ts: 0,
        _ow: 0,
        windowStart: start,
        windowEnd: end,
        period,
        category,
        orders: rows.length,
        units: sumOf(rows, (row) => BigInt(row.quantity)),
        revenue,
        previousOrders: before.length,
        previousUnits: sumOf(before, (row) => BigInt(row.quantity)),
        previousRevenue: past,
        revenueChange: past === 0n ? null : Math.floor((Number(revenue - past) / Number(past)) * 10_000 + 0.5),
      };
    });
  });
}
