import { aggregate, hopping, keyBy, mapValues, stage, windowedBy } from '#topology';
import type { GoldSalesPerf24h } from '#schemas';
import { topics } from '../topics.ts';
import { addSale, NO_SALES } from './sales.ts';
import { windowName } from './window-name.ts';

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
    )
    .to(topics.gold.salesPerf24h);
});

/** a / b to the nearest whole number, halves up; b > 0. */
function roundHalfUp(a: bigint, b: bigint): bigint {
  const twice = 2n * a + b;
  const quotient = twice / (2n * b);
  return twice < 0n && twice % (2n * b) !== 0n ? quotient - 1n : quotient;
}
