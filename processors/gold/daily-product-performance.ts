import { filter } from 'rxjs';
import { atLeast, calendarDay, checked, cogroup, contract, dedupe, keyBy, mapValues, rule, stage } from '#topology';
import type { GoldDailyProductPerformance } from '#schemas';
import { isAdd } from '../silver/visit.ts';
import { ONCE } from '../once.ts';
import { topics } from '../topics.ts';
import { isDay } from './is-day.ts';
import { addSale, NO_SALES, type Sales } from './sales.ts';
import { SHOP_TIME_ZONE } from './time-zone.ts';
import { windowName } from './window-name.ts';

/** What became of an item. */
interface Performance extends Sales {
  readonly views: number;
  readonly cartAdds: number;
}

const NOTHING: Performance = { ...NO_SALES, views: 0, cartAdds: 0 };

/** What gold.daily_product_performance promises. */
export const dailyProductPerformanceContract = contract(topics.gold.dailyProductPerformance, {
  grain:
    "one row per calendar day in the shop's time zone and item of which anything is known; updated while the day lasts",
  key: 'windowStart|itemId',
  freshness: '3m',
  since: 'event',
  checks: [
    isDay(),
    atLeast('views', 0),
    atLeast('cartAdds', 0),
    atLeast('orders', 0),
    rule('units are not fewer than orders', (row) => row.units >= row.orders),
    atLeast('revenue', 0n),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 16, 22),
    windowEnd: Date.UTC(2026, 4, 17, 22),
    itemId: 3,
    views: 120,
    cartAdds: 9,
    orders: 3,
    units: 4,
    revenue: 14_970n,
  },
});

/**
 * gold.daily_product_performance: how often an item was viewed, put into a cart and bought, per calendar day, up to the last commit. Key: windowStart|itemId.
 */
export const dailyProductPerformance = stage('gold.daily_product_performance', (s) => {
  const views = s.stream(topics.silver.pageviewsByItems);
  const cartAdds = s.stream(topics.bronze.app.cartEvents).pipe(
    filter((r) => r.value !== null && isAdd(r.value.action)),
    dedupe({ by: (r) => r.value.eventId, ...ONCE.cartEvents, store: 'performance-carts-seen' }),
    keyBy((r) => String(r.value.itemId), { name: 'cart-adds-by-item' }),
  );
  const sales = s
    .stream(topics.silver.purchasesEnriched)
    .pipe(keyBy((r) => String(r.value.itemId), { name: 'performance-sales-by-item' }));
  cogroup(views, (sums: Performance) => ({ ...sums, views: sums.views + 1 }))
    .cogroup(cartAdds, (sums) => ({ ...sums, cartAdds: sums.cartAdds + 1 }))
    .cogroup(sales, (sums, purchase) => ({ ...sums, ...addSale(sums, purchase) }))
    .windowedUpdates(calendarDay({ timeZone: SHOP_TIME_ZONE, grace: '5m' }), () => NOTHING, {
      store: 'daily-product-performance',
      commutative: true,
    })
    .toStream()
    .pipe(
      mapValues((sums, { key, start, end }): GoldDailyProductPerformance => {
        return { windowStart: start, windowEnd: end, itemId: Number(key), ...sums };
      }),
      keyBy((r) => windowName(r.value.windowStart, String(r.value.itemId))),
      checked(dailyProductPerformanceContract),
    )
    .to(topics.gold.dailyProductPerformance);
});
