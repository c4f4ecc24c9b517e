/** Stream joins by hand: both time policies, both sides, repartitioned or not, what is refused. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  buildTopology,
  count,
  keyBy,
  mapValues,
  type Stage,
  stage,
  streamJoin,
  type StreamJoinOptions,
  TopologyError,
  tumbling,
  windowedBy,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin } from './support.ts';

const left = origin<string>('left', 1, {}, '0ms');
const right = origin<string>('right', 1, {}, '0ms');
const out = derived<string>('out', 1);

type Join = 'inner' | 'left' | 'outer';
type Times = Pick<StreamJoinOptions, 'within' | 'grace'>;

const joined = (join: Join, times: Times): Stage =>
  stage('joined', (s) => {
    const pair = (l: string | null, r: string | null): string => {
      if (r === 'bad') throw new Error('bad');
      return `${l}${r}`;
    };
    s.stream(left)
      .pipe(
        streamJoin(s.stream(right), pair, { ...times, store: 'join', join: join as 'outer' }),
        keyBy((r) => r.key ?? 'none'),
      )
      .to(out);
  });

const drive = (build: Stage, time: 'watermark' | 'stream-time' = 'watermark'): Promise<TopologyTestDriver> =>
  TopologyTestDriver.create({ stages: [build], serdes: jsonSerdes, time });

/** Feeds `side:value@time` one by one, all of key k (of none with an upper-case side); gives `value@time` of what came out, a list per step. */
async function feed(driver: TopologyTestDriver, timeline: string, crash = false): Promise<string[]> {
  const seen: string[] = [];
  let known = 0;
  for (const each of timeline.split(' ')) {
    const [, side = '', value = '', at] = /^(\w):(\w+)@(\d+)$/.exec(each) ?? [];
    const key = side === side.toLowerCase() ? 'k' : null;
    const topic = side.toLowerCase() === 'l' ? left : right;
    await driver.pipeInput(topic, { key, value, timestamp: Number(at), partition: 0 });
    await driver.run();
    const rows = await driver.output(out);
    seen.push(
      rows
        .slice(known)
        .map((r) => `${String(r.value)}@${r.timestamp}`)
        .join(' '),
    );
    known = rows.length;
    if (crash) driver.crash(0);
  }
  return seen;
}

async function complete(driver: TopologyTestDriver, at: number): Promise<string[]> {
  for (const topic of [left, right]) driver.completeUpTo(topic, at);
  await driver.run();
  return (await driver.output(out)).map((r) => `${String(r.value)}@${r.timestamp}/${r.originWatermark}`);
}

const ofCode = (code: string) => (error: unknown) => error instanceof TopologyError && error.code === code;

describe('streamJoin by watermark', () => {
  test('before and after, both ends included, pairs at once', async () => {
    const driver = await drive(joined('inner', { within: { before: '2ms', after: '5ms' }, grace: '100ms' }));
    const seen = await feed(driver, 'l:a@10 r:u@7 r:v@8 r:w@15 r:x@16 l:b@18');
    assert.deepEqual(seen, ['', '', 'av@10', 'aw@15', '', 'bx@18']);
  });

  test('who finds none leaves alone when none can come any more: not one instant before, and once', async () => {
    const driver = await drive(joined('outer', { within: { before: '2ms', after: '5ms' }, grace: '3ms' }));
    await feed(driver, 'l:a@10 r:u@7');
    // The right one may be matched until 7 + 2 + 3, the left one until 10 + 5 + 3.
    assert.deepEqual(await complete(driver, 12), []);
    assert.deepEqual(await complete(driver, 13), ['nullu@7/7']);
    driver.crash(0);
    assert.deepEqual(await complete(driver, 18), ['nullu@7/7']);
    driver.crash(0);
    assert.deepEqual(await complete(driver, 19), ['nullu@7/7', 'anull@10/10']);
    driver.crash(0);
    assert.deepEqual(await complete(driver, 1_000), ['nullu@7/7', 'anull@10/10']);
    assert.equal(driver.store('join', 0).size, 0);
    assert.deepEqual(
      driver.changelog('join').map((entries) => entries.size),
      [0],
    );
  });

  test('a left join keeps the left ones only; inner keeps nobody', async () => {
    for (const [join, rows] of [
      ['left', ['anull@10/10']],
      ['inner', []],
    ] as const) {
      const driver = await drive(joined(join, { within: '1ms', grace: '0ms' }));
      await feed(driver, 'l:a@10 r:u@20');
      assert.deepEqual(await complete(driver, 1_000), rows);
    }
  });

  test('a record after its grace is late, with the reason, and is in no pair', async () => {
    const driver = await drive(joined('left', { within: '100ms', grace: '3ms' }));
    const seen = await feed(driver, 'l:a@10 l:b@20 r:u@20 l:c@17 l:d@16');
    assert.deepEqual(seen, ['', '', 'au@20 bu@20', 'cu@20', '']);
    const [late] = driver.late('joined');
    assert.deepEqual([late?.reason, late?.latenessMs, late?.value], ['record after the join was complete', 1, 'd']);
  });

  test('no key: nobody to join with; no value: nothing', async () => {
    const driver = await drive(joined('outer', { within: '5ms', grace: '0ms' }));
    await driver.pipeInput(left, { key: 'k', value: null, timestamp: 1, partition: 0 });
    assert.deepEqual(await feed(driver, 'L:a@2 R:u@2 l:b@3'), ['anull@2', 'nullu@2', '']);
    assert.equal(driver.counts().dropped, 1);
    const inner = await drive(joined('inner', { within: '5ms', grace: '0ms' }));
    assert.deepEqual(await feed(inner, 'L:a@2 R:u@2'), ['', '']);
    assert.equal(inner.counts().dropped, 2);
  });

  test('a pair that the joiner fails for is a dead letter, the others are not', async () => {
    const driver = await drive(joined('left', { within: '50ms', grace: '0ms' }));
    assert.deepEqual(await feed(driver, 'r:u@1 r:bad@2 r:v@3 l:a@4'), ['', '', '', 'au@4 av@4']);
    assert.deepEqual(
      driver.deadLetters('joined').map(({ code }) => code),
      ['SLC_RECORD_PROCESS'],
    );
    assert.deepEqual((await complete(driver, 1_000)).length, 2);
  });

  test('state survives: pairs with what came before a crash', async () => {
    const driver = await drive(joined('outer', { within: '10ms', grace: '50ms' }));
    assert.deepEqual(await feed(driver, 'l:a@10 r:u@20 r:v@21 l:b@15', true), ['', 'au@20', '', 'bu@20 bv@21']);
    assert.deepEqual((await complete(driver, 1_000)).length, 3);
  });

  test('a stream joins itself', async () => {
    const self = stage('joined', (s) => {
      const stream = s.stream(left);
      stream
        .pipe(streamJoin(stream, (a, b) => `${a}${b}`, { within: '5ms', grace: '0ms', store: 'join', join: 'inner' }))
        .to(out);
    });
    assert.deepEqual(await feed(await drive(self), 'l:a@1 l:b@4'), ['aa@1', 'ba@4 ab@4 bb@4']);
  });
});

describe('streamJoin by stream time', () => {
  test('who leaves alone does so before the pairs of the record that moves the time', async () => {
    for (const crash of [false, true]) {
      const driver = await drive(joined('left', { within: '5ms', grace: '2ms' }), 'stream-time');
      const seen = await feed(driver, 'l:a@0 l:b@1 r:x@7 r:y@8 l:c@9 r:z@9', crash);
      assert.deepEqual(seen, ['', '', '', 'anull@0', 'bnull@1 cx@9 cy@9', 'cz@9']);
    }
  });

  test('who comes behind its reach leaves alone at once, though the grace has not passed', async () => {
    const driver = await drive(joined('left', { within: '5ms', grace: '1h' }), 'stream-time');
    const seen = await feed(driver, 'l:a@100 l:b@95 l:c@94 r:u@97');
    assert.deepEqual(seen, ['', '', 'cnull@94', 'cu@97 bu@97 au@100']);
    assert.equal(driver.counts().late, 0);
  });
});

describe('the topology of a stream join', () => {
  const options = { within: '1m', grace: '0s', store: 'join', join: 'inner' } as const;
  const names = (build: Stage): string[] =>
    buildTopology([build], { app: 'test' }).internalTopics.map(({ name, partitions }) => `${name}:${partitions}`);

  test('a side with another key is repartitioned, as wide as the other one', () => {
    const four = origin<string>('four', 4);
    const rekeyed = keyBy<string, string, string>((r) => r.value);
    const sides = (l: boolean, r: boolean): Stage =>
      stage('s', (s) => {
        const other = r ? s.stream(four).pipe(rekeyed) : s.stream(four);
        const one = l ? s.stream(left).pipe(rekeyed) : s.stream(four);
        one.pipe(streamJoin(other, (a, b) => a + b, options)).to(out);
      });
    assert.deepEqual(names(sides(true, false)), ['test-join-repartition:4']);
    assert.deepEqual(names(sides(false, true)), ['test-join-right-repartition:4']);
    // Neither side says how wide: both as the wider of what they are made from.
    assert.deepEqual(names(sides(true, true)), ['test-join-repartition:4', 'test-join-right-repartition:4']);
  });

  test('refused: other partitions, updates of a table, a stream of another stage, negative times', () => {
    const three = origin<string>('three', 3);
    const uneven = stage('s', (s) =>
      s
        .stream(three)
        .pipe(streamJoin(s.stream(left), (a, b) => a + b, options))
        .to(out),
    );
    assert.throws(() => buildTopology([uneven], { app: 'test' }), ofCode('SLC_TOPOLOGY_COPARTITION'));
    const updates = stage('s', (s) => {
      const counts = s
        .stream(left)
        .pipe(count({ store: 'c' }))
        .toStream()
        .pipe(mapValues((n) => String(n)));
      s.stream(left)
        .pipe(streamJoin(counts, (a, b) => a + b, options))
        .to(out);
    });
    assert.throws(() => buildTopology([updates], { app: 'test' }), ofCode('SLC_TOPOLOGY_UPDATES'));
    stage('one', (one) => {
      const foreign = one.stream(left);
      const two = (): Stage =>
        stage('two', (s) =>
          s
            .stream(left)
            .pipe(streamJoin(foreign, (a, b) => a + b, options))
            .to(out),
        );
      assert.throws(two, ofCode('SLC_STAGE_JOIN'));
    });
    for (const times of [{ within: { before: '-1ms', after: '1ms' } }, { grace: '-1ms' }] as const) {
      assert.throws(
        () => streamJoin({ node: {} } as never, () => 1, { ...options, ...times } as never),
        /SLC_|duration/,
      );
    }
  });

  test('pairs may be windowed: what they promise downstream holds', async () => {
    const twoStages = stage('joined', (s) => {
      s.stream(left)
        .pipe(
          streamJoin(s.stream(right), (a, b) => `${a}${b}`, {
            within: '5ms',
            grace: '3ms',
            store: 'join',
            join: 'left',
          }),
          windowedBy(tumbling({ size: '10ms', grace: '3ms' })),
          count({ store: 'counts' }),
          mapValues((n, { start }) => `${start}=${n}`),
          keyBy((r) => r.key.key),
        )
        .to(out);
    });
    const driver = await drive(twoStages);
    await feed(driver, 'l:a@9 r:u@14 l:b@9 r:v@12 l:c@2');
    // a and b make two pairs each; c is late. Nothing is lost between the two.
    assert.deepEqual(await complete(driver, 1_000), ['10=4@19/19']);
    assert.equal(driver.late('joined').length, 1);
  });
});
