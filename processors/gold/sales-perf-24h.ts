import {
  aggregate,
  atLeast,
  checked,
  contract,
  hopping,
  keyBy,
  mapValues,
  matches,
  rule,
  stage,
  windowedBy,
} from '#topology';
import type { GoldSalesPerf24h } from '#schemas';
import { FORM } from '../silver/clean.ts';
import { topics } from '../topics.ts';
import { roundHalfUp } from './rate.ts';
import { addSale, NO_SALES } from './sales.ts';
import { windowName } from './window-name.ts';

/** What gold.sales_perf_24h promises. */
export const salesPerf24hContract = contract(topics.gold.salesPerf24h, {
  grain: 'one row per window of 24 hours, which begins every full hour, category and country; final',
  key: 'windowStart|category|country',
  freshness: '10m',
  since: 'window end',
  checks: [
    rule('the window is 24 hours', (row) => row.windowEnd - row.windowStart === 24 * 3_600_000),
    atLeast('orders', 1),
    rule('units are not fewer than orders', (row) => row.units >= row.orders),
    atLeast('revenue', 0n),
    rule(
      'averageOrderValue is revenue / orders',
      ({ averageOrderValue, orders, revenue }) =>
        orders > 0 && averageOrderValue === roundHalfUp(revenue, BigInt(orders)),
    ),
    matches('country', FORM.countryOrUnknown, "a country code or 'unknown'"),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 16, 11),
    windowEnd: Date.UTC(2026, 4, 17, 11),
    category: 'home',
    country: 'GB',
    orders: 3,
    units: 4,
    revenue: 14_970n,
    averageOrderValue: 4_990n,
  },
});

/** gold.sales_perf_24h: sales of the last 24 hours, every hour, per category and country; final. Key: windowStart|category|country. */
export const salesPerf24h = stage('gold.sales_perf_24h', (s) => {
  s.stream(topics.silver.purchasesEnriched)
    .pipe(
      keyBy((r) => `${r.value.category}|${r.value.country}`),
      windowedBy(hopping({ size: '24h', advance: '1h', grace: '5m' })),
      aggregate(() => NO_SALES, addSale, {
        store: 'sales-24h',
        emit: 'final',
        commutative: true,
      }),
      mapValues(({ orders, units, revenue }, { key, start, end }): GoldSalesPerf24h => {
        const [category = '', country = ''] = key.split('|');
        const averageOrderValue = roundHalfUp(revenue, BigInt(orders));
        return { windowStart: start, windowEnd: end, category, country, orders, units, revenue, averageOrderValue };
      }),
      keyBy((r) => windowName(r.value.windowStart, r.value.category, r.value.country)),
      checked(salesPerf24hContract),
    )
    .to(topics.gold.salesPerf24h);
});
