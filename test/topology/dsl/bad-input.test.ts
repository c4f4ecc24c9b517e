/** What each operator does with what no stage asked for: null keys, null values, times before the epoch, records too large. The table in docs/SEMANTICS.md. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  asOfJoin,
  buildTopology,
  checkSinks,
  count,
  dedupe,
  keyBy,
  type KStream,
  mapValues,
  process,
  session,
  sliding,
  sorted,
  stage,
  streamJoin,
  toTable,
  tumbling,
  windowedBy,
  type WindowKey,
} from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { derived, HOUR, jsonSerdes, MINUTE, origin, SECOND } from './support.ts';

interface Click {
  readonly n: number;
}
type Text = KStream<string, string>;

const clicks = origin<Click>('clicks', 1, {}, '0s');
const rates = origin<Click>('rates', 1, {}, '0s');
const out = derived<string>('out', 1);

/** The operator under test: clicks in, text out. */
type Build = (clicks: KStream<string, Click>, rates: KStream<string, Click>) => Text;

const windows = (counted: KStream<WindowKey<string>, number>): Text =>
  counted.pipe(
    mapValues((n) => String(n)),
    keyBy((r) => `${r.key.key}@${r.key.start}/${r.key.end}`),
  );
const numbers = mapValues<string, Click, string>((value) => String(value?.n));
const text = (l: Click | null, r: Click | null): string => `${l?.n}&${r?.n}`;
const within = { before: '1s', after: '1s' } as const;

const operators: Readonly<Record<string, Build>> = {
  tumbling: (s) => windows(s.pipe(windowedBy(tumbling({ size: '10s', grace: '0s' })), count({ store: 'x' }))),
  session: (s) => windows(s.pipe(windowedBy(session({ gap: '10s', grace: '0s' })), count({ store: 'x' }))),
  sliding: (s) => windows(s.pipe(windowedBy(sliding({ difference: '10s', grace: '0s' })), count({ store: 'x' }))),
  sorted: (s) => s.pipe(sorted({ grace: '0s', store: 'x' }), numbers),
  dedupe: (s) => s.pipe(dedupe({ by: (r) => r.value.n, within: '1s', store: 'x' }), numbers),
  'inner join': (l, r) => l.pipe(streamJoin(r, text, { within, grace: '0s', store: 'x', join: 'inner' })),
  'left join': (l, r) => l.pipe(streamJoin(r, text, { within, grace: '0s', store: 'x', join: 'left' })),
  count: (s) =>
    s
      .pipe(count({ store: 'x' }))
      .toStream()
      .pipe(mapValues((n) => String(n))),
  toTable: (s) =>
    s
      .pipe(toTable({ store: 'x' }))
      .toStream()
      .pipe(numbers),
  process: (s) =>
    s.pipe(
      process<string, Click, string, string>({ name: 'x' }, (context) => ({
        process: ({ key, value, timestamp }) =>
          context.forward({ key: key ?? 'none', value: String(value?.n), timestamp }),
      })),
    ),
  mapValues: (s) => s.pipe(numbers),
};

interface Outcome {
  readonly rows: string[];
  readonly dropped: number;
  readonly late: number;
  readonly letters: string[];
}

interface Input {
  readonly key: string | null;
  readonly value: Click | null;
  readonly timestamp: number;
}

async function run(build: Build, inputs: readonly Input[]): Promise<Outcome> {
  const only = stage('only', (s) => {
    build(s.stream(clicks), s.stream(rates)).to(out);
  });
  const driver = await TopologyTestDriver.create({ stages: [only], serdes: jsonSerdes });
  for (const input of inputs) await driver.pipeInput(clicks, { ...input, partition: 0 });
  await driver.run();
  for (const topic of [clicks, rates]) driver.completeUpTo(topic, HOUR);
  await driver.run();
  const rows = (await driver.output(out)).map(({ key, value }) => `${String(key)} ${String(value)}`);
  const { dropped, late } = driver.counts();
  return { rows, dropped, late, letters: driver.deadLetters('only').map(({ code }) => code) };
}

const good: Input = { key: 'k', value: { n: 1 }, timestamp: 5 * SECOND };
const DROPPED: Partial<Outcome> = { dropped: 1, letters: [] };

describe('a null key', () => {
  for (const name of ['tumbling', 'session', 'sliding', 'sorted', 'dedupe', 'inner join', 'count', 'toTable']) {
    test(`is dropped and counted by ${name}`, async () => {
      const build = operators[name]!;
      const clean = await run(build, [good]);
      const outcome = await run(build, [good, { ...good, key: null }]);
      assert.deepEqual(outcome, { ...clean, ...DROPPED });
      assert.ok(clean.rows.length > 0 || name === 'inner join');
    });
  }

  test('leaves a left join alone, and is a dead letter where it is written', async () => {
    const { rows, dropped, letters } = await run(operators['left join']!, [{ ...good, key: null }]);
    assert.deepEqual([rows, dropped, letters], [[], 0, ['SLC_RECORD_KEY']]);
  });

  test('is given to process, and passed on by stateless operators until it is written', async () => {
    const given = await run(operators['process']!, [{ ...good, key: null }]);
    assert.deepEqual([given.rows, given.letters], [['none 1'], []]);
    const passed = await run(operators['mapValues']!, [{ ...good, key: null }]);
    assert.deepEqual([passed.rows, passed.letters], [[], ['SLC_RECORD_KEY']]);
  });
});

describe('a null value', () => {
  for (const name of ['tumbling', 'session', 'sliding', 'dedupe', 'inner join', 'left join', 'count']) {
    test(`is dropped and counted by ${name}`, async () => {
      const build = operators[name]!;
      const outcome = await run(build, [good, { ...good, value: null }]);
      assert.deepEqual(outcome, { ...(await run(build, [good])), ...DROPPED });
    });
  }

  for (const name of ['sorted', 'process', 'mapValues', 'toTable']) {
    test(`is given on by ${name}`, async () => {
      const { rows, dropped, letters } = await run(operators[name]!, [{ ...good, value: null }]);
      assert.deepEqual([rows, dropped, letters], [['k undefined'], 0, []]);
    });
  }

  test('deletes the row of a table, and an as-of join finds none', async () => {
    const only = stage('only', (s) => {
      s.stream(clicks)
        .pipe(
          asOfJoin(s.table(rates, { store: 'rates' }), (click, rate) => `${click.n}@${rate?.n}`, {
            grace: '1s',
            tableGrace: '1s',
            store: 'x',
            join: 'left',
          }),
        )
        .to(out);
    });
    const driver = await TopologyTestDriver.create({ stages: [only], serdes: jsonSerdes });
    const rate = (value: Click | null, timestamp: number) =>
      driver.pipeInput(rates, { key: 'k', value, timestamp, partition: 0 });
    await rate({ n: 7 }, 1 * SECOND);
    await rate(null, 3 * SECOND);
    for (const timestamp of [2 * SECOND, 4 * SECOND])
      await driver.pipeInput(clicks, { key: 'k', value: { n: 1 }, timestamp, partition: 0 });
    for (const topic of [clicks, rates]) driver.completeUpTo(topic, HOUR);
    await driver.run();
    assert.deepEqual(
      (await driver.output(out)).map(({ value }) => value),
      ['1@7', '1@undefined'],
    );
  });
});

describe('a time before the epoch', () => {
  const before: readonly Input[] = [-25 * SECOND, -21 * SECOND, -1].map((timestamp, i) => {
    return { key: 'k', value: { n: i }, timestamp };
  });

  test('is a time like others: windows are aligned to the epoch on both sides of it', async () => {
    const { rows, late, dropped, letters } = await run(operators['tumbling']!, before);
    assert.deepEqual(rows, ['k@-30000/-20000 2', 'k@-10000/0 1']);
    assert.deepEqual([late, dropped, letters], [0, 0, []]);
  });

  test('and so for sessions, the sorter and joins', async () => {
    assert.deepEqual((await run(operators['session']!, before)).rows, ['k@-25000/-21000 2', 'k@-1/-1 1']);
    assert.deepEqual((await run(operators['sorted']!, before)).rows, ['k 0', 'k 1', 'k 2']);
    const alone = await run(operators['left join']!, before);
    assert.deepEqual(alone.rows, ['k 0&undefined', 'k 1&undefined', 'k 2&undefined']);
  });

  test('survives a crash: its state is restored', async () => {
    const only = stage('only', (s) => {
      operators['tumbling']!(s.stream(clicks), s.stream(rates)).to(out);
    });
    const driver = await TopologyTestDriver.create({ stages: [only], serdes: jsonSerdes });
    for (const input of before) {
      await driver.pipeInput(clicks, { ...input, partition: 0 });
      await driver.run();
      driver.crash(0);
    }
    driver.completeUpTo(clicks, HOUR);
    await driver.run();
    assert.equal((await driver.output(out)).length, 2);
  });
});

describe('a time far in the future', () => {
  test('beyond the limit of its source is a dead letter, moves no clock, and the limit is per source', async () => {
    const strict = origin<Click & { at: number }>('strict', 1, { receivedAt: ({ at }) => at }, '0s');
    const only = stage('only', (s) => {
      s.stream(strict).pipe(numbers).to(out);
      windows(s.stream(clicks).pipe(windowedBy(tumbling({ size: '10s', grace: '0s' })), count({ store: 'x' })));
    });
    const driver = await TopologyTestDriver.create({ stages: [only], serdes: jsonSerdes });
    const put = (timestamp: number) =>
      driver.pipeInput(strict, { key: 'k', value: { n: 1, at: MINUTE }, timestamp, partition: 0 });
    for (const timestamp of [HOUR + MINUTE + 1, 50 * 365 * 24 * HOUR, MINUTE, HOUR + MINUTE]) await put(timestamp);
    // Nobody says when it was received: no limit.
    await driver.pipeInput(clicks, { key: 'k', value: { n: 1 }, timestamp: 50 * 365 * 24 * HOUR, partition: 0 });
    await driver.run();
    assert.deepEqual(
      driver.deadLetters('only').map(({ code }) => code),
      ['SLC_RECORD_AHEAD', 'SLC_RECORD_AHEAD'],
    );
    assert.deepEqual(
      (await driver.output(out)).map(({ originWatermark }) => originWatermark),
      [MINUTE, HOUR + MINUTE],
    );
  });
});

describe('a record larger than the limit', () => {
  test('is a dead letter, and the next one is processed', async () => {
    const only = stage('only', (s) => {
      s.stream(clicks)
        .pipe(mapValues(({ n }) => 'x'.repeat(n)))
        .to(out);
    });
    const driver = await TopologyTestDriver.create({ stages: [only], serdes: jsonSerdes });
    for (const n of [2, 1_100_000, 3])
      await driver.pipeInput(clicks, { key: 'k', value: { n }, timestamp: n, partition: 0 });
    await driver.run();
    assert.deepEqual(
      (await driver.output(out)).map(({ value }) => value),
      ['xx', 'xxx'],
    );
    assert.deepEqual(
      driver.deadLetters('only').map(({ code }) => code),
      ['SLC_RECORD_TOO_LARGE'],
    );
  });
});

describe('a sink that only appends', () => {
  const updates = stage('updates', (s) => {
    s.stream(clicks)
      .pipe(count({ store: 'x' }))
      .toStream()
      .pipe(mapValues((n) => String(n)))
      .to(out);
  });
  const finals = stage('finals', (s) => {
    operators['tumbling']!(s.stream(clicks), s.stream(rates)).to(out);
  });
  const sinkOf = (appendsOnly: boolean) => {
    const none = (): never => assert.fail('no sink is started here');
    const sink = { name: 'log', appendsOnly, open: none, claim: none, close: none };
    return [{ name: 'log', topics: [out], sink }] as unknown as Parameters<typeof checkSinks>[1];
  };

  test('is refused a topic of updates, before it starts', () => {
    const refused = { name: 'TopologyError', code: 'SLC_TOPOLOGY_SINK_UPDATES' };
    assert.throws(() => checkSinks(buildTopology([updates], { app: 'a' }), sinkOf(true)), refused);
  });

  test('takes finals; one that keeps the last value per key takes both; stream-time promises every update', () => {
    checkSinks(buildTopology([finals], { app: 'a' }), sinkOf(true));
    checkSinks(buildTopology([updates], { app: 'a' }), sinkOf(false));
    checkSinks(buildTopology([updates], { app: 'a', time: 'stream-time' }), sinkOf(true));
  });
});
