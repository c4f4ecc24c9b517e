import { mergeMap } from 'rxjs';
import {
  aggregate,
  atLeast,
  between,
  calendarDay,
  checked,
  contract,
  type Duration,
  keyBy,
  type KStream,
  mapValues,
  oneOf,
  rule,
  stage,
  topN,
  tumbling,
  windowedBy,
  type Windows,
} from '#topology';
import type { GoldTopSellingItems, SilverPurchasesEnriched } from '#schemas';
import { topics } from '../topics.ts';
import { addSale, NO_SALES, type Sales } from './sales.ts';
import { SHOP_TIME_ZONE } from './time-zone.ts';
import { windowName } from './window-name.ts';

const KEPT = 10;
const HOUR = 3_600_000;
const RANKINGS = ['revenue', 'units'] as const;
const PERIODS = {
  hour: (grace: Duration): Windows => tumbling({ size: '1h', grace }),
  day: (grace: Duration): Windows => calendarDay({ timeZone: SHOP_TIME_ZONE, grace }),
} as const;

/** What gold.top_selling_items promises. */
export const topSellingItemsContract = contract(topics.gold.topSellingItems, {
  grain: "one row per full hour or calendar day in the shop's time zone, ranking and place in it; final",
  key: 'windowStart|period|rankedBy|rank',
  freshness: '10m',
  since: 'window end',
  checks: [
    rule('the window is of its period', ({ windowStart, windowEnd, period }) =>
      period === 'hour'
        ? windowEnd - windowStart === HOUR
        : windowEnd - windowStart >= 23 * HOUR && windowEnd - windowStart <= 25 * HOUR,
    ),
    oneOf('period', Object.keys(PERIODS)),
    oneOf('rankedBy', RANKINGS),
    between('rank', 1, KEPT),
    atLeast('itemId', 1),
    atLeast('orders', 1),
    rule('units are not fewer than orders', (row) => row.units >= row.orders),
    atLeast('revenue', 0n),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 17, 10),
    windowEnd: Date.UTC(2026, 4, 17, 11),
    period: 'hour',
    rankedBy: 'revenue',
    rank: 1,
    itemId: 3,
    title: 'Quiet Lamp No. 3',
    category: 'home',
    orders: 3,
    units: 4,
    revenue: 14_970n,
  },
});

/** The sales of an item, with what it was called at its last purchase. */
interface ItemSales extends Sales {
  readonly itemId: number;
  readonly last: { readonly at: number; readonly purchaseId: number };
  readonly title: string | null;
  readonly category: string;
}

/**
 * gold.top_selling_items: the ten items that sold best per hour and per day, by revenue and by units; final. Items are summed first, then ranked when
 * their window has closed. Key: windowStart|period|rankedBy|rank.
 */
export const topSellingItems = stage('gold.top_selling_items', (s) => {
  const sold = s
    .stream(topics.silver.purchasesEnriched)
    .pipe(keyBy((r) => String(r.value.itemId), { name: 'purchases-by-sold-item' }));
  ranked(sold, 'hour')
    .merge(ranked(sold, 'day'))
    .pipe(checked(topSellingItemsContract))
    .to(topics.gold.topSellingItems);
});

function ranked(
  sold: KStream<string, SilverPurchasesEnriched>,
  period: keyof typeof PERIODS,
): KStream<string, GoldTopSellingItems> {
  const windows = PERIODS[period];
  const sums = sold.pipe(
    windowedBy(windows('5m')),
    aggregate((): ItemSales | null => null, addToItem, { store: `item-sales-${period}`, commutative: true }),
    mergeMap((r) => {
      const sales = r.value;
      return sales === null ? [] : RANKINGS.map((rankedBy) => ({ ...r, value: { rankedBy, sales } }));
    }),
  );
  return sums
    .pipe(
      keyBy((r) => r.value.rankedBy),
      // Sums come when their window has closed, so nothing is waited for here.
      windowedBy(windows('0s')),
      topN(KEPT, ({ rankedBy, sales }) => sales[rankedBy], {
        store: `top-items-${period}`,
        tie: ({ sales }) => sales.itemId,
      }),
      mergeMap((r) => r.value.map(({ sales }, place) => ({ ...r, value: { sales, rank: place + 1 } }))),
      mapValues(({ sales, rank }, { key: rankedBy, start, end }): GoldTopSellingItems => {
        const { last: _last, ...item } = sales;
        return { windowStart: start, windowEnd: end, period, rankedBy, rank, ...item };
      }),
    )
    .pipe(
      keyBy(({ value: { windowStart, rankedBy, rank } }) => windowName(windowStart, period, rankedBy, String(rank))),
    );
}

/** Of several purchases at one instant the one with the largest id is the last: a total order, so the order in which they come does not matter. */
function addToItem(sales: ItemSales | null, purchase: SilverPurchasesEnriched): ItemSales {
  const { itemId, purchaseId, purchasedAt, title, category } = purchase;
  const sums = addSale(sales ?? NO_SALES, purchase);
  const isLast =
    sales === null ||
    purchasedAt > sales.last.at ||
    (purchasedAt === sales.last.at && purchaseId > sales.last.purchaseId);
  if (isLast) return { itemId, last: { at: purchasedAt, purchaseId }, title: title ?? null, category, ...sums };
  return { ...sales, ...sums };
}
