/** What became of items: the part of the reference that brings views, carts and purchases together. */
import type { OutputRow } from './reference.ts';
import { spans, WINDOW_GRACE } from './reference-sold.ts';

/** Something that happened to an item. */
export interface ItemEvent {
  readonly what: 'view' | 'cart' | 'sale';
  readonly ts: number;
  readonly ow: number;
  readonly itemId: unknown;
  readonly id: string;
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
