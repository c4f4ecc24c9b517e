import { aggregate, calendarMonth, keyBy, mapValues, stage, windowedBy } from '#topology';
import type { GoldMonthlyPurchaseSummary } from '#schemas';
import { topics } from '../topics.ts';
import { addSale, NO_SALES } from './sales.ts';
import { SHOP_TIME_ZONE } from './time-zone.ts';
import { windowName } from './window-name.ts';

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
    )
    .to(topics.gold.monthlyPurchaseSummary);
});
