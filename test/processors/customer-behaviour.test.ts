import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { customerBehaviour } from '../../processors/gold/customer-behaviour.ts';
import { items } from '../../processors/silver/items.ts';
import { purchasesEnriched } from '../../processors/silver/purchases-enriched.ts';
import { sessions } from '../../processors/silver/sessions.ts';
import { users } from '../../processors/silver/users.ts';
import { at, ShopBench } from './shop-bench.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOON = at('2026-03-01T12:00:00Z');
const bench = (): Promise<ShopBench> => ShopBench.of(users, items, purchasesEnriched, sessions, customerBehaviour);

const USER = {
  key: '1',
  userId: 1,
  lastOrderAt: null,
  orders: 0,
  revenue: 0n,
  averageOrderValue: 0n,
  sessions: 0,
  lastSeenAt: 0,
};

describe('gold.customer_behaviour', () => {
  test('a purchase counts at once, a session when it is over; who has no name has no row', async () => {
    const shop = await bench();
    await shop.view(NOON);
    await shop.view(NOON, { userId: null });
    await shop.buy(NOON, { quantity: 2 });
    await shop.buy(NOON + 5 * MINUTE);
    await shop.view(NOON + 10 * MINUTE);
    await shop.settle(NOON + 20 * MINUTE);
    const bought = { ...USER, lastOrderAt: NOON + 5 * MINUTE, orders: 2, revenue: 3_000n, averageOrderValue: 1_500n };
    assert.deepEqual(await shop.rows('gold.customer_behaviour'), [{ ...bought, lastSeenAt: NOON + 5 * MINUTE }]);
    await shop.settle(NOON + HOUR);
    assert.deepEqual(await shop.rows('gold.customer_behaviour'), [
      { ...bought, sessions: 1, lastSeenAt: NOON + 10 * MINUTE },
    ]);
  });

  test('who only looks has no last order; each session counts', async () => {
    const shop = await bench();
    for (const time of [NOON, NOON + HOUR, NOON + 2 * HOUR]) await shop.view(time, { userId: 7 });
    await shop.settle(NOON + 24 * HOUR);
    assert.deepEqual(await shop.rows('gold.customer_behaviour'), [
      { ...USER, key: '7', userId: 7, sessions: 3, lastSeenAt: NOON + 2 * HOUR },
    ]);
  });

  test('an older purchase that comes later adds to the sums and changes no latest time; averages are rounded half up', async () => {
    const shop = await bench();
    await shop.settle(NOON, ['bronze.shop.items', 'bronze.shop.users']);
    await shop.buy(NOON - HOUR);
    await shop.settle();
    await shop.snapshotOfPurchase(NOON - 48 * HOUR, 13);
    await shop.snapshotOfPurchase(NOON - 72 * HOUR, 14);
    await shop.settle(NOON + 24 * HOUR);
    const [row] = await shop.rows('gold.customer_behaviour');
    assert.deepEqual([row?.['orders'], row?.['lastOrderAt'], row?.['lastSeenAt']], [3, NOON - HOUR, NOON - HOUR]);
    assert.deepEqual([row?.['sessions'], row?.['averageOrderValue']], [3, 1_000n]);
  });
});
