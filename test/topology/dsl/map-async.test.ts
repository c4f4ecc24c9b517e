/** Answers from outside: in order, within limits, never across a commit. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { count, keyBy, mapAsync, type MapAsyncOptions, stage, type Stage, tumbling, windowedBy } from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin } from './support.ts';

const input = origin<number>('in', 2, {}, '5ms');
const out = derived<number>('out', 2);
const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;
const LIMITS: MapAsyncOptions = { concurrency: 3, timeout: '5s', retries: 0 };
type Ask = (value: number, key: string, signal: AbortSignal) => Promise<number>;

const asking = (ask: Ask, limits = LIMITS): Stage =>
  stage('asking', (s) => s.stream(input).pipe(mapAsync(ask, limits)).to(out));

/** Answers after some turns of the event loop: the larger the number, the sooner. */
async function slowly(value: number): Promise<number> {
  for (let i = value; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  return value * 10;
}

async function fed(stages: readonly Stage[], values: readonly number[], crashes = 0): Promise<TopologyTestDriver> {
  const driver = await TopologyTestDriver.create({ stages, serdes: jsonSerdes, crashes });
  for (const value of values)
    await driver.pipeInput(input, { key: `k${value}`, value, timestamp: value, partition: value % 2 });
  driver.completeUpTo(input, 100);
  await driver.run();
  return driver;
}
const numbers = Array.from({ length: 20 }, (_, i) => i);

describe('mapAsync', () => {
  test('answers leave in the order of the records, never more than so many at once', async () => {
    let now = 0;
    let most = 0;
    const ask: Ask = async (value) => {
      most = Math.max(most, ++now);
      return slowly(value).finally(() => now--);
    };
    const driver = await fed([asking(ask)], numbers);
    const found = await driver.output(out);
    for (const p of [0, 1]) {
      const own = found.filter(({ key }) => Number(String(key).slice(1)) % 2 === p).map(({ key }) => key);
      const inOrder = own.toSorted((a, b) => Number(String(a).slice(1)) - Number(String(b).slice(1)));
      for (const at of [0, 1]) {
        const here = found.filter((r) => r.partition === at && own.includes(r.key)).map(({ key }) => key);
        assert.deepEqual(
          here,
          inOrder.filter((key) => here.includes(key)),
        );
      }
    }
    assert.equal(found.length, numbers.length);
    assert.ok(most > 1 && most <= 2 * LIMITS.concurrency, `${most} at once`);
  });

  test('windows behind it wait for the answers; crashes lose and double nothing', async () => {
    const windows = stage('windows', (s) => {
      s.stream(input)
        .pipe(
          mapAsync(slowly, LIMITS),
          keyBy(() => 'all'),
          windowedBy(tumbling({ size: '5ms', grace: '0ms' })),
          count({ store: 'n' }),
          keyBy((r) => `${r.key.start}`),
        )
        .to(out);
    });
    const driver = await fed([windows], numbers, 0.3);
    const found = (await driver.output(out)).map(({ key, value }) => `${String(key)} ${String(value)}`).sort();
    assert.deepEqual(found, ['0 5', '10 5', '15 5', '5 5']);
    assert.deepEqual(driver.late('windows'), []);
    assert.match(
      driver.topology.describe(),
      /mapAsync .*answers from outside[^]*count n .*no function of the log: behind mapAsync/,
    );
  });

  test('a failure is tried again, then it is a dead letter; silence is a failure', async () => {
    const tries = new Map<number, number>();
    const ask: Ask = (value, _key, signal) => {
      tries.set(value, (tries.get(value) ?? 0) + 1);
      if (value === 1 && tries.get(value) === 1) return Promise.reject(new Error('once'));
      if (value === 2) throw new Error('always');
      if (value === 3) return new Promise((_resolve, reject) => (signal.onabort = () => reject(new Error('aborted'))));
      return Promise.resolve(value);
    };
    const driver = await fed([asking(ask, { concurrency: 2, timeout: '20ms', retries: 1 })], [0, 1, 2, 3, 4]);
    assert.deepEqual((await driver.output(out)).map(({ value }) => String(value)).sort(), ['0', '1', '4']);
    const dead = driver.deadLetters('asking').sort((a, b) => (a.reason < b.reason ? -1 : 1));
    assert.deepEqual(
      dead.map(({ code }) => code),
      ['SLC_RECORD_ASYNC', 'SLC_RECORD_ASYNC'],
    );
    assert.match(`${dead[0]?.reason} ${dead[1]?.reason}`, /always.*no answer within 20 ms/);
    assert.deepEqual([tries.get(0), tries.get(1), tries.get(2), tries.get(3)], [1, 2, 2, 2]);
  });

  test('limits that let nothing through are refused', () => {
    for (const wrong of [{ concurrency: 0 }, { retries: -1 }, { timeout: '0s' as const }])
      assert.throws(() => mapAsync(slowly, { ...LIMITS, ...wrong }), codeOf('SLC_STAGE_ASYNC'));
  });
});
