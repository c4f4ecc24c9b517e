import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { items } from '../../processors/silver/items.ts';
import { purchasesEnriched } from '../../processors/silver/purchases-enriched.ts';
import { sessions } from '../../processors/silver/sessions.ts';
import { users } from '../../processors/silver/users.ts';
import { at, ShopBench } from './shop-bench.ts';

const MINUTE = 60_000;
const NOON = at('2026-03-01T12:00:00Z');
const LONG_AFTER = NOON + 24 * 60 * MINUTE;
const bench = (): Promise<ShopBench> => ShopBench.of(users, items, purchasesEnriched, sessions);
const minutes = (from: unknown): number => ((from as number) - NOON) / MINUTE;
const nobody = { userId: null };

/** Visitor, when it began and ended (minutes after noon), entry channel, views, what was put into the cart, orders. */
async function sessionsOf(shop: ShopBench): Promise<unknown[][]> {
  return (await shop.rows('silver.sessions')).map((row) => [
    row['visitor'],
    minutes(row['startedAt']),
    minutes(row['endedAt']),
    row['entryChannel'],
    row['views'],
    row['cartAdds'],
    row['orders'],
  ]);
}

describe('silver.sessions', () => {
  test('views, carts and purchases of a user are one session, in whatever order they come', async () => {
    const shop = await bench();
    await shop.buy(NOON + 9 * MINUTE, { quantity: 3 });
    await shop.view(NOON + 5 * MINUTE, { channel: 'radio' });
    await shop.view(NOON, { channel: 'Google Ads', itemId: null });
    await shop.cart(NOON + 6 * MINUTE);
    await shop.cart(NOON + 7 * MINUTE, { action: 'remove' });
    await shop.settle();
    assert.deepEqual(await shop.rows('silver.sessions'), [], 'it is not over yet');
    await shop.settle(LONG_AFTER);
    assert.deepEqual(await shop.rows('silver.sessions'), [
      {
        key: 'user:1|2026-03-01T12:00:00.000Z',
        visitor: 'user:1',
        userId: 1,
        startedAt: NOON,
        endedAt: NOON + 9 * MINUTE,
        entryChannel: 'ads',
        views: 2,
        cartAdds: 1,
        orders: 1,
        revenue: 3_000n,
        converted: true,
      },
    ]);
  });

  test('30 minutes without an event are within a session, a millisecond more ends it; what comes between makes one of two', async () => {
    const shop = await bench();
    await shop.view(NOON, nobody);
    await shop.view(NOON + 30 * MINUTE, nobody);
    await shop.view(NOON + 60 * MINUTE + 1, nobody);
    await shop.view(NOON, { userId: 2 });
    await shop.view(NOON + 50 * MINUTE, { userId: 2 });
    await shop.settle(NOON + 53 * MINUTE);
    await shop.view(NOON + 25 * MINUTE, { userId: 2, eventId: '00000000-0000-4000-9000-000000000000' });
    await shop.view(NOON + 49 * MINUTE, { userId: 2, eventId: '00000000-0000-4000-9000-000000000001' });
    await shop.settle(LONG_AFTER);
    assert.deepEqual(await sessionsOf(shop), [
      ['anonymous:somebody', 0, 30, 'direct', 2, 0, 0],
      ['anonymous:somebody', 60 + 1 / MINUTE, 60 + 1 / MINUTE, 'direct', 1, 0, 0],
      ['user:2', 0, 0, 'direct', 1, 0, 0],
      ['user:2', 49, 50, 'direct', 2, 0, 0],
    ]);
    assert.deepEqual(
      shop.driver.late('silver.sessions').map(({ reason, timestamp }) => [reason, minutes(timestamp)]),
      [['session closed', 25]],
    );
  });

  test('late by more than 5 minutes: into the late topic; at the edge: into the session', async () => {
    const shop = await bench();
    await shop.view(NOON, nobody);
    await shop.settle(NOON + 16 * MINUTE); // ow = 12:15, and 12:00 with 60 s of outOfOrderness is long gone
    await shop.view(NOON + 10 * MINUTE, { ...nobody, channel: 'fb' });
    await shop.view(NOON + 10 * MINUTE - 1, nobody);
    await shop.settle(LONG_AFTER);
    assert.deepEqual(await sessionsOf(shop), [['anonymous:somebody', 0, 10, 'direct', 2, 0, 0]]);
    assert.equal(shop.driver.late('silver.sessions').length, 1);
  });

  test('an event that was sent twice counts once; two people, and one before and after the login, are apart', async () => {
    const shop = await bench();
    const twice = await shop.cart(NOON, { ...nobody, channel: 'newsletter mail' });
    await shop.cart(NOON, twice);
    await shop.cart(NOON + MINUTE);
    await shop.cart(NOON + MINUTE, { ...nobody, anonymousId: 'somebody else' });
    await shop.settle(LONG_AFTER);
    assert.deepEqual(await sessionsOf(shop), [
      ['anonymous:somebody else', 1, 1, 'direct', 0, 1, 0],
      ['anonymous:somebody', 0, 0, 'email', 0, 1, 0],
      ['user:1', 1, 1, 'direct', 0, 1, 0],
    ]);
  });

  test('two events at one instant: the entry is the one with the lesser id; only purchases: no channel is known', async () => {
    const shop = await bench();
    await shop.view(NOON, { ...nobody, channel: 'fb', eventId: '00000000-0000-4000-8000-00000000000b' });
    await shop.view(NOON, { ...nobody, channel: 'radio', eventId: '00000000-0000-4000-8000-00000000000a' });
    await shop.buy(NOON, { userId: 3 });
    await shop.settle(LONG_AFTER);
    assert.deepEqual(await sessionsOf(shop), [
      ['anonymous:somebody', 0, 0, 'other', 2, 0, 0],
      ['user:3', 0, 0, 'unknown', 0, 0, 1],
    ]);
  });
});
