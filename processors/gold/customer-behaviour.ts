import { filter } from 'rxjs';
import { atLeast, checked, cogroup, contract, keyBy, mapValues, rule, stage } from '#topology';
import type { GoldCustomerBehaviour } from '#schemas';
import { topics } from '../topics.ts';
import { roundHalfUp } from './rate.ts';

type Behaviour = Omit<GoldCustomerBehaviour, 'userId' | 'averageOrderValue'>;

const UNSEEN: Behaviour = { lastOrderAt: null, orders: 0, revenue: 0n, sessions: 0, lastSeenAt: 0 };

/** What gold.customer_behaviour promises. */
export const customerBehaviourContract = contract(topics.gold.customerBehaviour, {
  grain:
    'one row per user who has bought something or has been seen; updated with each purchase, and each session when it is over',
  key: 'userId',
  freshness: '40m',
  since: 'event',
  checks: [
    atLeast('userId', 1),
    atLeast('orders', 0),
    rule('there is a last order if there are any', (row) => (row.lastOrderAt === null) === (row.orders === 0)),
    rule('users are seen when they buy', (row) => row.lastSeenAt >= (row.lastOrderAt ?? row.lastSeenAt)),
    atLeast('revenue', 0n),
    rule(
      'averageOrderValue is revenue / orders',
      (row) => row.averageOrderValue === averageOf(row.revenue, row.orders),
    ),
    atLeast('sessions', 0),
  ],
  example: {
    userId: 7,
    lastOrderAt: Date.UTC(2026, 4, 17, 10),
    orders: 3,
    revenue: 14_970n,
    averageOrderValue: 4_990n,
    sessions: 5,
    lastSeenAt: Date.UTC(2026, 4, 17, 10, 25),
  },
});

/**
 * gold.customer_behaviour: recency, frequency and monetary value of each user, with sessions and when they were last seen, up to the last commit. Sums and
 * latest times, so no order matters and nothing is late. Key: user id.
 */
export const customerBehaviour = stage('gold.customer_behaviour', (s) => {
  const purchases = s
    .stream(topics.silver.purchasesEnriched)
    .pipe(keyBy((r) => String(r.value.userId), { name: 'behaviour-purchases-by-user' }));
  const sessions = s.stream(topics.silver.sessions).pipe(
    filter((r) => r.value.userId !== null),
    keyBy((r) => String(r.value.userId), { name: 'behaviour-sessions-by-user' }),
  );
  cogroup(purchases, (before: Behaviour, { purchasedAt, revenue }) => ({
    ...before,
    lastOrderAt: Math.max(before.lastOrderAt ?? purchasedAt, purchasedAt),
    orders: before.orders + 1,
    revenue: before.revenue + revenue,
    lastSeenAt: Math.max(before.lastSeenAt, purchasedAt),
  }))
    .cogroup(sessions, (before, { endedAt }) => ({
      ...before,
      sessions: before.sessions + 1,
      lastSeenAt: Math.max(before.lastSeenAt, endedAt),
    }))
    .aggregate(() => UNSEEN, { store: 'customer-behaviour', commutative: true })
    .toStream()
    .pipe(
      mapValues((behaviour, userId): GoldCustomerBehaviour => {
        const averageOrderValue = averageOf(behaviour.revenue, behaviour.orders);
        return { userId: Number(userId), ...behaviour, averageOrderValue };
      }),
      checked(customerBehaviourContract),
    )
    .to(topics.gold.customerBehaviour);
});

/** Revenue per order, rounded half up; 0 without orders. */
function averageOf(revenue: bigint, orders: number): bigint {
  return orders === 0 ? 0n : roundHalfUp(revenue, BigInt(orders));
}
