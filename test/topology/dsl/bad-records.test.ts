/** Records that cannot be read, processed, folded or written; tables without a window. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concatMap, map } from 'rxjs';
import {
  aggregate,
  count,
  type Emit,
  keyBy,
  mapValues,
  stage,
  sum,
  tumbling,
  type Windowed,
  windowedBy,
} from '#topology';
import { driverOf, HOUR, named, origin, out, rows, type Sale, sales, SECOND, text } from './support.ts';

describe('bad records', () => {
  test('go to the dead-letter topic one by one, whatever breaks, and the rest goes on', async () => {
    const received = origin<{ n: number; unwritable?: true }>('received', 1, {
      receivedAt: () => 10 * SECOND,
    });
    const fragile = stage('fragile', (s) => {
      s.stream(received)
        .pipe(
          mapValues((value) => {
            if (value.n === 2) throw new Error('two');
            return value;
          }),
          concatMap((r) => {
            if (r.value.n === 3) throw new Error('three');
            return [r];
          }),
          map((r) => (r.value.n === 4 ? { ...r, key: null as unknown as string } : r)),
        )
        .to(out);
    });
    const driver = await driverOf(fragile);
    const put = (value: unknown, timestamp = 1): Promise<bigint> =>
      driver.pipeInput(received, { key: 'k', value, timestamp });
    for (const n of [1, 2, 3, 4]) await put({ n });
    await put('broken');
    await put({ n: 6 }, 10 * SECOND + HOUR + 1);
    await put({ n: 7 }, 10 * SECOND + HOUR);
    await driver.run();
    assert.deepEqual(await rows(driver), ['k {"n":1}', 'k {"n":7}']);
    const letters = driver.deadLetters('fragile');
    assert.deepEqual(
      letters.map(({ code }) => code),
      ['SLC_RECORD_PROCESS', 'SLC_RECORD_PROCESS', 'SLC_RECORD_KEY', 'SLC_RECORD_DECODE', 'SLC_RECORD_AHEAD'],
    );
    assert.match(letters[0]?.reason ?? '', /fragile \/ mapValues: two/);
    assert.match(letters[1]?.reason ?? '', /fragile \/ rx: three|three/);
  });

  test('a record far ahead does not move the clock', async () => {
    const received = origin<{ n: number }>('received', 1, { receivedAt: () => 10 * SECOND });
    const counts = stage('counts', (s) => {
      s.stream(received)
        .pipe(
          windowedBy(tumbling({ size: '1m', grace: '0s' })),
          count({ store: 'counts' }),
          keyBy((r) => text(r.key.start, r.key.key)),
        )
        .to(out);
    });
    const driver = await driverOf(counts);
    for (const timestamp of [1, 9 * HOUR, 2])
      await driver.pipeInput(received, { key: 'k', value: { n: 1 }, timestamp });
    await driver.run();
    assert.deepEqual([driver.late('counts'), await rows(driver)], [[], []]);
    driver.completeUpTo(received, HOUR);
    await driver.run();
    assert.deepEqual(await rows(driver), ['k@0 2']);
  });

  test('an aggregation that throws loses that record alone, leaves no empty window, and survives the close', async () => {
    for (const kind of ['sum', 'aggregate'] as const) {
      for (const emit of ['final', 'updates'] as const) {
        const amountOf = (value: Sale): number => {
          if (value.amount === 13) throw new Error('unlucky');
          return value.amount;
        };
        const fragile = stage('fragile', (s) => {
          const minutes = windowedBy<string, Sale>(tumbling({ size: '1m', grace: '0s' }));
          const total = <E extends Emit>(how: E) => {
            const options = { store: 'fragile', emit: how } as const;
            type Minutes = Windowed<string, Sale>;
            if (kind === 'sum') return sum<Minutes, number, E>(amountOf, options);
            const add = (all: number, value: Sale): number => all + amountOf(value);
            return aggregate<Minutes, number, E>(() => 0, add, options);
          };
          const stream =
            emit === 'final'
              ? s.stream(sales).pipe(minutes, total('final'))
              : s.stream(sales).pipe(minutes, total('updates')).toStream();
          named(stream).to(out);
        });
        const driver = await driverOf(fragile);
        for (const [at, amount] of [
          [1, 2],
          [2, 13],
          [3, 4],
          [70, 13],
        ] as const) {
          await driver.pipeInput(sales, {
            key: 'k',
            value: { shop: 'a', amount },
            timestamp: at * SECOND,
            partition: 0,
          });
          await driver.run();
        }
        driver.completeUpTo(sales, HOUR);
        await driver.run();
        assert.deepEqual(Object.fromEntries(await driver.table(out)), { 'k@0': 6 }, `${kind} ${emit}`);
        const empty = (await driver.output(out)).filter(({ key }) => key === 'k@60');
        assert.deepEqual(empty, [], `${kind} ${emit}`);
        assert.deepEqual(
          driver.deadLetters('fragile').map(({ code }) => code),
          ['SLC_RECORD_PROCESS', 'SLC_RECORD_PROCESS'],
          `${kind} ${emit}`,
        );
      }
    }
  });
});

describe('state', () => {
  test('that cannot be saved stops the task at once, by name: a restart would find something else', async () => {
    const sets = stage('sets', (s) => {
      const collected = s.stream(sales).pipe(
        windowedBy(tumbling({ size: '1m', grace: '0s' })),
        aggregate(
          () => new Set<number>(),
          (all, value) => all.add(value.amount),
          { store: 'sets', commutative: true },
        ),
        mapValues((all) => [...all]),
      );
      named(collected).to(out);
    });
    const driver = await driverOf(sets);
    await driver.pipeInput(sales, { key: 'k', value: { shop: 'a', amount: 1 }, timestamp: 1 });
    await assert.rejects(driver.run(), { code: 'SLC_STAGE_STATE', message: /sets.*Set/ });
  });
});

describe('tables', () => {
  test('an aggregation without a window is a table of updates; a null value out is a tombstone', async () => {
    const totals = stage('totals', (s) => {
      s.stream(sales)
        .pipe(
          keyBy((r) => r.value.shop),
          sum((value) => BigInt(value.amount), { store: 'totals' }),
        )
        .toStream()
        .pipe(mapValues((total) => (total === 0n ? null : total)))
        .to(out);
    });
    const driver = await driverOf(totals);
    const put = (shop: string, amount: number): Promise<bigint> =>
      driver.pipeInput(sales, { key: `${shop}${amount}`, value: { shop, amount }, timestamp: 1 });
    await put('a', 5);
    await put('b', 1);
    await driver.run();
    assert.deepEqual(Object.fromEntries(await driver.table(out)), { a: 5n, b: 1n });
    await put('a', -5);
    await driver.run();
    assert.deepEqual(Object.fromEntries(await driver.table(out)), { b: 1n });
  });
});
