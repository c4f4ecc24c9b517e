/** One purchase by two ways: whichever comes first, it counts once. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BronzeAppPurchaseEvents, SilverPurchasesEnriched } from '#schemas';
import { TopologyTestDriver } from '#topology/testing';
import { testSerdes } from '../../connectors/avro/testing.ts';
import { topics } from '../../processors/index.ts';
import { items } from '../../processors/silver/items.ts';
import { purchasesEnriched } from '../../processors/silver/purchases-enriched.ts';
import { users } from '../../processors/silver/users.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 5, 1);
const { bronze, silver } = topics;

type Driver = TopologyTestDriver;
type Step = (driver: Driver) => Promise<void>;

let made = 0;
/** The app says so. */
const event =
  (at: number, properties: Partial<BronzeAppPurchaseEvents> = {}): Step =>
  async (driver) => {
    const eventId = `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`;
    const value: BronzeAppPurchaseEvents = {
      eventId,
      userId: 3,
      anonymousId: 'anon',
      sessionId: null,
      occurredAt: START + at,
      receivedAt: START + at,
      purchaseId: 1,
      itemId: 2,
      quantity: 2,
      unitPriceCents: 150,
      ...properties,
    };
    await driver.pipeInput(bronze.app.purchaseEvents, { key: eventId, value, timestamp: START + at });
  };
/** The database says so. */
const row =
  (at: number, op = 'c', id = 1): Step =>
  async (driver) => {
    const source = { ts_ms: START, snapshot: null, db: 'shop', table: null, gtid: null, file: 'b.1', pos: 4, row: 0 };
    const time = START + at;
    const columns = { id, user_id: 3, item_id: 2, quantity: 2, unit_price: 150n, created_at: time, updated_at: time };
    const [before, after] = op === 'd' ? [columns, null] : [null, columns];
    const value = { before, after, source, op, ts_ms: time };
    await driver.pipeInput(bronze.shop.purchases, { key: { id }, value, timestamp: time });
    if (op === 'd') await driver.pipeInput(bronze.shop.purchases, { key: { id }, value: null, timestamp: time });
  };

/** Purchases as [id, seconds after the start, revenue], after all steps, in their order, each processed before the next comes. */
async function after(...steps: readonly Step[]): Promise<{ sales: unknown[]; driver: Driver }> {
  const stages = [users, items, purchasesEnriched];
  const driver = await TopologyTestDriver.create({ stages, serdes: testSerdes(), app: 'shop' });
  const all = [bronze.shop.purchases, bronze.app.purchaseEvents, bronze.shop.items, bronze.shop.users];
  for (const step of steps) {
    await step(driver);
    await driver.run();
  }
  for (const topic of all) driver.completeUpTo(topic as typeof bronze.shop.items, START + 5 * HOUR);
  await driver.run();
  const sales = (await driver.output(silver.purchasesEnriched)).map(({ key, value, timestamp }) => {
    const { purchaseId, purchasedAt, revenue, quantity } = value as SilverPurchasesEnriched;
    assert.deepEqual([key, purchasedAt], [String(purchaseId), timestamp]);
    return [purchaseId, (timestamp - START) / SECOND, revenue, quantity];
  });
  return { sales, driver };
}

describe('silver.purchases_enriched', () => {
  test('has a purchase once, the earlier of both ways in, in whichever order they come', async () => {
    const once = [[1, 10, 300n, 2]];
    assert.deepEqual((await after(event(10_000), row(40_000))).sales, once);
    assert.deepEqual((await after(row(40_000), event(10_000))).sales, once);
    assert.deepEqual((await after(row(10_000), event(40_000))).sales, once);
    assert.deepEqual((await after(event(40_000), row(10_000))).sales, once);
    assert.deepEqual((await after(event(10_000), event(10_000), row(10_000), event(HOUR + 10_000))).sales, once);
  });

  test('has a purchase that only one of both knows', async () => {
    const { sales } = await after(event(10_000, { purchaseId: 7 }), row(20_000, 'r', 8));
    assert.deepEqual(sales, [
      [7, 10, 300n, 2],
      [8, 20, 300n, 2],
    ]);
  });

  test('takes no notice of changes and deletes of the row', async () => {
    assert.deepEqual((await after(row(0), row(10_000, 'u'), row(20_000, 'd'))).sales, [[1, 0, 300n, 2]]);
    assert.deepEqual((await after(row(10_000, 'u'), row(20_000, 'd'))).sales, []);
  });

  test('sends nonsense to the dead letters, and what comes too late to the late topic', async () => {
    const { sales, driver } = await after(
      event(0, { quantity: 0 }),
      event(0, { unitPriceCents: -1 }),
      row(HOUR, 'c', 5),
      row(HOUR - 70_000, 'c', 5),
      row(HOUR - 71_000, 'c', 5),
    );
    assert.deepEqual(sales, [[5, 3_530, 300n, 2]]);
    assert.equal(driver.deadLetters('silver.purchases_enriched').length, 2);
    assert.equal(driver.late('silver.purchases_enriched').length, 1);
  });
});
