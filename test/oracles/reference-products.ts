/** What became of items: the part of the reference that brings views, carts and purchases together. */
import type { OutputRow } from './reference.ts';
import { spans, WINDOW_GRACE } from './reference-sold.ts';
import { HOUR } from './synthetic.ts';

/** Something that happened to an item. */
export interface ItemEvent {
  readonly what: 'view' | 'cart' | 'sale';
  readonly ts: number;
  readonly ow: number;
  readonly itemId: unknown;
  readonly id: string;
  /** Of a view: when the sender says that it was. */
  readonly seenAt: number;
  readonly title: unknown;
  readonly category: unknown;
  readonly units: number;
  readonly revenue: bigint;
}

/** Silver rows as events of items. */
export const eventsOf = (what: ItemEvent['what'], rows: readonly OutputRow[]): ItemEvent[] =>
  rows.map((row) => ({
    what,
    ts: row._ts,
    ow: row._ow,
    itemId: row['itemId'],
    id: (row['eventId'] ?? row._key) as string,
    seenAt: row['occurredAt'] as number,
    title: row['title'],
    category: row['category'],
    units: (row['quantity'] ?? 0) as number,
    revenue: (row['revenue'] ?? 0n) as bigint,
  }));

const counted = (events: readonly ItemEvent[], what: ItemEvent['what']): number =>
  events.filter((event) => event.what === what).length;

/** gold.daily_product_performance, and what is late for its day. */
export function dailyPerformance(events: readonly ItemEvent[]): { rows: OutputRow[]; late: number } {
  const inTime = events.filter(({ ts, ow }) => ow < spans['day']!(ts).end + WINDOW_GRACE);
  const cells = Map.groupBy(inTime, ({ ts, itemId }) => `${spans['day']!(ts).start}|${String(itemId)}`);
  const rows = [...cells.values()].map((cell) => {
    const { start, end } = spans['day']!(cell[0]!.ts);
    return {
      _key: `${new Date(start).toISOString()}|${String(cell[0]!.itemId)}`,
      _ts: end - 1,
      _ow: end - 1,
      windowStart: start,
      windowEnd: end,
      itemId: cell[0]!.itemId,
      views: counted(cell, 'view'),
      cartAdds: counted(cell, 'cart'),
      orders: counted(cell, 'sale'),
      units: cell.reduce((sum, event) => sum + event.units, 0),
      revenue: cell.reduce((sum, event) => sum + event.revenue, 0n),
    };
  });
  return { rows, late: events.length - inTime.length };
}

/** gold.top_converting_items of closed windows; `complete`: how far event time is complete in views and purchases. */
export function topConverting(events: readonly ItemEvent[], complete: number): { rows: OutputRow[]; late: number } {
  const inTime = events.filter(({ ts, ow }) => ow < spans['hour']!(ts).end + WINDOW_GRACE);
  const rows: OutputRow[] = [];
  const ends = inTime.map(({ ts }) => spans['hour']!(ts).end);
  for (let end = Math.min(...ends); end <= Math.max(...ends) + 23 * HOUR; end += HOUR) {
    if (complete < end + WINDOW_GRACE) break;
    const within = inTime.filter(({ ts }) => ts >= end - 24 * HOUR && ts < end);
    const rated = [...Map.groupBy(within, (event) => event.itemId as number)].flatMap(([itemId, mine]) => {
      const [views, orders] = [counted(mine, 'view'), counted(mine, 'sale')];
      const last = mine
        .filter((event) => event.what === 'view')
        .toSorted((a, b) => a.seenAt - b.seenAt || (a.id < b.id ? -1 : 1))
        .at(-1);
      const conversionRate = Math.floor((orders * 10_000) / views + 0.5);
      const { title, category } = last ?? {};
      return views < 5 || orders === 0 ? [] : [{ itemId, title, category, views, orders, conversionRate }];
    });
    const best = rated.toSorted((a, b) => b.conversionRate - a.conversionRate || a.itemId - b.itemId).slice(0, 10);
    for (const [place, item] of best.entries()) {
      const [windowStart, rank] = [end - 24 * HOUR, place + 1];
      const _key = `${new Date(windowStart).toISOString()}|${rank}`;
      rows.push({ _key, _ts: end - 1, _ow: end - 1, windowStart, windowEnd: end, rank, ...item });
    }
  }
  return { rows, late: events.length - inTime.length };
}
