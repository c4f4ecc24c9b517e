/** A tombstone that erases a row of a derived topic: to the stages that read it no record at all, however old it is (docs/ERASURE.md). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BatchBuilder, ERASED_HEADER, type RecordHeader, RecordCursor, TIME_HEADER } from '#topology';
import { copy, counts, Shop, till, web } from './sales-shop.ts';

const SALES = { topic: 'all-sales', partition: 0 };

/** A tombstone for the first row of the topic between the stages, with its key and its time, long past by now. */
async function endFirst(shop: Shop, ...more: readonly RecordHeader[]): Promise<void> {
  const stored = shop.broker.partition(SALES).fetch(SALES, 0n, true, 2 ** 20)?.batches[0];
  assert.ok(stored !== undefined);
  const cursor = new RecordCursor();
  cursor.open(stored);
  assert.ok(cursor.next());
  const time = cursor.header(TIME_HEADER);
  assert.ok(time !== null);
  const batch = new BatchBuilder();
  batch.append(cursor.keyBytes(), null, cursor.timestamp, [[TIME_HEADER, Buffer.from(time)], ...more]);
  const producer = await shop.broker.client().producer();
  await producer.send([{ ...SALES, batch }]);
}

async function running(): Promise<Shop> {
  const shop = new Shop();
  await shop.open();
  await shop.sold(web, 1, 2, 3);
  for (const topic of [web, till]) await shop.complete(topic, 5);
  await shop.start(copy('web-sales', web), copy('till-sales', till), counts);
  assert.deepEqual(await shop.rows(), ['k@1=1', 'k@2=1', 'k@3=1']);
  return shop;
}

describe('a tombstone between stages', () => {
  test('that erases is passed over: nothing is late, nothing is taken back, what comes is counted', async () => {
    const shop = await running();
    await endFirst(shop, [ERASED_HEADER, new Uint8Array()]);
    await shop.sold(web, 7, 8);
    for (const topic of [web, till]) await shop.complete(topic, 10);
    assert.deepEqual(await shop.rows(), ['k@1=1', 'k@2=1', 'k@3=1', 'k@7=1', 'k@8=1']);
    assert.deepEqual(shop.late(), []);
  });

  test('without the header is older than was promised, and stops its reader', async () => {
    const shop = await running();
    await endFirst(shop);
    await assert.rejects(shop.rows(), /SLC_BUG_PROMISE|had promised/);
  });
});
