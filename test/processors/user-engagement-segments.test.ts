import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BronzeShopCustomerProfilesValue } from '#schemas';
import { userEngagementSegments } from '../../processors/gold/user-engagement-segments.ts';
import { topics } from '../../processors/index.ts';
import { customerProfiles } from '../../processors/silver/customer-profiles.ts';
import { items } from '../../processors/silver/items.ts';
import { purchasesEnriched } from '../../processors/silver/purchases-enriched.ts';
import { sessions } from '../../processors/silver/sessions.ts';
import { users } from '../../processors/silver/users.ts';
import { at, ShopBench } from './shop-bench.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOON = at('2026-03-02T12:00:00Z');
const bench = (): Promise<ShopBench> =>
  ShopBench.of(users, items, purchasesEnriched, customerProfiles, sessions, userEngagementSegments);

type Row = Readonly<Record<string, unknown>>;
const segmentsOf = (shop: ShopBench): Promise<Row[]> => shop.rows('gold.user_engagement_segments');
const iso = (time: unknown): string => new Date(time as number).toISOString().slice(0, 16);
const changesOf = async (shop: ShopBench): Promise<unknown[]> =>
  (await shop.driver.output(topics.gold.segmentChanges)).map(({ key, value }) => {
    const { windowStart, fromSegment, toSegment } = value as Row;
    return `${String(key)} ${iso(windowStart)} ${String(fromSegment)} > ${String(toSegment)}`;
  });

const PROFILE: BronzeShopCustomerProfilesValue = {
  user_id: 1,
  age_band: '25-34',
  marketing_consent: 1,
  preferences: '{"language": "DE"}',
  created_at: NOON,
  updated_at: NOON,
};

describe('gold.user_engagement_segments', () => {
  test('a user has a row when the day is over, and not before; who has no name has none', async () => {
    const shop = await bench();
    await shop.view(NOON);
    await shop.view(NOON, { userId: null });
    await shop.settle(at('2026-03-02T23:00:00Z'));
    assert.deepEqual(await segmentsOf(shop), []);
    await shop.settle(at('2026-03-02T23:40:00Z'));
    assert.deepEqual(await segmentsOf(shop), [
      {
        key: '2026-03-01T23:00:00.000Z|1',
        windowStart: at('2026-03-01T23:00:00Z'),
        windowEnd: at('2026-03-02T23:00:00Z'),
        userId: 1,
        segment: 'new',
        previousSegment: null,
        reason: 'days since the first visit: 0',
        daysSinceSeen: 0,
        activeDays7d: 1,
        orders30d: 0,
        orderDays90d: 0,
        revenue90d: 0n,
        ageBand: 'unknown',
        marketingConsent: null,
        language: null,
      },
    ]);
  });

  test('life of a user: each day has a row until there is nothing to say; each change is an event of the user', async () => {
    const shop = await bench();
    for (const day of [0, 1, 2]) await shop.view(NOON + day * DAY);
    await shop.buy(NOON + 3 * DAY, { quantity: 2 });
    for (const day of [8, 9]) await shop.buy(NOON + day * DAY);
    await shop.settle(NOON + 60 * DAY);
    await shop.view(NOON + 60 * DAY);
    await shop.settle(NOON + 61 * DAY);
    assert.deepEqual(await changesOf(shop), [
      '1 2026-03-01T23:00 null > new',
      '1 2026-03-03T23:00 new > engaged',
      '1 2026-03-04T23:00 engaged > buyer',
      '1 2026-03-10T23:00 buyer > loyal',
      '1 2026-03-24T23:00 loyal > at_risk',
      '1 2026-04-09T22:00 at_risk > dormant',
      '1 2026-04-30T22:00 dormant > loyal',
    ]);
    const rows = await segmentsOf(shop);
    // From day 0 to day 39, which is 30 days after the last order, and on day 60.
    assert.equal(rows.length, 41);
    assert.deepEqual(
      rows.slice(-2).map(({ segment, reason, revenue90d }) => [segment, reason, revenue90d]),
      [
        ['dormant', 'days without a visit: 30', 4_000n],
        ['loyal', 'days with orders in the last 90: 3', 4_000n],
      ],
    );
  });

  test('who was away for 90 days is somebody new', async () => {
    const shop = await bench();
    await shop.view(NOON);
    await shop.view(NOON, { userId: 2 });
    await shop.settle(NOON + 90 * DAY);
    await shop.view(NOON + 90 * DAY);
    await shop.settle(NOON + 91 * DAY);
    await shop.view(NOON + 91 * DAY, { userId: 2 });
    await shop.settle(NOON + 93 * DAY);
    const changes = await changesOf(shop);
    assert.ok(changes.includes('1 2026-05-30T22:00 dormant > active'), String(changes));
    assert.ok(changes.includes('2 2026-05-31T22:00 null > new'), String(changes));
  });

  test('a session belongs to the day on which it ended, a purchase with it; the first instant of a day is none of the day before', async () => {
    const shop = await bench();
    const midnight = at('2026-03-02T23:00:00Z');
    await shop.buy(midnight - MINUTE);
    await shop.view(midnight);
    await shop.view(midnight - 1, { userId: 2 });
    await shop.settle(NOON + 2 * DAY);
    const rows = (await segmentsOf(shop)).map(({ key, segment }) => `${String(key)} ${String(segment)}`);
    assert.deepEqual(rows, [
      '2026-03-01T23:00:00.000Z|2 new',
      '2026-03-02T23:00:00.000Z|1 buyer',
      '2026-03-02T23:00:00.000Z|2 new',
    ]);
  });

  test('days of 23 and 25 hours are days, and so are the last of months and years', async () => {
    const shop = await bench();
    const from = at('2026-03-27T12:00:00Z');
    await shop.view(from);
    await shop.settle(from + 5 * DAY);
    const october = at('2026-10-24T12:00:00Z');
    await shop.view(october, { userId: 2 });
    await shop.settle(october + 3 * DAY);
    const newYear = at('2026-12-31T22:30:00Z');
    await shop.view(newYear, { userId: 3 });
    await shop.settle(newYear + 2 * DAY);
    const days = async (userId: number): Promise<unknown[]> =>
      (await segmentsOf(shop))
        .filter((row) => row['userId'] === userId)
        .map((row) => [iso(row['windowStart']), row['daysSinceSeen']]);
    assert.deepEqual((await days(1)).slice(0, 5), [
      ['2026-03-26T23:00', 0],
      ['2026-03-27T23:00', 1],
      ['2026-03-28T23:00', 2],
      ['2026-03-29T22:00', 3],
      ['2026-03-30T22:00', 4],
    ]);
    assert.deepEqual((await days(2)).slice(0, 3), [
      ['2026-10-23T22:00', 0],
      ['2026-10-24T22:00', 1],
      ['2026-10-25T23:00', 2],
    ]);
    assert.deepEqual((await days(3)).slice(0, 2), [
      ['2026-12-30T23:00', 0],
      ['2026-12-31T23:00', 1],
    ]);
  });

  test('what comes out of order counts on its day; what is too late for its session changes nothing', async () => {
    const shop = await bench();
    const told = NOON + 10 * MINUTE;
    await shop.view(NOON + 2 * MINUTE);
    await shop.view(NOON);
    await shop.settle(told);
    await shop.buy(told - HOUR, { userId: 2 });
    await shop.view(told - DAY, { userId: 3 });
    await shop.settle(NOON + DAY);
    assert.deepEqual(
      (await segmentsOf(shop)).map(({ userId }) => userId),
      [1],
    );
    assert.deepEqual(shop.driver.late('gold.user_engagement_segments'), []);
  });

  test('a day waits for the profile of its last instant; after a delete there is none', async () => {
    const shop = await bench();
    const others = Object.values(topics.bronze.app).map(({ name }) => name);
    const tables = Object.values(topics.bronze.shop).map(({ name }) => name);
    const all = [...others, ...tables];
    const midnight = at('2026-03-02T23:00:00Z');
    await shop.view(NOON);
    await shop.settle(midnight + HOUR, all.filter((name) => name !== 'bronze.shop.customer_profiles')); // prettier-ignore
    assert.deepEqual(await segmentsOf(shop), []);
    await shop.profile('c', NOON, null, PROFILE);
    await shop.profile('u', midnight - 1, PROFILE, { ...PROFILE, marketing_consent: 0 });
    await shop.profile('u', midnight, PROFILE, { ...PROFILE, age_band: '65+', preferences: null });
    await shop.profile('d', midnight + DAY - 1, PROFILE, null);
    await shop.profileTombstone(midnight + DAY - 1, 1);
    await shop.settle(midnight + 3 * DAY);
    const [first, second] = (await segmentsOf(shop)).map(({ ageBand, marketingConsent, language }) => [
      ageBand,
      marketingConsent,
      language,
    ]);
    assert.deepEqual(first, ['25-34', false, 'de']);
    assert.deepEqual(second, ['unknown', null, null]);
  });

  test('a profile that comes later than it may is late', async () => {
    const shop = await bench();
    await shop.view(NOON);
    await shop.settle(NOON + DAY);
    await shop.profile('c', NOON, null, PROFILE);
    await shop.settle(NOON + 2 * DAY);
    assert.equal((await segmentsOf(shop))[0]?.['ageBand'], 'unknown');
    assert.equal(shop.driver.late('gold.user_engagement_segments').length, 1);
  });
});
