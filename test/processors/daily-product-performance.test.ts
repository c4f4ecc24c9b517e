import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dailyProductPerformance } from '../../processors/gold/daily-product-performance.ts';
import { items } from '../../processors/silver/items.ts';
import { pageviewsByItems } from '../../processors/silver/pageviews-by-items.ts';
import { purchasesEnriched } from '../../processors/silver/purchases-enriched.ts';
import { users } from '../../processors/silver/users.ts';
import { at, ShopBench } from './shop-bench.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOON = at('2026-03-01T12:00:00Z');
const bench = (): Promise<ShopBench> =>
  ShopBench.of(users, items, purchasesEnriched, pageviewsByItems, dailyProductPerformance);

/** Day, hours of it, item, views, additions to carts, orders, units, revenue. */
async function rowsOf(shop: ShopBench): Promise<unknown[][]> {
  return (await shop.rows('gold.daily_product_performance')).map((row) => [
    row['key'],
    ((row['windowEnd'] as number) - (row['windowStart'] as number)) / HOUR,
    row['views'],
    row['cartAdds'],
    row['orders'],
    row['units'],
    row['revenue'],
  ]);
}

describe('gold.daily_product_performance', () => {
  test('views, additions to carts and purchases of a day in one row; the day need not be over', async () => {
    const shop = await bench();
    await shop.buy(NOON, { quantity: 3 });
    await shop.buy(NOON, { itemId: 2 });
    const view = await shop.view(NOON + MINUTE);
    await shop.view(NOON + MINUTE, view);
    await shop.view(NOON, { itemId: null });
    await shop.view(NOON - MINUTE, { userId: null });
    const cart = await shop.cart(NOON);
    await shop.cart(NOON, cart);
    await shop.cart(NOON, { action: ' ADD ' });
    await shop.cart(NOON, { action: 'remove' });
    await shop.settle(NOON + HOUR);
    assert.deepEqual(await rowsOf(shop), [
      ['2026-02-28T23:00:00.000Z|1', 24, 2, 2, 1, 3, 3_000n],
      ['2026-02-28T23:00:00.000Z|2', 24, 0, 0, 1, 1, 1_000n],
    ]);
  });

  test('days are those of Berlin: 23 and 25 hours long when the clocks change', async () => {
    const shop = await bench();
    for (const time of [
      '2026-03-28T22:59:59.999Z',
      '2026-03-28T23:00:00Z',
      '2026-03-29T01:00:00Z',
      '2026-03-29T21:59:59.999Z',
      '2026-03-29T22:00:00Z',
      '2026-10-24T21:59:59.999Z',
      '2026-10-24T22:00:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T22:59:59.999Z',
      '2026-10-25T23:00:00Z',
    ])
      await shop.cart(at(time));
    await shop.settle(at('2026-12-01T00:00:00Z'));
    assert.deepEqual(
      (await rowsOf(shop)).map(([key, hours, , cartAdds]) => [key, hours, cartAdds]),
      [
        ['2026-03-27T23:00:00.000Z|1', 24, 1],
        ['2026-03-28T23:00:00.000Z|1', 23, 3],
        ['2026-03-29T22:00:00.000Z|1', 24, 1],
        ['2026-10-23T22:00:00.000Z|1', 24, 1],
        ['2026-10-24T22:00:00.000Z|1', 25, 4],
        ['2026-10-25T23:00:00.000Z|1', 24, 1],
      ],
    );
  });

  test('a day takes what comes within its grace; what is later goes to the late topic and is in no row', async () => {
    const shop = await bench();
    const midnight = at('2026-03-01T23:00:00Z');
    await shop.cart(midnight - HOUR);
    await shop.settle(midnight + 6 * MINUTE - 1_000); // ow = the end of the day, its grace less a second
    await shop.cart(midnight - 1);
    await shop.settle(midnight + 6 * MINUTE); // ow = the end of the day and its grace
    await shop.cart(midnight - 1);
    await shop.settle(midnight + HOUR);
    assert.deepEqual(await rowsOf(shop), [['2026-02-28T23:00:00.000Z|1', 24, 0, 2, 0, 0, 0n]]);
    assert.deepEqual(
      shop.driver.late('gold.daily_product_performance').map(({ windowEnd, latenessMs }) => [windowEnd, latenessMs]),
      [[midnight, 1]],
    );
  });
});
