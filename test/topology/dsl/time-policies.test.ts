/** The two time policies side by side, by hand: docs/SEMANTICS.md. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { from, lastValueFrom, toArray } from 'rxjs';
import {
  aggregate,
  buildTopology,
  count,
  keyBy,
  reduce,
  session,
  sliding,
  sorted,
  type Stage,
  stage,
  streamJoin,
  TopologyError,
  tumbling,
  windowedBy,
  type Windows,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { storeShapes } from '../../../topology/runtime/store-changes.ts';
import { derived, jsonSerdes, origin } from './support.ts';

const a = origin<string>('a', 1, {}, '0ms');
const b = origin<string>('b', 1, {}, '0ms');
const out = derived<unknown>('out', 1);

const counts = (windows: Windows, emit: 'final' | 'updates' = 'final'): Stage =>
  stage('counts', (s) => {
    const both = s.stream(a).merge(s.stream(b));
    const windowed =
      emit === 'final'
        ? both.pipe(windowedBy(windows), count({ store: 'counts' }))
        : both.pipe(windowedBy(windows), count({ store: 'counts', emit: 'updates' })).toStream();
    windowed.pipe(keyBy((r) => `${r.key.key}@${r.key.start}/${r.key.end}`)).to(out);
  });

const drive = (build: Stage, time: 'watermark' | 'stream-time'): Promise<TopologyTestDriver> =>
  TopologyTestDriver.create({ stages: [build], serdes: jsonSerdes, time });
const put = (
  driver: TopologyTestDriver,
  topic: typeof a,
  timestamp: number,
  key: string | null = 'k',
  value: string | null = 'v',
) => driver.pipeInput(topic, { key, value, timestamp, partition: 0 });
const rows = async (driver: TopologyTestDriver): Promise<string[]> =>
  (await driver.output(out)).map((r) => `${String(r.key)}=${String(r.value)} ${r.timestamp}`);
const ofCode = (code: string) => (error: unknown) => error instanceof TopologyError && error.code === code;

describe('the example of docs/SEMANTICS.md', () => {
  const windows = tumbling({ size: '2ms', grace: '1ms' });
  for (const order of ['a first', 'b first'] as const) {
    test(`stream-time, ${order}: late is who comes after the clock`, async () => {
      const driver = await drive(counts(windows), 'stream-time');
      const steps =
        order === 'a first'
          ? ([
              [a, 0],
              [a, 5],
              [b, 1],
            ] as const)
          : ([
              [a, 0],
              [b, 1],
              [a, 5],
            ] as const);
      for (const [topic, at] of steps) {
        await put(driver, topic, at);
        await driver.run();
      }
      assert.deepEqual(await rows(driver), [order === 'a first' ? 'k@0/2=1 0' : 'k@0/2=2 1']);
      assert.equal(driver.late('counts').length, order === 'a first' ? 1 : 0);
    });

    test(`watermark, ${order}: each record by the clock of its own partition`, async () => {
      const driver = await drive(counts(windows), 'watermark');
      const steps =
        order === 'a first'
          ? ([
              [a, 0],
              [a, 5],
              [b, 1],
            ] as const)
          : ([
              [a, 0],
              [b, 1],
              [a, 5],
            ] as const);
      for (const [topic, at] of steps) {
        await put(driver, topic, at);
        await driver.run();
      }
      assert.deepEqual(await rows(driver), []);
      driver.completeUpTo(b, 3);
      await driver.run();
      assert.deepEqual(await rows(driver), ['k@0/2=2 1']);
      assert.equal(driver.late('counts').length, 0);
    });
  }
});

describe('stream-time', () => {
  test('the clock survives a restart: the same record is late before and after', async () => {
    for (const windows of [
      tumbling({ size: '10ms', grace: '5ms' }),
      session({ gap: '5ms', grace: '5ms' }),
      sliding({ difference: '5ms', grace: '5ms' }),
    ]) {
      const driver = await drive(counts(windows), 'stream-time');
      await put(driver, a, 100);
      await driver.run();
      for (let crash = 0; crash < 3; crash++) {
        driver.crash(0);
        await put(driver, b, 10);
        await driver.run();
      }
      assert.equal(driver.late('counts').length, 3, windows.text);
      assert.deepEqual(await rows(driver), []);
    }
  });

  test('a null key moves no clock; a null value counts in fixed windows and sessions, not in sliding ones', async () => {
    for (const [windows, counted, dropped] of [
      [tumbling({ size: '10ms', grace: '0ms' }), ['k@0/10=1 1', 'k@0/10=2 2'], 1],
      [session({ gap: '5ms', grace: '0ms' }), ['k@1/1=1 1', 'k@1/1=null 1', 'k@1/2=2 2'], 1],
    ] as const) {
      const driver = await drive(counts(windows, 'updates'), 'stream-time');
      await put(driver, a, 99, null);
      await put(driver, a, 1);
      await put(driver, a, 2, 'k', null);
      await driver.run();
      assert.deepEqual(await rows(driver), counted);
      assert.equal(driver.counts().dropped, dropped);
    }
    const driver = await drive(counts(sliding({ difference: '5ms', grace: '0ms' }), 'updates'), 'stream-time');
    await put(driver, a, 99, null);
    await put(driver, a, 11, 'k', null);
    await put(driver, a, 10);
    await driver.run();
    assert.deepEqual(await rows(driver), ['k@5/10=1 10']);
    assert.equal(driver.counts().dropped, 2);
  });

  test('what is not open to the epoch: no window begins before it', async () => {
    const driver = await drive(counts(sliding({ difference: '5ms', grace: '50ms' }), 'updates'), 'stream-time');
    for (const at of [2, 4, 3]) await put(driver, a, at);
    await driver.run();
    // The first 5 ms share [0,5]; windows behind a record are as ever.
    assert.deepEqual(await rows(driver), [
      'k@0/5=1 2',
      'k@3/8=1 4',
      'k@0/5=2 4',
      'k@3/8=2 4',
      'k@4/9=1 4',
      'k@0/5=3 4',
    ]);
  });

  test('sessions need to know how two accumulators become one', async () => {
    const windows = session({ gap: '5ms', grace: '50ms' });
    const lists = (merge?: (x: string, y: string) => string): Stage =>
      stage('lists', (s) => {
        const options = { store: 'lists', ...(merge === undefined ? {} : { merge }) };
        const add = (all: string, value: string): string => all + value;
        s.stream(a)
          .pipe(
            windowedBy(windows),
            aggregate(() => '', add, options),
            keyBy((r) => `${r.key.start}/${r.key.end}`),
          )
          .to(out);
      });
    assert.throws(
      () => buildTopology([lists()], { app: 'test', time: 'stream-time' }),
      ofCode('SLC_STAGE_SESSION_MERGE'),
    );
    assert.ok(buildTopology([lists()], { app: 'test' }));
    for (const [time, wanted] of [
      ['stream-time', '0/10=xzy 10'],
      ['watermark', '0/10=xyz 10'],
    ] as const) {
      const driver = await drive(
        lists((x, y) => x + y),
        time,
      );
      for (const [at, value] of [
        [0, 'x'],
        [10, 'z'],
        [5, 'y'],
        [1_000, 'end'],
      ] as const)
        await put(driver, a, at, 'k', value);
      await driver.run();
      assert.deepEqual(await rows(driver), [wanted]);
    }
  });

  test('state is not taken over from the other policy', () => {
    const build = counts(tumbling({ size: '1s', grace: '0s' }));
    const [one, other] = (['watermark', 'stream-time'] as const).map((time) =>
      buildTopology([build], { app: 'test', time }),
    );
    assert.notEqual(one?.epoch, other?.epoch);
    assert.notDeepEqual(one && storeShapes(one), other && storeShapes(other));
    assert.match(other?.describe() ?? '', /^time stream-time\n/);
  });

  test('an aggregation without a window folds as records come, behind a keyBy too; by watermark only behind sorted()', async () => {
    const chain = (isSorted: boolean): Stage =>
      stage('chain', (s) => {
        const keyed = s.stream(a).merge(s.stream(b));
        const text = reduce<{ key: string; value: string; timestamp: number }>((x, y) => x + y, { store: 'text' });
        const table = isSorted ? keyed.pipe(sorted({ store: 'sorted', grace: '5ms' }), text) : keyed.pipe(text);
        table.toStream().to(out);
      });
    assert.throws(() => buildTopology([chain(false)], { app: 'test' }), ofCode('SLC_STAGE_ORDER'));
    const byTime = await drive(chain(false), 'stream-time');
    const byWatermark = await drive(chain(true), 'watermark');
    for (const driver of [byTime, byWatermark]) {
      for (const [topic, at, value] of [
        [a, 2, 'second'],
        [b, 1, 'first'],
        [a, 3, 'third'],
      ] as const) {
        await put(driver, topic, at, 'k', value);
        await driver.run();
      }
      for (const topic of [a, b]) driver.completeUpTo(topic, 100);
      await driver.run();
    }
    assert.deepEqual((await rows(byTime)).at(-1), 'k=secondfirstthird 3');
    assert.deepEqual((await rows(byWatermark)).at(-1), 'k=firstsecondthird 3');
  });
});

describe('outside of a stage', () => {
  const defer: (() => unknown)[] = [];
  const records = [1, 4, 20].map((timestamp) => ({ key: 'k', value: 'v', timestamp }));
  test('windows run on any Observable, by the largest timestamp', async () => {
    for (const [windows, wanted] of [
      [session({ gap: '5ms', grace: '0ms' }), ['1/4=2', '20/20=1']],
      [sliding({ difference: '5ms', grace: '0ms' }), ['-4/1=1', '-1/4=2', '2/7=1', '15/20=1']],
    ] as const) {
      const found = await lastValueFrom(from(records).pipe(windowedBy(windows), count({ store: 'c' }), toArray()));
      assert.deepEqual(
        found.map(({ key, value }) => `${key.start}/${key.end}=${value}`),
        wanted,
      );
    }
  });

  test('a join has nothing to join with', () => {
    const options = { within: '1s', grace: '0s', store: 'j', join: 'inner' } as const;
    stage('s', (s) => {
      const stream = s.stream(a);
      defer.push(() => from(records).pipe(streamJoin(stream, (x: string, y: string) => x + y, options)));
    });
    for (const apply of defer) assert.throws(apply, ofCode('SLC_STAGE_JOIN'));
    assert.equal(defer.length, 1);
  });
});
