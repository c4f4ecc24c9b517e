import { filter, mergeMap } from 'rxjs';
import {
  aggregate,
  atLeast,
  calendarDay,
  calendarWeek,
  checked,
  contract,
  type FixedWindows,
  keyBy,
  mapValues,
  matches,
  oneOf,
  rule,
  stage,
} from '#topology';
import type { GoldOrderTrends, SilverPurchasesEnriched } from '#schemas';
import { FORM } from '../silver/clean.ts';
import { topics } from '../topics.ts';
import { isHours } from './is-day.ts';
import { changeOf } from './rate.ts';
import { addSale, NO_SALES, type Sales } from './sales.ts';
import { SHOP_TIME_ZONE } from './time-zone.ts';
import { windowName } from './window-name.ts';

const IN_SHOP = { timeZone: SHOP_TIME_ZONE, grace: '0s' } as const;
const PERIODS = { day: calendarDay(IN_SHOP), week: calendarWeek(IN_SHOP) } as const;

/** A period of a category: what a row is about. */
type Grain = Pick<GoldOrderTrends, 'windowStart' | 'windowEnd' | 'period' | 'category'>;

/** The sales of a period, and of the one before it. */
interface Trend extends Grain {
  readonly current: Sales;
  readonly previous: Sales;
}

const NOTHING: Trend = {
  windowStart: 0,
  windowEnd: 0,
  period: '',
  category: '',
  current: NO_SALES,
  previous: NO_SALES,
};

/** A purchase as what it is to a period. */
interface Share {
  readonly of: Grain;
  readonly as: 'current' | 'previous';
  readonly purchase: SilverPurchasesEnriched;
}

/** What gold.order_trends promises. */
export const orderTrendsContract = contract(topics.gold.orderTrends, {
  grain:
    "one row per calendar day or week in the shop's time zone and category with an order; updated while it or the one before lasts",
  key: 'windowStart|period|category',
  freshness: '90s',
  since: 'event',
  checks: [
    rule('the window is of its period', ({ windowStart, windowEnd, period }) =>
      period === 'day' ? isHours(windowEnd - windowStart, 23, 25) : isHours(windowEnd - windowStart, 167, 169),
    ),
    oneOf('period', Object.keys(PERIODS)),
    matches('category', FORM.lowerCase, 'in lower case'),
    atLeast('orders', 1),
    rule('units are not fewer than orders', (row) => row.units >= row.orders),
    atLeast('revenue', 0n),
    atLeast('previousOrders', 0),
    rule('previousUnits are not fewer than previousOrders', (row) => row.previousUnits >= row.previousOrders),
    atLeast('previousRevenue', 0n),
    rule(
      'revenueChange is that from previousRevenue to revenue',
      (row) => row.revenueChange === changeOf(row.revenue, row.previousRevenue),
    ),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 16, 22),
    windowEnd: Date.UTC(2026, 4, 17, 22),
    period: 'day',
    category: 'home',
    orders: 3,
    units: 4,
    revenue: 14_970n,
    previousOrders: 2,
    previousUnits: 2,
    previousRevenue: 9_980n,
    revenueChange: 5_000n,
  },
});

/**
 * gold.order_trends: orders of a calendar day and week per category, beside those of the period before, up to the last commit. A purchase counts in its
 * period, and as the past of the next one. Nothing ever closes, so nothing is late. Key: windowStart|period|category.
 */
export const orderTrends = stage('gold.order_trends', (s) => {
  s.stream(topics.silver.purchasesEnriched)
    .pipe(
      mergeMap((r) => sharesOf(r.value).map((share) => ({ ...r, value: share }))),
      keyBy(({ value: { of } }) => windowName(of.windowStart, of.period, of.category)),
      aggregate(() => NOTHING, addShare, { store: 'order-trends', commutative: true }),
    )
    .toStream()
    .pipe(
      // That it has a past makes no row of a period in which nothing was bought yet.
      filter((r) => r.value.current.orders > 0),
      mapValues(rowOf),
      checked(orderTrendsContract),
    )
    .to(topics.gold.orderTrends);
});

function sharesOf(purchase: SilverPurchasesEnriched): Share[] {
  return (['day', 'week'] as const).flatMap((period) => {
    const current = periodOf(PERIODS[period], purchase.purchasedAt);
    const next = periodOf(PERIODS[period], current.windowEnd);
    const { category } = purchase;
    return [
      { of: { ...current, period, category }, as: 'current' as const, purchase },
      { of: { ...next, period, category }, as: 'previous' as const, purchase },
    ];
  });
}

function periodOf(windows: FixedWindows, at: number): Pick<Grain, 'windowStart' | 'windowEnd'> {
  const bounds: number[] = [];
  windows.windowsOf(at, bounds);
  const [windowStart = at, windowEnd = at] = bounds;
  return { windowStart, windowEnd };
}

function addShare(trend: Trend, { of, as, purchase }: Share): Trend {
  return { ...trend, ...of, [as]: addSale(trend[as], purchase) };
}

function rowOf({ current, previous, ...grain }: Trend): GoldOrderTrends {
  return {
    ...grain,
    ...current,
    previousOrders: previous.orders,
    previousUnits: previous.units,
    previousRevenue: previous.revenue,
    revenueChange: changeOf(current.revenue, previous.revenue),
  };
}
