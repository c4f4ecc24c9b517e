/**
 * Which segment a user is in when a day is over. All rules are here, and all that they remember of a user. A day is a calendar day in the shop's time zone,
 * given by its number (shop-day.ts); a session, with the orders made in it, belongs to the day on which it ended.
 */
import type { GoldUserEngagementSegments, SilverSessions } from '#schemas';

/** All spans are in days, and hold the day that is judged. Those of habits are whole weeks, so that each weekday counts alike. */
const LIMITS = {
  /** loyal: orders on so many days of a quarter, which is about once a month. Several orders on one day are one purchase that was cut up. */
  loyal: { orderDays: 3, within: 90 },
  /** buyer: an order in the last month: what was bought is still being used, and told about. */
  buyer: { orders: 1, within: 30 },
  /** engaged: back on so many days of a week: more than a weekend. */
  engaged: { activeDays: 3, within: 7 },
  /** new: the first week, in which nobody can have a habit yet. */
  new: { within: 7 },
  /** at_risk: two weeks without a visit: who comes every week has stayed away twice. */
  atRisk: { unseenFor: 14 },
  /** dormant: a month without a visit. From the day after on there is no row until the user comes back. */
  dormant: { unseenFor: 30 },
  /** The longest span above: what is older decides nothing, and who was not seen for so long is forgotten. */
  memory: 90,
} as const;

/** What the rules look at. */
export interface Signals extends Pick<
  GoldUserEngagementSegments,
  'daysSinceSeen' | 'activeDays7d' | 'orders30d' | 'orderDays90d' | 'revenue90d'
> {
  /** Days since the first sign of the user; 0: this day. */
  readonly daysKnown: number;
}

interface Rule {
  readonly segment: string;
  readonly holds: (user: Signals) => boolean;
  readonly reason: (user: Signals) => string;
}

/** The first one that holds decides: staying away outweighs what was bought, what was bought outweighs visits. */
const RULES: readonly Rule[] = [
  {
    segment: 'dormant',
    holds: ({ daysSinceSeen }) => daysSinceSeen >= LIMITS.dormant.unseenFor,
    reason: ({ daysSinceSeen }) => `days without a visit: ${daysSinceSeen}`,
  },
  {
    segment: 'at_risk',
    holds: ({ daysSinceSeen }) => daysSinceSeen >= LIMITS.atRisk.unseenFor,
    reason: ({ daysSinceSeen }) => `days without a visit: ${daysSinceSeen}`,
  },
  {
    segment: 'loyal',
    holds: ({ orderDays90d }) => orderDays90d >= LIMITS.loyal.orderDays,
    reason: ({ orderDays90d }) => `days with orders in the last ${LIMITS.loyal.within}: ${orderDays90d}`,
  },
  {
    segment: 'buyer',
    holds: ({ orders30d }) => orders30d >= LIMITS.buyer.orders,
    reason: ({ orders30d }) => `orders in the last ${LIMITS.buyer.within} days: ${orders30d}`,
  },
  {
    segment: 'engaged',
    holds: ({ activeDays7d }) => activeDays7d >= LIMITS.engaged.activeDays,
    reason: ({ activeDays7d }) => `days with visits in the last ${LIMITS.engaged.within}: ${activeDays7d}`,
  },
  {
    segment: 'new',
    holds: ({ daysKnown }) => daysKnown < LIMITS.new.within,
    reason: ({ daysKnown }) => `days since the first visit: ${daysKnown}`,
  },
  {
    segment: 'active',
    holds: () => true,
    reason: ({ daysSinceSeen }) => `days since the last visit: ${daysSinceSeen}`,
  },
];

/** What there is. */
export const SEGMENTS: readonly string[] = RULES.map(({ segment }) => segment);

/** Who is in it has a row on the day on which that begins, and then none. */
export const DORMANT = 'dormant';

/** The segment of a user, and what put them there. */
export function segmentOf(user: Signals): Pick<GoldUserEngagementSegments, 'segment' | 'reason'> {
  const rule = RULES.find(({ holds }) => holds(user));
  return { segment: rule?.segment ?? '', reason: rule?.reason(user) ?? '' };
}

/** What is remembered of one user: at most 90 days. */
export interface Engagement {
  /** Number of the first day on which they were seen, or were again after they had been forgotten. */
  readonly since: number;
  /** The days on which a session ended, the oldest first. */
  readonly days: readonly ActiveDay[];
  /** The segment of the last day that was judged; null before the first one. */
  readonly segment: string | null;
}

/** `revenue` in cents. */
interface ActiveDay {
  readonly day: number;
  readonly orders: number;
  readonly revenue: bigint;
}

/** What is known after a session that ended on a day, which is not before that of any other. */
export function seen(
  known: Engagement | undefined,
  day: number,
  { orders, revenue }: Pick<SilverSessions, 'orders' | 'revenue'>,
): Engagement {
  if (known === undefined) return { since: day, days: [{ day, orders, revenue }], segment: null };
  const last = known.days.at(-1);
  if (last?.day !== day) return { ...known, days: [...known.days, { day, orders, revenue }] };
  const sum = { day, orders: last.orders + orders, revenue: last.revenue + revenue };
  return { ...known, days: [...known.days.slice(0, -1), sum] };
}

/** What is still remembered when a day is over; undefined: nothing. */
export function remembered(known: Engagement, today: number): Engagement | undefined {
  const days = within(LIMITS.memory, known.days, today);
  if (days.length === 0) return undefined;
  return days.length === known.days.length ? known : { ...known, days };
}

/** What the rules look at when a day is over. */
export function signalsOf({ since, days }: Engagement, today: number): Signals {
  const ordersIn = (span: number): readonly ActiveDay[] => within(span, days, today).filter(({ orders }) => orders > 0);
  const loyal = ordersIn(LIMITS.loyal.within);
  return {
    daysKnown: today - since,
    daysSinceSeen: today - (days.at(-1)?.day ?? since),
    activeDays7d: within(LIMITS.engaged.within, days, today).length,
    orders30d: ordersIn(LIMITS.buyer.within).reduce((sum, { orders }) => sum + orders, 0),
    orderDays90d: loyal.length,
    revenue90d: loyal.reduce((sum, { revenue }) => sum + revenue, 0n),
  };
}

const within = (span: number, days: readonly ActiveDay[], today: number): readonly ActiveDay[] =>
  days.filter(({ day }) => day > today - span);
