import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { conversionFunnel } from '../../processors/gold/conversion-funnel.ts';
import { rateOf } from '../../processors/gold/rate.ts';
import { items } from '../../processors/silver/items.ts';
import { purchasesEnriched } from '../../processors/silver/purchases-enriched.ts';
import { sessions } from '../../processors/silver/sessions.ts';
import { users } from '../../processors/silver/users.ts';
import { at, ShopBench } from './shop-bench.ts';

const MINUTE = 60_000;
const bench = (): Promise<ShopBench> => ShopBench.of(users, items, purchasesEnriched, sessions, conversionFunnel);
const LATER = at('2027-01-01T00:00:00Z');

/** Day, channel, sessions, viewed, carted, purchased, orders, rate. */
async function funnelOf(shop: ShopBench): Promise<unknown[][]> {
  return (await shop.rows('gold.conversion_funnel')).map((row) => [
    row['key'],
    row['sessions'],
    row['viewed'],
    row['carted'],
    row['purchased'],
    row['orders'],
    row['conversionRate'],
  ]);
}

describe('gold.conversion_funnel', () => {
  test('each step counts sessions that took the one before', async () => {
    const shop = await bench();
    const noon = at('2026-03-01T12:00:00Z');
    for (const userId of [1, 2, 3]) await shop.view(noon, { userId });
    for (const userId of [2, 3, 4]) await shop.cart(noon + MINUTE, { userId });
    for (const userId of [1, 3, 3, 4]) await shop.buy(noon + 2 * MINUTE, { userId });
    await shop.buy(noon + 2 * MINUTE, { userId: 5 });
    await shop.settle(LATER);
    assert.deepEqual(await funnelOf(shop), [
      ['2026-02-28T23:00:00.000Z|direct', 4, 3, 2, 1, 4, 3_333n],
      ['2026-02-28T23:00:00.000Z|unknown', 1, 0, 0, 0, 1, 0n],
    ]);
  });

  test('a session counts on the day on which it ends, in Berlin: 23 and 25 hours long when the clocks change', async () => {
    const shop = await bench();
    for (const [userId, time] of [
      [1, '2026-03-28T22:59:59.999Z'],
      [2, '2026-03-28T23:00:00Z'],
      [3, '2026-03-29T21:59:59.999Z'],
      [4, '2026-03-29T22:00:00Z'],
      [5, '2026-10-24T21:59:59.999Z'],
      [6, '2026-10-24T22:00:00Z'],
      [7, '2026-10-25T22:59:59.999Z'],
      [8, '2026-10-25T23:00:00Z'],
    ] as const)
      await shop.view(at(time), { userId });
    await shop.view(at('2026-03-28T22:50:00Z'), { userId: 2 });
    await shop.settle(LATER);
    const rows = await shop.rows('gold.conversion_funnel');
    const hours = (row: { [name: string]: unknown }) =>
      ((row['windowEnd'] as number) - (row['windowStart'] as number)) / (60 * MINUTE);
    assert.deepEqual(
      rows.map((row) => [row['key'], row['sessions'], hours(row)]),
      [
        ['2026-03-27T23:00:00.000Z|direct', 1, 24],
        ['2026-03-28T23:00:00.000Z|direct', 2, 23],
        ['2026-03-29T22:00:00.000Z|direct', 1, 24],
        ['2026-10-23T22:00:00.000Z|direct', 1, 24],
        ['2026-10-24T22:00:00.000Z|direct', 2, 25],
        ['2026-10-25T23:00:00.000Z|direct', 1, 24],
      ],
    );
    assert.equal(shop.driver.late('gold.conversion_funnel').length, 0);
  });

  test('a session that is not over does not count yet; the row grows with each that is', async () => {
    const shop = await bench();
    const noon = at('2026-03-01T12:00:00Z');
    await shop.view(noon, { userId: 1 });
    await shop.settle(noon + 30 * MINUTE);
    assert.deepEqual(await funnelOf(shop), []);
    await shop.view(noon + 40 * MINUTE, { userId: 2 });
    await shop.settle(noon + 50 * MINUTE);
    assert.deepEqual(await funnelOf(shop), [['2026-02-28T23:00:00.000Z|direct', 1, 1, 0, 0, 0, 0n]]);
    await shop.settle(noon + 90 * MINUTE);
    assert.deepEqual(await funnelOf(shop), [['2026-02-28T23:00:00.000Z|direct', 2, 2, 0, 0, 0, 0n]]);
  });
});

test('a rate is rounded half up; that of nothing is 0', () => {
  assert.deepEqual(
    [rateOf(1, 3), rateOf(2, 3), rateOf(1, 20_000), rateOf(1, 20_001), rateOf(5, 0), rateOf(3, 2)],
    [3_333n, 6_667n, 1n, 0n, 0n, 15_000n],
  );
});
