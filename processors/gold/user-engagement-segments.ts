import { filter } from 'rxjs';
import {
  asOfJoin,
  atLeast,
  between,
  checked,
  contract,
  keyBy,
  keyValueStore,
  mapValues,
  matches,
  oneOf,
  process,
  rule,
  sorted,
  stage,
} from '#topology';
import type { GoldSegmentChanges, GoldUserEngagementSegments, SilverCustomerProfiles, SilverSessions } from '#schemas';
import { AGE_BANDS } from '../silver/age-band.ts';
import { FORM } from '../silver/clean.ts';
import { topics } from '../topics.ts';
import { isDay } from './is-day.ts';
import { DORMANT, type Engagement, remembered, seen, segmentOf, SEGMENTS, signalsOf } from './segment-rules.ts';
import { shopDayOf } from './shop-day.ts';
import { windowName } from './window-name.ts';

/** What gold.user_engagement_segments promises. */
export const userEngagementSegmentsContract = contract(topics.gold.userEngagementSegments, {
  grain:
    "one row per calendar day in the shop's time zone and user, from the first day with a session to that on which the user is dormant, and again when they come back; final",
  key: 'windowStart|userId',
  freshness: '45m',
  since: 'window end',
  checks: [
    isDay(),
    atLeast('userId', 1),
    oneOf('segment', SEGMENTS),
    oneOf('previousSegment', SEGMENTS),
    rule('there is a reason', (row) => row.reason !== ''),
    between('daysSinceSeen', 0, 30),
    between('activeDays7d', 0, 7),
    atLeast('orders30d', 0),
    between('orderDays90d', 0, 90),
    rule('there is no revenue without orders', (row) => row.revenue90d >= 0n && (row.orderDays90d > 0 || row.revenue90d === 0n)), // prettier-ignore
    oneOf('ageBand', AGE_BANDS),
    matches('language', FORM.language, 'a language code'),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 16, 22),
    windowEnd: Date.UTC(2026, 4, 17, 22),
    userId: 7,
    segment: 'buyer',
    previousSegment: 'engaged',
    reason: 'orders in the last 30 days: 2',
    daysSinceSeen: 0,
    activeDays7d: 4,
    orders30d: 2,
    orderDays90d: 1,
    revenue90d: 9_980n,
    ageBand: '65+',
    marketingConsent: true,
    language: 'en',
  },
});

/** What gold.segment_changes promises. */
export const segmentChangesContract = contract(topics.gold.segmentChanges, {
  grain: "one row per user and calendar day in the shop's time zone at whose end the user is in another segment; final",
  key: 'userId',
  freshness: '45m',
  since: 'window end',
  checks: [
    isDay(),
    atLeast('userId', 1),
    oneOf('fromSegment', SEGMENTS),
    oneOf('toSegment', SEGMENTS),
    rule('it is another segment', (row) => row.fromSegment !== row.toSegment),
    rule('there is a reason', (row) => row.reason !== ''),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 16, 22),
    windowEnd: Date.UTC(2026, 4, 17, 22),
    userId: 7,
    fromSegment: 'engaged',
    toSegment: 'buyer',
    reason: 'orders in the last 30 days: 2',
  },
});

type Profile = Pick<GoldUserEngagementSegments, 'ageBand' | 'marketingConsent' | 'language'>;
type Judged = Omit<GoldUserEngagementSegments, keyof Profile>;

const NO_PROFILE: Profile = { ageBand: 'unknown', marketingConsent: null, language: null };
const stores = { engagements: keyValueStore<string, Engagement>('segments-engagements') };

/**
 * Judges every user of whom something is known when a day is over. A row depends on 97 days: whether the shop has known a user for a week, and nothing of
 * them in the 90 days before.
 */
const judged = process<string, SilverSessions, string, Judged, typeof stores>(
  // Each day in the shop's time zone begins at a full hour of UTC.
  { name: 'segments-clock', stores, eventTimeEvery: '1h', remembers: '98d', keepsKeys: true },
  (context) => ({
    process({ key, value: session, timestamp }) {
      const { engagements } = context.stores;
      engagements.put(key, seen(engagements.get(key), shopDayOf(timestamp).number, session));
    },
    onEventTime(time) {
      const day = shopDayOf(time - 1);
      if (day.end !== time) return;
      const { engagements } = context.stores;
      // By user: the order of a store is that in which it was filled, which a restart changes.
      for (const [key, before] of [...engagements.entries()].sort(([a], [b]) => Number(a) - Number(b))) {
        const known = remembered(before, day.number);
        if (known === undefined) {
          engagements.delete(key);
          continue;
        }
        const { daysKnown, ...signals } = signalsOf(known, day.number);
        const { segment, reason } = segmentOf({ daysKnown, ...signals });
        if (known !== before || segment !== known.segment) engagements.put(key, { ...known, segment });
        if (segment === DORMANT && known.segment === DORMANT) continue;
        const window = { windowStart: day.start, windowEnd: day.end };
        const about = { userId: Number(key), segment, previousSegment: known.segment, reason };
        context.forward({ key, value: { ...window, ...about, ...signals }, timestamp: day.end - 1 });
      }
    },
  }),
);

/**
 * gold.user_engagement_segments: the segment of each user when a calendar day is over, by the rules of segment-rules.ts, with the profile as of then. Key:
 * windowStart|userId. Each change of a segment is an event besides: gold.segment_changes, by user, so that those of one user stay in their order.
 *
 * All of it comes from silver.sessions: every purchase is in exactly one session, with its revenue. gold.customer_behaviour has the same sums, but as
 * updates: what it said when a day was over depends on when it was committed, while sessions are final.
 */
export const userEngagementSegments = stage('gold.user_engagement_segments', (s) => {
  const profiles = s.table(topics.silver.customerProfiles, { store: 'segments-profiles' });
  const days = s.stream(topics.silver.sessions).pipe(
    filter((r) => r.value.userId !== null),
    keyBy((r) => String(r.value.userId), { name: 'segments-sessions-by-user' }),
    // A session comes with its end as its watermark: none is late.
    sorted({ store: 'segments-sessions-in-order', grace: '0s' }),
    judged,
    asOfJoin(profiles, withProfile, {
      store: 'segments-awaiting-profiles',
      grace: '1m',
      tableGrace: '1m',
      join: 'left',
    }),
  );
  days
    .pipe(
      keyBy((r) => windowName(r.value.windowStart, String(r.value.userId))),
      checked(userEngagementSegmentsContract),
    )
    .to(topics.gold.userEngagementSegments);
  days
    .pipe(
      filter((r) => r.value.segment !== r.value.previousSegment),
      mapValues(changeOf),
      checked(segmentChangesContract),
    )
    .to(topics.gold.segmentChanges);
});

function withProfile(row: Judged, profile: SilverCustomerProfiles | null): GoldUserEngagementSegments {
  const { ageBand, marketingConsent, language } = profile ?? NO_PROFILE;
  return { ...row, ageBand, marketingConsent, language };
}

function changeOf(row: GoldUserEngagementSegments): GoldSegmentChanges {
  const { windowStart, windowEnd, userId, previousSegment, segment, reason } = row;
  return { windowStart, windowEnd, userId, fromSegment: previousSegment, toSegment: segment, reason };
}
