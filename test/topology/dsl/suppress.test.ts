/** KTable.suppress, by hand: what leaves when, how full a buffer may get, what a crash changes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  buildTopology,
  count,
  keyBy,
  type Suppressed,
  stage,
  sum,
  TopologyError,
  tumbling,
  untilTimeLimit,
  untilWindowCloses,
  windowedBy,
  session,
  type Windows,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin } from './support.ts';

const input = origin<number>('input', 1, {}, '0ms');
const out = derived<number>('out', 1);

const windowed = (windows: Windows, until = untilWindowCloses()) =>
  stage('suppressed', (s) => {
    s.stream(input)
      .pipe(windowedBy(windows), count({ store: 'counts', emit: 'updates' }))
      .suppress({ store: 'waiting', until })
      .toStream()
      .pipe(keyBy((r) => `${r.key.key}@${r.key.start}/${r.key.end}`))
      .to(out);
  });
const plain = (until: Suppressed<unknown>) =>
  stage('suppressed', (s) => {
    s.stream(input)
      .pipe(sum((n) => n, { store: 'sums' }))
      .suppress({ store: 'waiting', until })
      .toStream()
      .to(out);
  });

type Driver = TopologyTestDriver;
const create = (build: ReturnType<typeof plain>, time: 'watermark' | 'stream-time' = 'stream-time'): Promise<Driver> =>
  TopologyTestDriver.create({ stages: [build], serdes: jsonSerdes, time });

/** Feeds `key@time` one by one; what had come out after each, `key=value@time`. */
async function feed(driver: Driver, timeline: string, crash = false): Promise<string[]> {
  const seen: string[] = [];
  let known = 0;
  for (const each of timeline.split(' ')) {
    const [key = '', at] = each.split('@');
    await driver.pipeInput(input, { key, value: 1, timestamp: Number(at), partition: 0 });
    await driver.run();
    const rows = await driver.output(out);
    seen.push(
      rows
        .slice(known)
        .map((r) => `${String(r.key)}=${String(r.value)}@${r.timestamp}`)
        .join(' '),
    );
    known = rows.length;
    if (crash) driver.crash(0);
  }
  return seen;
}

const ofCode = (code: string) => (error: unknown) => error instanceof TopologyError && error.code === code;

describe('suppress', () => {
  for (const crash of [false, true]) {
    test(`a time limit counts from the first change, and lets the last one through${crash ? ', crashes or not' : ''}`, async () => {
      const driver = await create(plain(untilTimeLimit('10ms')));
      assert.deepEqual(await feed(driver, 'a@0 a@9 b@9 c@10 a@12 b@18 b@19', crash), [
        '',
        '',
        '',
        'a=2@9',
        '',
        '',
        'b=3@19',
      ]);
    });
  }

  test('a full buffer lets the earliest go, by records and by bytes', async () => {
    const records = await create(plain(untilTimeLimit('none', { maxRecords: 2 })));
    assert.deepEqual(await feed(records, 'a@0 b@1 a@2 c@3 d@4'), ['', '', '', 'a=2@2', 'b=1@1']);
    // 'ta' and [0,0,1]: 9 bytes each.
    const bytes = await create(plain(untilTimeLimit('none', { maxBytes: 18 })));
    assert.deepEqual(await feed(bytes, 'a@0 b@1 a@2 c@3 d@4'), ['', '', '', 'a=2@2', 'b=1@1']);
  });

  test('what may not leave early stops the task', async () => {
    for (const until of [untilWindowCloses({ maxRecords: 2 }), untilWindowCloses({ maxBytes: 40 })]) {
      const driver = await create(windowed(tumbling({ size: '10ms', grace: '0ms' }), until));
      await feed(driver, 'a@0 b@1');
      await assert.rejects(feed(driver, 'c@2'), /SLC_STAGE_SUPPRESS_FULL|more than it may hold/);
      // What closes makes room first.
      const other = await create(windowed(tumbling({ size: '10ms', grace: '0ms' }), until));
      assert.deepEqual(await feed(other, 'a@0 b@1 c@10'), ['', '', 'a@0/10=1@0 b@0/10=1@1']);
    }
    const stops = await create(plain(untilTimeLimit('1h', { maxRecords: 1, whenFull: 'stop' })));
    await assert.rejects(feed(stops, 'a@0 b@1'), /more than it may hold/);
  });

  test('by watermark: the finals of the windows, without a further record', async () => {
    const driver = await create(windowed(tumbling({ size: '10ms', grace: '3ms' })), 'watermark');
    await feed(driver, 'a@0 b@5 a@12 b@11');
    driver.completeUpTo(input, 22);
    await driver.run();
    const rows = async () => (await driver.output(out)).map((r) => [r.key, r.value, r.timestamp, r.originWatermark]);
    const first = [
      ['a@0/10', 1, 9, 9],
      ['b@0/10', 1, 9, 9],
    ];
    assert.deepEqual(await rows(), first);
    driver.crash(0);
    driver.completeUpTo(input, 23);
    await driver.run();
    assert.deepEqual(await rows(), [...first, ['a@10/20', 1, 19, 19], ['b@10/20', 1, 19, 19]]);
  });

  test('sessions: only what a session became comes out, under both policies', async () => {
    const windows = session({ gap: '5ms', grace: '10ms' });
    for (const [time, rows] of [
      ['stream-time', ['a@0/8=3@8']],
      ['watermark', ['a@0/8=3@8']],
    ] as const) {
      const driver = await create(windowed(windows), time);
      assert.deepEqual((await feed(driver, 'a@0 a@8 a@4 b@30')).slice(3), rows);
    }
  });

  test('sessions by watermark: what became part of another is not let through, though its own time is over', async () => {
    const driver = await create(windowed(session({ gap: '5ms', grace: '0ms' })), 'watermark');
    await feed(driver, 'a@0');
    // One step of the slot: the record that makes [0,4] of [0,0], and the one that moves the watermark beyond 0 + gap.
    for (const [key, at] of [
      ['a', 4],
      ['b', 7],
    ] as const)
      await driver.pipeInput(input, { key, value: 1, timestamp: at, partition: 0 });
    await driver.run();
    assert.deepEqual(await driver.output(out), []);
    driver.completeUpTo(input, 1_000);
    await driver.run();
    assert.deepEqual(
      (await driver.output(out)).map(({ key, value }) => `${String(key)}=${String(value)}`),
      ['a@0/4=2', 'b@7/7=1'],
    );
  });

  test('what has no windows waits for none; a buffer of nothing holds nothing', () => {
    const none = untilWindowCloses() as unknown as Suppressed<unknown>;
    assert.throws(() => plain(none), ofCode('SLC_STAGE_SUPPRESS'));
    assert.throws(() => untilTimeLimit('1s', { maxRecords: 0 }), ofCode('SLC_STAGE_SUPPRESS'));
    assert.throws(() => untilWindowCloses({ maxBytes: 0 }), ofCode('SLC_STAGE_SUPPRESS'));
  });

  test('what closes may be windowed again; what is rate-limited still is updates', () => {
    const again = (until: Suppressed<{ key: unknown; start: number; end: number }>) => () =>
      buildTopology(
        [
          stage('s', (s) => {
            s.stream(input)
              .pipe(windowedBy(tumbling({ size: '1s', grace: '0s' })), count({ store: 'c', emit: 'updates' }))
              .suppress({ store: 'w', until })
              .toStream()
              .pipe(
                keyBy((r) => r.key.key),
                windowedBy(tumbling({ size: '1m', grace: '0s' })),
                count({ store: 'again' }),
              );
          }),
        ],
        { app: 'test' },
      );
    assert.ok(again(untilWindowCloses())());
    assert.throws(again(untilTimeLimit('1s')), ofCode('SLC_TOPOLOGY_UPDATES'));
  });
});
