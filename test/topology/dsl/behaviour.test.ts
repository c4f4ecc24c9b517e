/** What stages do, seen through the TopologyTestDriver: the rules of docs/SEMANTICS.md one by one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatMap, filter, map } from 'rxjs';
import {
  aggregate,
  calendarDay,
  count,
  hopping,
  keyBy,
  mapValues,
  type Stage,
  stage,
  type StreamRecord,
  sum,
  tumbling,
  windowedBy,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import {
  derived,
  driverOf,
  HOUR,
  jsonSerdes,
  MINUTE,
  named,
  origin,
  out,
  rows,
  type Sale,
  sales,
  SECOND,
  text,
} from './support.ts';

describe('stateless operators', () => {
  test('filter, map, concatMap and mapValues keep key and time; keyBy alone moves nothing', async () => {
    const stateless = stage('stateless', (s) => {
      s.stream(sales)
        .pipe(
          filter((r) => r.value.amount > 0),
          map((r) => ({ ...r, value: { ...r.value, amount: r.value.amount * 2 } })),
          concatMap((r) => [r, { ...r, value: { ...r.value, amount: -1 } }]),
          mapValues((value) => value.amount),
          keyBy((r) => `k-${r.key}`),
        )
        .to(out);
    });
    const driver = await driverOf(stateless);
    assert.deepEqual(driver.topology.internalTopics, []);
    for (const amount of [1, 0, 3]) {
      await driver.pipeInput(sales, { key: 'a', value: { shop: 'x', amount }, timestamp: amount * SECOND });
    }
    await driver.run();
    assert.deepEqual(
      (await driver.output(out)).map(({ key, value, timestamp }) => [key, value, timestamp]),
      [
        ['k-a', 2, SECOND],
        ['k-a', -1, SECOND],
        ['k-a', 6, 3 * SECOND],
        ['k-a', -1, 3 * SECOND],
      ],
    );
  });
});

describe('windows', () => {
  const perShop = (emit: 'final' | 'updates'): Stage =>
    stage('per-shop', (s) => {
      const perShop = keyBy((r: StreamRecord<string, Sale>) => r.value.shop);
      const minutes = windowedBy<string, Sale>(tumbling({ size: '1m', grace: '5s' }));
      const amount = (value: Sale): number => value.amount;
      const sold =
        emit === 'final'
          ? s.stream(sales).pipe(perShop, minutes, sum(amount, { store: 'per-shop' }))
          : s
              .stream(sales)
              .pipe(perShop, minutes, sum(amount, { store: 'per-shop', emit }))
              .toStream();
      named(sold).to(out);
    });
  const sell = async (driver: TopologyTestDriver, list: readonly (readonly [number, string, number])[]) => {
    for (const [at, shop, amount] of list) {
      await driver.pipeInput(sales, { key: `${at}`, value: { shop, amount }, timestamp: at * SECOND });
    }
  };

  test('final: one record per key and window, when the window closes, at end - 1 ms, through a repartition topic', async () => {
    const driver = await driverOf(perShop('final'));
    assert.deepEqual(
      driver.topology.internalTopics.map((topic) => topic.name),
      ['test-per-shop-repartition'],
    );
    await sell(driver, [
      [1, 'a', 1],
      [59, 'a', 2],
      [59, 'b', 4],
      [60, 'a', 8],
      [30, 'a', 16],
    ]);
    driver.completeUpTo(sales, 74 * SECOND);
    await driver.run();
    assert.deepEqual(await rows(driver), []);
    driver.completeUpTo(sales, 75 * SECOND);
    await driver.run();
    assert.deepEqual(await rows(driver), ['a@0 19', 'b@0 4']);
    for (const { timestamp } of await driver.output(out)) assert.equal(timestamp, MINUTE - 1);
    driver.completeUpTo(sales, 135 * SECOND);
    await driver.run();
    assert.deepEqual(await rows(driver), ['a@0 19', 'a@60 8', 'b@0 4']);
  });

  test('updates: the last value per key is the final one; nothing waits for the close', async () => {
    const driver = await driverOf(perShop('updates'));
    await sell(driver, [
      [1, 'a', 1],
      [59, 'b', 4],
    ]);
    await driver.run();
    assert.deepEqual(Object.fromEntries(await driver.table(out)), { 'a@0': 1, 'b@0': 4 });
    await sell(driver, [[2, 'a', 2]]);
    await driver.run();
    assert.deepEqual(Object.fromEntries(await driver.table(out)), { 'a@0': 3, 'b@0': 4 });
    const before = (await rows(driver)).length;
    driver.completeUpTo(sales, HOUR);
    await driver.run();
    assert.equal((await rows(driver)).length, before);
  });

  test('hopping: a record is in every window that holds it, late for those that are closed', async () => {
    const hops = stage('hops', (s) => {
      s.stream(sales)
        .pipe(
          windowedBy(hopping({ size: '1m', advance: '20s', grace: '0s' })),
          count({ store: 'hops' }),
          keyBy((r) => text(r.key.start, r.key.key)),
        )
        .to(out);
    });
    const driver = await driverOf(hops);
    const put = (at: number): Promise<bigint> =>
      driver.pipeInput(sales, { key: 'a', value: { shop: '', amount: at }, timestamp: at * SECOND, partition: 0 });
    await put(65);
    await put(75); // ow 65
    await put(45); // ow 65: [0,60) is closed, [20,80) and [40,100) are not
    driver.completeUpTo(sales, 300 * SECOND);
    await driver.run();
    assert.deepEqual(await rows(driver), ['a@20 3', 'a@40 3', 'a@60 2']);
    assert.deepEqual(
      driver.late('hops').map(({ value, ...late }) => ({ ...late, amount: (value as Sale).amount })),
      [
        {
          stage: 'hops',
          reason: 'window closed',
          latenessMs: 5 * SECOND + 1,
          windowStart: 0,
          windowEnd: 60 * SECOND,
          key: 'a',
          timestamp: 45 * SECOND,
          originWatermark: 65 * SECOND,
          amount: 45,
        },
      ],
    );
  });

  test('finals leave in the order of end, start and key, and have the time of their window', async () => {
    const one = origin<Sale>('one', 1);
    const minutes = derived<string>('minutes', 1);
    const ordered = stage('ordered', (s) => {
      s.stream(one)
        .pipe(
          windowedBy(hopping({ size: '1m', advance: '30s', grace: '0s' })),
          count({ store: 'ordered' }),
          mapValues((_n, { key, start }) => text(start, key)),
          keyBy(() => 'all'),
        )
        .to(minutes);
    });
    for (let seed = 1; seed <= 10; seed++) {
      const driver = await TopologyTestDriver.create({ stages: [ordered], serdes: jsonSerdes, seed });
      for (const [at, shop] of [
        [35, 'c'],
        [5, 'b'],
        [61, 'a'],
        [55, 'a'],
      ] as const) {
        await driver.pipeInput(one, { key: shop, value: { shop, amount: 1 }, timestamp: at * SECOND });
      }
      driver.completeUpTo(one, HOUR);
      await driver.run();
      const found = await driver.output(minutes);
      const names = found.map(({ value }) => value);
      assert.deepEqual(names, ['b@-30', 'a@0', 'b@0', 'c@0', 'a@30', 'c@30', 'a@60']);
      for (const { value, timestamp, originWatermark } of found) {
        const last = (Number(String(value).split('@')[1]) + 60) * SECOND - 1;
        assert.deepEqual([timestamp, originWatermark], [last, last]);
      }
    }
  });

  test('calendar day: 23 hours in Berlin when summer begins, 25 when it ends', async () => {
    const days = stage('days', (s) => {
      s.stream(sales)
        .pipe(
          windowedBy(calendarDay({ timeZone: 'Europe/Berlin', grace: '0s' })),
          count({ store: 'days' }),
          keyBy((r) => `${new Date(r.key.start).toISOString()} ${(r.key.end - r.key.start) / HOUR}h`),
        )
        .to(out);
    });
    const driver = await driverOf(days);
    for (const at of [
      '2026-03-28T22:59:59.999Z',
      '2026-03-28T23:00:00Z',
      '2026-03-29T21:59:59.999Z',
      '2026-03-29T22:00:00Z',
      '2026-10-25T12:00:00Z',
    ]) {
      await driver.pipeInput(sales, {
        key: 'a',
        value: { shop: '', amount: 1 },
        timestamp: Date.parse(at),
        partition: 0,
      });
    }
    driver.completeUpTo(sales, Date.parse('2027-01-01T00:00:00Z'));
    await driver.run();
    assert.deepEqual(await rows(driver), [
      '2026-03-27T23:00:00.000Z 24h 1',
      '2026-03-28T23:00:00.000Z 23h 2',
      '2026-03-29T22:00:00.000Z 24h 1',
      '2026-10-24T22:00:00.000Z 25h 1',
    ]);
  });

  test('aggregate folds in the order of event time, whatever the order of the log', async () => {
    const lists = stage('lists', (s) => {
      s.stream(sales)
        .pipe(
          keyBy((r) => r.value.shop),
          windowedBy(tumbling({ size: '1m', grace: '5s' })),
          aggregate(
            (): number[] => [],
            (list, value) => [...list, value.amount],
            { store: 'lists' },
          ),
          keyBy((r) => r.key.key),
        )
        .to(out);
    });
    for (let seed = 1; seed <= 20; seed++) {
      const driver = await TopologyTestDriver.create({ stages: [lists], serdes: jsonSerdes, seed });
      for (const at of [30, 25, 31, 24]) {
        for (const partition of [0, 1]) {
          const value = { shop: 'a', amount: at * 10 + partition };
          await driver.pipeInput(sales, { key: 'k', value, timestamp: at * SECOND, partition });
        }
      }
      driver.completeUpTo(sales, 200 * SECOND);
      await driver.run();
      assert.deepEqual(await rows(driver), ['a [240,241,250,251,300,301,310,311]']);
    }
  });

  test('the watermark is the least of all partitions; hints move idle ones, and only once what was written is read', async () => {
    const driver = await driverOf(perShop('final'));
    await driver.pipeInput(sales, { key: 'k', value: { shop: 'a', amount: 1 }, timestamp: 1, partition: 0 });
    await driver.pipeInput(sales, { key: 'k', value: { shop: 'a', amount: 2 }, timestamp: HOUR, partition: 0 });
    await driver.run();
    assert.deepEqual(await rows(driver), []); // partition 1 has said nothing
    driver.completeUpTo(sales, 75 * SECOND);
    await driver.pipeInput(sales, { key: 'k', value: { shop: 'a', amount: 4 }, timestamp: 5, partition: 1 });
    await driver.run();
    // The hint tells of the log before the last record, which was read before it became a pin: it is in time.
    assert.deepEqual(driver.late('per-shop'), []);
    await driver.run();
    assert.deepEqual(await rows(driver), ['a@0 5']);
    await driver.pipeInput(sales, { key: 'k', value: { shop: 'a', amount: 8 }, timestamp: 6, partition: 1 });
    await driver.run();
    assert.deepEqual(
      driver.late('per-shop').map((late) => [late.windowStart, late.timestamp]),
      [[0, 6]],
    );
  });

  test('finals are in time for the next stage, even without grace', async () => {
    const minutes = derived<{ shop: string; amount: number }>('minutes', 3);
    const perMinute = stage('per-minute', (s) => {
      s.stream(sales)
        .pipe(
          keyBy((r) => r.value.shop),
          windowedBy(tumbling({ size: '1m', grace: '30s' })),
          sum((value) => value.amount, { store: 'minutes' }),
          mapValues((amount, key) => ({ shop: key.key, amount })),
          keyBy((r) => r.value.shop),
        )
        .to(minutes);
    });
    const perHour = stage('per-hour', (s) => {
      s.stream(minutes)
        .pipe(
          keyBy(() => 'all'),
          windowedBy(tumbling({ size: '1h', grace: '0s' })),
          sum((value) => value.amount, { store: 'hours' }),
          keyBy((r) => text(r.key.start, r.key.key)),
        )
        .to(out);
    });
    for (let seed = 1; seed <= 3; seed++) {
      const driver = await TopologyTestDriver.create({ stages: [perHour, perMinute], serdes: jsonSerdes, seed });
      // In steps shorter than the grace: when an hour is over, finals of its last minute are still to come.
      for (let i = 0; i < 360; i++) {
        const value = { shop: `${i % 5}`, amount: 1 };
        await driver.pipeInput(sales, { key: `${i}`, value, timestamp: i * 20 * SECOND, partition: i % 2 });
        await driver.run();
      }
      driver.completeUpTo(sales, 3 * HOUR);
      await driver.run();
      assert.deepEqual([driver.late('per-hour'), await rows(driver)], [[], ['all@0 180', 'all@3600 180']]);
    }
  });
});
