import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { topics } from '../../processors/index.ts';
import { topConvertingItems } from '../../processors/gold/top-converting-items.ts';
import { items } from '../../processors/silver/items.ts';
import { pageviewsByItems } from '../../processors/silver/pageviews-by-items.ts';
import { purchasesEnriched } from '../../processors/silver/purchases-enriched.ts';
import { users } from '../../processors/silver/users.ts';
import { at, ShopBench } from './shop-bench.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOON = at('2026-03-01T12:00:00Z');
const bench = (): Promise<ShopBench> =>
  ShopBench.of(users, items, purchasesEnriched, pageviewsByItems, topConvertingItems);
const HOURS_24 = Array.from({ length: 24 }, (_, i) => i);

async function views(shop: ShopBench, itemId: number, times: readonly number[]): Promise<void> {
  for (const time of times) await shop.view(time, { itemId });
}

/** Rows of the window that ends at `end`: rank, item, views, orders, rate. */
async function rankedAt(shop: ShopBench, end: number): Promise<unknown[][]> {
  const rows = (await shop.rows('gold.top_converting_items')).filter((row) => row['windowEnd'] === end);
  return rows
    .map((row) => [row['rank'], row['itemId'], row['views'], row['orders'], row['conversionRate']])
    .sort(([a], [b]) => Number(a) - Number(b));
}

describe('gold.top_converting_items', () => {
  test('by orders per view, ties by item; items with few views or no order have no rank', async () => {
    const shop = await bench();
    const five = Array.from({ length: 5 }, (_, i) => NOON + i * MINUTE);
    for (const itemId of [4, 3, 2, 1]) await views(shop, itemId, five);
    await views(shop, 2, five);
    await views(shop, 5, five.slice(1));
    for (const itemId of [2, 3, 4, 5]) await shop.buy(NOON, { itemId });
    for (let i = 0; i < 6; i++) await shop.buy(NOON, { itemId: 9 });
    await shop.settle(NOON + 2 * HOUR);
    assert.deepEqual(await rankedAt(shop, NOON + HOUR), [
      [1, 3, 5, 1, 2_000n],
      [2, 4, 5, 1, 2_000n],
      [3, 2, 10, 1, 1_000n],
    ]);
  });

  test('ten at most; an event is in the 24 windows that hold its hour, each of which comes once, when it is over', async () => {
    const shop = await bench();
    for (let itemId = 1; itemId <= 12; itemId++) {
      await views(
        shop,
        itemId,
        [0, 1, 2, 3, 4].map((i) => NOON + i),
      );
      await shop.buy(NOON, { itemId });
    }
    await shop.settle(NOON + HOUR + 5 * MINUTE); // with 60 s of outOfOrderness the hour is not over yet
    assert.deepEqual(await shop.rows('gold.top_converting_items'), []);
    await shop.settle(NOON + 30 * HOUR);
    const rows = await shop.driver.output(topics.gold.topConvertingItems);
    assert.deepEqual(
      [...new Set(rows.map(({ value }) => (value as { windowEnd: number }).windowEnd))].sort((a, b) => a - b),
      HOURS_24.map((hour) => NOON + (hour + 1) * HOUR),
    );
    assert.equal(rows.length, 240);
    assert.ok(rows.every(({ timestamp, value }) => timestamp === (value as { windowEnd: number }).windowEnd - 1));
  });

  test('more orders than views are a rate above 1; what is older than 24 hours no longer counts', async () => {
    const shop = await bench();
    await views(
      shop,
      1,
      HOURS_24.slice(0, 5).map((hour) => NOON - hour * HOUR),
    );
    for (let i = 0; i < 7; i++) await shop.buy(NOON - 10 * HOUR, { itemId: 1 });
    await shop.settle(NOON + 24 * HOUR);
    const [row] = (await shop.rows('gold.top_converting_items')).filter((each) => each['windowEnd'] === NOON + HOUR);
    assert.deepEqual([row?.['conversionRate'], row?.['title'], row?.['category']], [14_000n, null, 'unknown']);
    assert.deepEqual(await rankedAt(shop, NOON), [], 'four views are too few');
    assert.deepEqual(await rankedAt(shop, NOON + 20 * HOUR), [], 'the orders are more than 24 hours old');
  });
});
