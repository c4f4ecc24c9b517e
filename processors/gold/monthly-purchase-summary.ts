import {
  aggregate,
  atLeast,
  calendarMonth,
  checked,
  contract,
  keyBy,
  mapValues,
  rule,
  stage,
  windowedBy,
} from '#topology';
import type { GoldMonthlyPurchaseSummary } from '#schemas';
import { topics } from '../topics.ts';
import { addSale, NO_SALES } from './sales.ts';
import { SHOP_TIME_ZONE } from './time-zone.ts';
import { windowName } from './window-name.ts';

const DAY = 86_400_000;

/** What gold.monthly_purchase_summary promises. */
export const monthlyPurchaseSummaryContract = contract(topics.gold.monthlyPurchaseSummary, {
  grain: "one row per calendar month in the shop's time zone, user and category; updated while the month lasts",
  key: 'windowStart|userId|category',
  freshness: '3m',
  since: 'event',
  checks: [
    rule(
      'the window is a calendar month',
      (row) => row.windowEnd - row.windowStart > 27 * DAY && row.windowEnd - row.windowStart < 32 * DAY,
    ),
    atLeast('userId', 1),
    atLeast('orders', 1),
    rule('units are not fewer than orders', (row) => row.units >= row.orders),
    atLeast('revenue', 0n),
  ],
  example: {
    windowStart: Date.UTC(2026, 3, 30, 22),
    windowEnd: Date.UTC(2026, 4, 31, 22),
    userId: 7,
    category: 'home',
    orders: 3,
    units: 4,
    revenue: 14_970n,
  },
});

/**
 * gold.monthly_purchase_summary: purchases of a calendar month per user and category, up to the last commit. Key: windowStart|userId|category.
 */
export const monthlyPurchaseSummary = stage('gold.monthly_purchase_summary', (s) => {
  s.stream(topics.silver.purchasesEnriched)
    .pipe(
      keyBy((r) => `${r.value.userId}|${r.value.category}`),
      windowedBy(calendarMonth({ timeZone: SHOP_TIME_ZONE, grace: '5m' })),
      aggregate(() => NO_SALES, addSale, { store: 'monthly-purchases', emit: 'updates', commutative: true }),
    )
    .toStream()
    .pipe(
      mapValues((sales, { key, start, end }): GoldMonthlyPurchaseSummary => {
        const bar = key.indexOf('|');
        const [userId, category] = [Number(key.slice(0, bar)), key.slice(bar + 1)];
        return { windowStart: start, windowEnd: end, userId, category, ...sales };
      }),
      keyBy((r) => windowName(r.value.windowStart, String(r.value.userId), r.value.category)),
      checked(monthlyPurchaseSummaryContract),
    )
    .to(topics.gold.monthlyPurchaseSummary);
});
