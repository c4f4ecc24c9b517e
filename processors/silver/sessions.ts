import { filter } from 'rxjs';
import {
  aggregate,
  atLeast,
  checked,
  contract,
  dedupe,
  keyBy,
  mapValues,
  oneOf,
  rule,
  session,
  stage,
  windowedBy,
} from '#topology';
import type { SilverSessions } from '#schemas';
import { ONCE } from '../once.ts';
import { topics } from '../topics.ts';
import { CHANNELS } from './channel.ts';
import { cartEvent, NOTHING_YET, pageview, purchase, together, visitorOf } from './visit.ts';

/** Entry channels of sessions: that of one in which there are only purchases is not known. */
export const ENTRY_CHANNELS: readonly string[] = [...CHANNELS, 'unknown'];

/** What silver.sessions promises. */
export const sessionsContract = contract(topics.silver.sessions, {
  grain: 'one row per visit of a user or an anonymous visitor, when 30 minutes have passed without an event; final',
  key: 'visitor|startedAt',
  freshness: '40m',
  since: 'window end',
  checks: [
    rule('the visitor is the user, or nobody knows them', ({ visitor, userId }) =>
      userId === null ? visitor.startsWith('anonymous:') : visitor === `user:${userId}`,
    ),
    rule('it does not end before it starts', (row) => row.endedAt >= row.startedAt),
    oneOf('entryChannel', ENTRY_CHANNELS),
    atLeast('views', 0),
    atLeast('cartAdds', 0),
    atLeast('orders', 0),
    atLeast('revenue', 0n),
    rule('converted tells whether there are orders', (row) => row.converted === row.orders > 0),
  ],
  example: {
    visitor: 'user:7',
    userId: 7,
    startedAt: Date.UTC(2026, 4, 17, 10),
    endedAt: Date.UTC(2026, 4, 17, 10, 25),
    entryChannel: 'search',
    views: 12,
    cartAdds: 2,
    orders: 1,
    revenue: 9_980n,
    converted: true,
  },
});

/**
 * silver.sessions: what a user, or somebody without a name, did until nothing came for 30 minutes; final. Each app event counts once. Key: visitor|startedAt.
 */
export const sessions = stage('silver.sessions', (s) => {
  const views = s.stream(topics.bronze.app.pageviews).pipe(
    filter((r) => r.value !== null),
    dedupe({ by: (r) => r.value.eventId, ...ONCE.pageviews, store: 'sessions-pageviews-seen' }),
    mapValues((view, _eventId, at) => ({ visitor: visitorOf(view), visit: pageview(view, at) })),
    keyBy((r) => r.value.visitor),
  );
  const carts = s.stream(topics.bronze.app.cartEvents).pipe(
    filter((r) => r.value !== null),
    dedupe({ by: (r) => r.value.eventId, ...ONCE.cartEvents, store: 'sessions-carts-seen' }),
    mapValues((cart, _eventId, at) => ({ visitor: visitorOf(cart), visit: cartEvent(cart, at) })),
    keyBy((r) => r.value.visitor),
  );
  const purchases = s.stream(topics.silver.purchasesEnriched).pipe(
    mapValues((order) => ({ visitor: visitorOf(order), visit: purchase(order) })),
    keyBy((r) => r.value.visitor),
  );
  views
    .merge(carts, purchases)
    .pipe(
      mapValues(({ visit }) => visit),
      windowedBy(session({ gap: '30m', grace: '5m' })),
      aggregate(() => NOTHING_YET, together, { store: 'sessions', commutative: true, merge: together }),
      mapValues(({ userId, entry, ...sums }, { key, start, end }): SilverSessions => ({
        visitor: key,
        userId,
        startedAt: start,
        endedAt: end,
        entryChannel: entry?.channel ?? 'unknown',
        ...sums,
        converted: sums.orders > 0,
      })),
      keyBy((r) => `${r.value.visitor}|${new Date(r.value.startedAt).toISOString()}`),
      checked(sessionsContract),
    )
    .to(topics.silver.sessions);
});
