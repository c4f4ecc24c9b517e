/** Window and session stores of process(): what user code finds, when it is forgotten, and that a crash or another interleaving changes nothing. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  buildTopology,
  keyBy,
  process,
  sessionStore,
  sorted,
  stage,
  type Stage,
  windowStore,
  type WindowKey,
} from '#topology';
import { random, TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin } from './support.ts';

const input = origin<number>('in', 1, {}, '0ms');
const many = origin<{ key: string; n: number }>('many', 3, {}, '4ms');
const out = derived<string>('out', 1);
const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

const values = async (driver: TopologyTestDriver): Promise<unknown[]> =>
  (await driver.output(out)).map(({ value }) => value);

async function run(
  only: Stage,
  inputs: readonly (readonly [key: string, value: number, timestamp: number])[],
  crash: boolean,
) {
  const driver = await TopologyTestDriver.create({ stages: [only], serdes: jsonSerdes });
  for (const [key, value, timestamp] of inputs) {
    await driver.pipeInput(input, { key, value, timestamp });
    await driver.run();
    if (crash) driver.crash(0);
  }
  return values(driver);
}

/** Sums per window of 10 ms; tells all windows of the key that began in the last 30 ms, and how many there are of all keys. */
const inWindows = stage('windows', (s) => {
  const stores = { sums: windowStore<string, number>('sums', { size: '10ms', retention: '20ms' }) };
  s.stream(input)
    .pipe(
      process<string, number, string, string, typeof stores>({ name: 'p', stores }, (context) => ({
        process: ({ key, value, timestamp }) => {
          const { sums } = context.stores;
          const start = Math.floor(timestamp / 10) * 10;
          if (value < 0) sums.delete(key, start);
          else sums.put(key, start, (sums.get(key, start) ?? 0) + value);
          const found = sums.fetch(key, start - 30, start).map(([at, sum]) => `${at}=${sum}`);
          const all = [...sums.entries()].length;
          assert.equal(all, sums.size);
          context.forward({ key, value: `${found.join(',')} of ${all}`, timestamp });
        },
      })),
    )
    .to(out);
});

/** Sessions of 10 ms, by hand, as an aggregation makes them. */
const inSessions = stage('sessions', (s) => {
  const stores = { open: sessionStore<string, number>('open', { retention: '10ms' }) };
  s.stream(input)
    .pipe(
      process<string, number, string, string, typeof stores>({ name: 'p', stores }, (context) => ({
        process: ({ key, value, timestamp }) => {
          const { open } = context.stores;
          const session = { key, start: timestamp, end: timestamp };
          let sum = value;
          for (const [other, n] of open.find(key, timestamp - 10, timestamp + 10)) {
            session.start = Math.min(session.start, other.start);
            session.end = Math.max(session.end, other.end);
            sum += n;
            open.delete(other);
          }
          open.put(session, sum);
          assert.equal(open.get(session), sum);
          const all = [...open.entries()].map(([at, n]) => `${at.key}[${at.start},${at.end}]=${n}`).sort();
          assert.equal(all.length, open.size);
          context.forward({ key, value: all.join(' '), timestamp });
        },
      })),
    )
    .to(out);
});

describe('stores of process', () => {
  for (const crash of [false, true]) {
    test(`windows: by key and start, forgotten at their end + retention${crash ? ', with crashes' : ''}`, async () => {
      const inputs = [
        ['a', 1, 1],
        ['a', 2, 9],
        ['a', 3, 12],
        ['b', 4, 13],
        ['a', 5, 29],
        ['a', 6, 30],
        ['a', -1, 31],
      ] as const;
      assert.deepEqual(await run(inWindows, inputs, crash), [
        '0=1 of 1',
        '0=3 of 1',
        '0=3,10=3 of 2',
        '10=4 of 3',
        '0=3,10=3,20=5 of 4',
        '10=3,20=5,30=6 of 4', // [0, 10) has gone at 10 + 20
        '10=3,20=5 of 3',
      ]);
    });

    test(`sessions: by what they touch, forgotten beyond their end + retention${crash ? ', with crashes' : ''}`, async () => {
      const inputs = [
        ['a', 1, 0],
        ['b', 1, 5],
        ['a', 2, 10],
        ['a', 4, 20],
        ['b', 2, 26],
        ['b', 4, 50],
      ] as const;
      assert.deepEqual(await run(inSessions, inputs, crash), [
        'a[0,0]=1',
        'a[0,0]=1 b[5,5]=1',
        'a[0,10]=3 b[5,5]=1',
        'a[0,20]=7',
        'a[0,20]=7 b[26,26]=2',
        'b[50,50]=4',
      ]);
    });
  }

  test('what is forgotten is forgotten by event time: every interleaving, with crashes and punctuation, finds the same', async () => {
    const stores = {
      sums: windowStore<string, number>('sums', { size: '7ms', retention: '9ms' }),
      seen: sessionStore<string, number>('seen', { retention: '5ms' }),
    };
    const only = stage('only', (s) => {
      s.stream(many)
        .pipe(
          keyBy((r) => r.value.key),
          sorted({ grace: '3ms', store: 'in-order' }),
          process<string, { n: number }, string, string, typeof stores>(
            { name: 'p', stores, eventTimeEvery: '11ms' },
            (context) => {
              const tell = (key: string, timestamp: number): void => {
                const rows = (all: Iterable<[WindowKey<string>, number]>): string =>
                  [...all].map(([at, n]) => `${at.key}${at.start}=${n}`).join();
                const { sums, seen } = context.stores;
                const text = `${rows(sums.entries())}|${rows(seen.entries())}`;
                context.forward({ key, value: `${timestamp} ${text.split(/[,|]/).sort().join(' ')}`, timestamp });
              };
              return {
                process: ({ key, value, timestamp }) => {
                  const start = Math.floor(timestamp / 7) * 7;
                  context.stores.sums.put(key, start, (context.stores.sums.get(key, start) ?? 0) + value.n);
                  context.stores.seen.put({ key, start: timestamp, end: timestamp }, value.n);
                  tell(key, timestamp);
                },
                onEventTime: (time) => tell('time', time - 1),
              };
            },
          ),
        )
        .to(out);
    });
    const first = Number(globalThis.process.env['SLUICE_SEED'] ?? 1);
    let rows = 0;
    for (let seed = first; seed < first + 20; seed++) {
      const results: unknown[][] = [];
      for (const schedule of [1, 2, 3]) {
        const g = random(seed);
        const order = random(seed * 100 + schedule);
        const driver = await TopologyTestDriver.create({
          stages: [only],
          serdes: jsonSerdes,
          seed: seed * 100 + schedule,
          crashes: schedule === 1 ? 0 : 0.3,
        });
        let now = 20;
        for (let i = 0; i < 60; i++) {
          now += g.int(0, 4);
          const value = { key: `k${g.int(0, 2)}`, n: g.int(1, 9) };
          const timestamp = now - g.int(0, 5);
          await driver.pipeInput(many, { key: `${i}`, value, timestamp, partition: g.int(0, 2) });
          if (order.chance(0.4)) await driver.run(order.int(1, 8));
        }
        driver.completeUpTo(many, now + 100);
        await driver.run();
        results.push((await values(driver)).map(String).sort());
      }
      assert.deepEqual(results[1], results[0], `SLUICE_SEED=${seed}`);
      assert.deepEqual(results[2], results[0], `SLUICE_SEED=${seed}`);
      rows += results[0]?.length ?? 0;
    }
    assert.ok(rows > 1_000);
  });

  test('windows of nothing are refused; an upgrade sees another kind of store', () => {
    assert.throws(() => windowStore('x', { size: '0s', retention: '1s' }), codeOf('SLC_STAGE_PROCESS'));
    const { subTopologies } = buildTopology([inWindows], { app: 'a' });
    const kinds = subTopologies.flatMap(({ stores }) => stores.map(({ name, kind }) => `${name}: ${kind}`));
    assert.deepEqual(kinds.sort(), ['p: key-value', 'sums: user-window']);
  });
});
