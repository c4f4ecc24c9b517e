import {
  aggregate,
  atLeast,
  calendarDay,
  checked,
  contract,
  keyBy,
  mapValues,
  oneOf,
  rule,
  stage,
  windowedBy,
} from '#topology';
import type { GoldConversionFunnel, SilverSessions } from '#schemas';
import { CHANNELS } from '../silver/channel.ts';
import { topics } from '../topics.ts';
import { rateOf } from './rate.ts';
import { SHOP_TIME_ZONE } from './time-zone.ts';
import { windowName } from './window-name.ts';

const HOUR = 3_600_000;

/** Sessions by how far they went; each step counts those that took the one before too. `revenue` in cents. */
type Funnel = Pick<GoldConversionFunnel, 'sessions' | 'viewed' | 'carted' | 'purchased' | 'orders' | 'revenue'>;

const NOBODY: Funnel = { sessions: 0, viewed: 0, carted: 0, purchased: 0, orders: 0, revenue: 0n };

/** What gold.conversion_funnel promises. */
export const conversionFunnelContract = contract(topics.gold.conversionFunnel, {
  grain: "one row per calendar day in the shop's time zone and entry channel; updated while the day lasts",
  key: 'windowStart|channel',
  freshness: '45m',
  since: 'event',
  checks: [
    rule(
      'the window is a calendar day',
      ({ windowStart, windowEnd }) => windowEnd - windowStart >= 23 * HOUR && windowEnd - windowStart <= 25 * HOUR,
    ),
    oneOf('channel', [...CHANNELS, 'unknown']),
    atLeast('sessions', 1),
    rule(
      'each step counts those of the one before',
      (row) => row.sessions >= row.viewed && row.viewed >= row.carted && row.carted >= row.purchased,
    ),
    rule('who purchased has ordered', (row) => row.orders >= row.purchased),
    atLeast('revenue', 0n),
    rule('conversionRate is purchased / viewed', (row) => row.conversionRate === rateOf(row.purchased, row.viewed)),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 16, 22),
    windowEnd: Date.UTC(2026, 4, 17, 22),
    channel: 'search',
    sessions: 10,
    viewed: 8,
    carted: 4,
    purchased: 2,
    orders: 3,
    revenue: 14_970n,
    conversionRate: 2_500n,
  },
});

/**
 * gold.conversion_funnel: sessions that view, put into the cart, and buy, per entry channel and calendar day, up to the last commit. A session counts once
 * it is over, on the day of its last event. Key: windowStart|channel.
 */
export const conversionFunnel = stage('gold.conversion_funnel', (s) => {
  s.stream(topics.silver.sessions)
    .pipe(
      keyBy((r) => r.value.entryChannel),
      windowedBy(calendarDay({ timeZone: SHOP_TIME_ZONE, grace: '0s' })),
      aggregate(() => NOBODY, addSession, { store: 'conversion-funnel', emit: 'updates', commutative: true }),
    )
    .toStream()
    .pipe(
      mapValues((funnel, { key, start, end }): GoldConversionFunnel => ({
        windowStart: start,
        windowEnd: end,
        channel: key,
        ...funnel,
        conversionRate: rateOf(funnel.purchased, funnel.viewed),
      })),
      keyBy((r) => windowName(r.value.windowStart, r.value.channel)),
      checked(conversionFunnelContract),
    )
    .to(topics.gold.conversionFunnel);
});

function addSession(funnel: Funnel, { views, cartAdds, orders, revenue }: SilverSessions): Funnel {
  const hasViewed = views > 0;
  const hasCarted = hasViewed && cartAdds > 0;
  const hasPurchased = hasCarted && orders > 0;
  return {
    sessions: funnel.sessions + 1,
    viewed: funnel.viewed + Number(hasViewed),
    carted: funnel.carted + Number(hasCarted),
    purchased: funnel.purchased + Number(hasPurchased),
    orders: funnel.orders + orders,
    revenue: funnel.revenue + revenue,
  };
}
