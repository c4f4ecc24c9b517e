/** The stream-table join as of event time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { asOfJoin, type Stage, stage } from '#topology';
import type { TopologyTestDriver } from '#topology/testing';
import { driverOf, HOUR, origin, out, rows, SECOND } from './support.ts';

describe('as-of join', () => {
  const prices = origin<{ price: number } | null>('prices');
  const orders = origin<{ units: number }>('orders');
  const priced = (join: 'inner' | 'left'): Stage =>
    stage('priced', (s) => {
      const table = s.table(prices, { store: 'prices' });
      const options = { store: 'orders', grace: '0s', tableGrace: '0s' } as const;
      const stream = s.stream(orders);
      const joined =
        join === 'left'
          ? stream.pipe(asOfJoin(table, ({ units }, row) => [units, row?.price ?? null], { ...options, join }))
          : stream.pipe(asOfJoin(table, ({ units }, row) => [units, row?.price ?? null], { ...options, join }));
      joined.to(out);
    });
  const price = (driver: TopologyTestDriver, at: number, value: number | null): Promise<bigint> =>
    driver.pipeInput(prices, { key: 'x', value: value === null ? null : { price: value }, timestamp: at * SECOND });
  const order = (driver: TopologyTestDriver, at: number): Promise<bigint> =>
    driver.pipeInput(orders, { key: 'x', value: { units: at }, timestamp: at * SECOND });

  test('waits for the table, reads it as of the record, null after a tombstone', async () => {
    for (const join of ['left', 'inner'] as const) {
      const driver = await driverOf(priced(join));
      for (const at of [25, 21, 20, 15, 29]) await order(driver, at);
      driver.completeUpTo(orders, HOUR);
      await driver.run();
      assert.deepEqual(await rows(driver), []);
      await price(driver, 28, 3);
      await price(driver, 20, 1);
      await price(driver, 21, null);
      driver.completeUpTo(prices, 31 * SECOND);
      await driver.run();
      const left = join === 'left';
      const early = left ? ['x [15,null]', 'x [20,1]'] : ['x [20,1]'];
      assert.deepEqual(await rows(driver), early); // complete up to 21 s: what happened at 21 s may still come
      driver.completeUpTo(prices, 36 * SECOND);
      await driver.run();
      const first = [...early, ...(left ? ['x [21,null]', 'x [25,null]'] : [])];
      assert.deepEqual(await rows(driver), first);
      driver.completeUpTo(prices, 40 * SECOND);
      await driver.run();
      assert.deepEqual(await rows(driver), [...first, 'x [29,3]']);
      const [joined] = (await driver.output(out)).filter(({ value }) => (value as number[])[0] === 29);
      assert.equal(joined?.timestamp, 29 * SECOND);
    }
  });

  test('what comes after the table or the stream was complete is late, and changes no row', async () => {
    const driver = await driverOf(priced('left'));
    await price(driver, 1, 1);
    await price(driver, 100, 2);
    await price(driver, 80, 7); // ow 90
    await order(driver, 95);
    await order(driver, 200); // ow 190
    await order(driver, 189);
    driver.completeUpTo(orders, HOUR);
    driver.completeUpTo(prices, HOUR);
    await driver.run();
    assert.deepEqual(await rows(driver), ['x [200,2]', 'x [95,1]']);
    assert.deepEqual(
      driver
        .late('priced')
        .map(({ reason, latenessMs }) => `${reason}: ${latenessMs}`)
        .sort(),
      ['record after the stream was complete: 1000', 'table row after the table was complete: 10000'],
    );
  });
});
