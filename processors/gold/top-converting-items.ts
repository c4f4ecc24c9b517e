import { filter, mergeMap } from 'rxjs';
import {
  aggregate,
  atLeast,
  between,
  checked,
  cogroup,
  contract,
  hopping,
  keyBy,
  mapValues,
  matches,
  rule,
  stage,
  topN,
  tumbling,
  windowedBy,
} from '#topology';
import type { GoldTopConvertingItems, SilverPageviewsByItems } from '#schemas';
import { FORM } from '../silver/clean.ts';
import { topics } from '../topics.ts';
import { isHours } from './is-day.ts';
import { rateOf } from './rate.ts';
import { windowName } from './window-name.ts';

const KEPT = 10;
/** With fewer views a rate says nothing. */
const MIN_VIEWS = 5;

/** Views and orders of an item, with what it was called when it was last viewed. */
interface Interest {
  readonly views: number;
  readonly orders: number;
  readonly last: { readonly at: number; readonly eventId: string; readonly title: string | null; readonly category: string } | null; // prettier-ignore
}

const NONE: Interest = { views: 0, orders: 0, last: null };

/** What gold.top_converting_items promises. */
export const topConvertingItemsContract = contract(topics.gold.topConvertingItems, {
  grain: 'one row per window of 24 hours, which begins every full hour, and place in it; final',
  key: 'windowStart|rank',
  freshness: '10m',
  since: 'window end',
  checks: [
    rule('the window is 24 hours', (row) => isHours(row.windowEnd - row.windowStart, 24, 24)),
    between('rank', 1, KEPT),
    atLeast('itemId', 1),
    matches('category', FORM.lowerCase, 'in lower case'),
    atLeast('views', MIN_VIEWS),
    atLeast('orders', 1),
    rule('conversionRate is orders / views', (row) => row.conversionRate === rateOf(row.orders, row.views)),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 16, 11),
    windowEnd: Date.UTC(2026, 4, 17, 11),
    rank: 1,
    itemId: 3,
    title: 'Quiet Lamp No. 3',
    category: 'home',
    views: 120,
    orders: 3,
    conversionRate: 250n,
  },
});

/**
 * gold.top_converting_items: the ten items with most orders per view in the last 24 hours, every hour; final. An event is counted in its hour, and each
 * hour in the 24 windows that hold it. Key: windowStart|rank.
 */
export const topConvertingItems = stage('gold.top_converting_items', (s) => {
  const orders = s
    .stream(topics.silver.purchasesEnriched)
    .pipe(keyBy((r) => String(r.value.itemId), { name: 'conversions-by-item' }));
  const hours = cogroup(s.stream(topics.silver.pageviewsByItems), addView)
    .cogroup(orders, (interest) => ({ ...interest, orders: interest.orders + 1 }))
    .windowedBy(tumbling({ size: '1h', grace: '5m' }), () => NONE, { store: 'item-interest-hour', commutative: true });
  // What follows is made of closed windows: nothing is waited for any more.
  const rates = hours.pipe(
    keyBy((r) => r.key.key),
    windowedBy(hopping({ size: '24h', advance: '1h', grace: '0s' })),
    aggregate(() => NONE, together, { store: 'item-interest-24h', commutative: true }),
    filter((r) => r.value.views >= MIN_VIEWS && r.value.orders > 0),
    mapValues(({ last, views, orders }, { key, start, end }): Omit<GoldTopConvertingItems, 'rank'> => {
      const [itemId, title, category] = [Number(key), last?.title ?? null, last?.category ?? 'unknown'];
      const conversionRate = rateOf(orders, views);
      return { windowStart: start, windowEnd: end, itemId, title, category, views, orders, conversionRate };
    }),
    keyBy(() => 'all'),
  );
  rates
    .pipe(
      // A rate has the last instant of its 24 hours for time: those of one window lie in one hour.
      windowedBy(tumbling({ size: '1h', grace: '0s' })),
      topN(KEPT, (rate) => rate.conversionRate, { store: 'top-converting', tie: (rate) => rate.itemId }),
      mergeMap((r) => r.value.map((rate, place) => ({ ...r, value: { ...rate, rank: place + 1 } }))),
      keyBy((r) => windowName(r.value.windowStart, String(r.value.rank))),
      checked(topConvertingItemsContract),
    )
    .to(topics.gold.topConvertingItems);
});

function addView(interest: Interest, { eventId, title, category, occurredAt }: SilverPageviewsByItems): Interest {
  return together(interest, { views: 1, orders: 0, last: { at: occurredAt, eventId, title, category } });
}

/** Both: sums, and the later of two views in a total order, so it does not matter which of them was there before. */
function together(a: Interest, b: Interest): Interest {
  return { views: a.views + b.views, orders: a.orders + b.orders, last: later(a.last, b.last) };
}

function later(a: Interest['last'], b: Interest['last']): Interest['last'] {
  if (a === null || b === null) return a ?? b;
  return a.at > b.at || (a.at === b.at && a.eventId >= b.eventId) ? a : b;
}
