import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { topics } from '../../processors/index.ts';
import { orderTrends } from '../../processors/gold/order-trends.ts';
import { changeOf } from '../../processors/gold/rate.ts';
import { items } from '../../processors/silver/items.ts';
import { purchasesEnriched } from '../../processors/silver/purchases-enriched.ts';
import { users } from '../../processors/silver/users.ts';
import { at, ShopBench } from './shop-bench.ts';

const HOUR = 3_600_000;
const LATER = at('2027-01-01T00:00:00Z');
const bench = (): Promise<ShopBench> => ShopBench.of(users, items, purchasesEnriched, orderTrends);

/** Rows of a period: begin, hours, orders, those before, change. */
async function trends(shop: ShopBench, period: string): Promise<unknown[][]> {
  return (await shop.rows('gold.order_trends'))
    .filter((row) => row['period'] === period)
    .map((row) => [
      new Date(row['windowStart'] as number).toISOString(),
      ((row['windowEnd'] as number) - (row['windowStart'] as number)) / HOUR,
      row['orders'],
      row['previousOrders'],
      row['revenueChange'],
    ]);
}

describe('gold.order_trends', () => {
  test('a day beside the day before, a week beside the week before; a day without orders is no row, and no past', async () => {
    const shop = await bench();
    for (const [time, quantity] of [
      ['2026-03-04T10:00:00Z', 3], // Wednesday
      ['2026-03-05T10:00:00Z', 1],
      ['2026-03-05T11:00:00Z', 1],
      ['2026-03-07T10:00:00Z', 1], // Saturday
      ['2026-03-09T10:00:00Z', 7], // Monday
    ] as const)
      await shop.buy(at(time), { quantity });
    await shop.settle(LATER);
    assert.deepEqual(await trends(shop, 'day'), [
      ['2026-03-03T23:00:00.000Z', 24, 1, 0, null],
      ['2026-03-04T23:00:00.000Z', 24, 2, 1, -3_333n],
      ['2026-03-06T23:00:00.000Z', 24, 1, 0, null],
      ['2026-03-08T23:00:00.000Z', 24, 1, 0, null],
    ]);
    assert.deepEqual(await trends(shop, 'week'), [
      ['2026-03-01T23:00:00.000Z', 168, 4, 0, null],
      ['2026-03-08T23:00:00.000Z', 168, 1, 4, 1_667n],
    ]);
  });

  test('where the clocks change a day and its week are an hour shorter or longer, and still follow one another', async () => {
    const shop = await bench();
    for (const time of [
      '2026-03-28T22:59:59.999Z',
      '2026-03-29T00:59:59Z',
      '2026-03-29T21:59:59.999Z',
      '2026-03-29T22:00:00Z',
      '2026-10-25T00:30:00Z',
      '2026-10-25T22:59:59.999Z',
      '2026-10-25T23:00:00Z',
    ])
      await shop.buy(at(time));
    await shop.settle(LATER);
    assert.deepEqual(await trends(shop, 'day'), [
      ['2026-03-27T23:00:00.000Z', 24, 1, 0, null],
      ['2026-03-28T23:00:00.000Z', 23, 2, 1, 10_000n],
      ['2026-03-29T22:00:00.000Z', 24, 1, 2, -5_000n],
      ['2026-10-24T22:00:00.000Z', 25, 2, 0, null],
      ['2026-10-25T23:00:00.000Z', 24, 1, 2, -5_000n],
    ]);
    assert.deepEqual(await trends(shop, 'week'), [
      ['2026-03-22T23:00:00.000Z', 167, 3, 0, null],
      ['2026-03-29T22:00:00.000Z', 168, 1, 3, -6_667n],
      ['2026-10-18T22:00:00.000Z', 169, 2, 0, null],
      ['2026-10-25T23:00:00.000Z', 168, 1, 2, -5_000n],
    ]);
  });

  test('categories apart; a purchase that is told after later ones counts in its day, and as the past of the one after it', async () => {
    const shop = await bench();
    const since = at('2026-03-01T00:00:00Z');
    await shop.item(since, 1, 'Books');
    await shop.item(since, 2, 'TOYS');
    await shop.buy(at('2026-03-05T10:00:00Z'));
    await shop.buy(at('2026-03-05T10:00:00Z'), { itemId: 2 });
    await shop.snapshotOfPurchase(at('2026-03-04T10:00:00Z'), 13);
    await shop.settle(LATER);
    const rows = (await shop.rows('gold.order_trends')).filter((row) => row['period'] === 'day');
    assert.deepEqual(
      rows.map((row) => [row['key'], row['orders'], row['previousOrders']]),
      [
        ['2026-03-03T23:00:00.000Z|day|books', 1, 0],
        ['2026-03-04T23:00:00.000Z|day|books', 1, 1],
        ['2026-03-04T23:00:00.000Z|day|toys', 1, 0],
      ],
    );
    const written = await shop.driver.output(topics.gold.orderTrends);
    assert.ok(written.every(({ value }) => value !== null));
  });
});

test('a change is rounded half up; there is none of nothing', () => {
  assert.deepEqual(
    [changeOf(2n, 3n), changeOf(1n, 3n), changeOf(19_999n, 20_000n), changeOf(0n, 7n), changeOf(7n, 0n)],
    [-3_333n, -6_667n, 0n, -10_000n, null],
  );
});
