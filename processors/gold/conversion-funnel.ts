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
import { ENTRY_CHANNELS } from '../silver/sessions.ts';
import { topics } from '../topics.ts';
import { isDay } from './is-day.ts';
import { rateOf } from './rate.ts';
import { SHOP_TIME_ZONE } from './time-zone.ts';
import { windowName } from './window-name.ts';

/** Sessions by how far they went; each step counts those that took the one before too. `revenue` in cents. */
type Funnel = Pick<GoldConversionFunnel, 'sessions' | 'viewed' | 'carted' | 'purchased' | 'orders' | 'revenue'>;

const NOBODY: Funnel = { sessions: 0, viewed: 0, carted: 0, purchased: 0, orders: 0, revenue: 0n };

/** What gold.conversion_funnel promises. */
export const conversionFunnelContract = contract(topics.gold.conversionFunnel, {
  grain: "one row per calendar day in the shop's time zone and entry channel; updated as sessions of the day end",
  key: 'windowStart|channel',
  freshness: '40m',
  since: 'event',
  checks: [
    isDay(),
    oneOf('channel', ENTRY_CHANNELS),
    atLeast('sessions', 1),
    rule(
      'no step has more sessions than the one before',
      ({ sessions, viewed, carted, purchased }) => sessions >= viewed && viewed >= carted && carted >= purchased,
    ),
    atLeast('purchased', 0),
    atLeast('orders', 0),
    atLeast('revenue', 0n),
    rule(
      'conversionRate is purchased / viewed',
      ({ conversionRate, purchased, viewed }) => conversionRate === rateOf(purchased, viewed),
    ),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 16, 22),
    windowEnd: Date.UTC(2026, 4, 17, 22),
    channel: 'search',
    sessions: 12,
    viewed: 10,
    carted: 4,
    purchased: 2,
    orders: 3,
    revenue: 14_970n,
    conversionRate: 2_000n,
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
