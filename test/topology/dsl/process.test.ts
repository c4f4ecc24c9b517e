/** The Processor API: stores, punctuation by event time and by the wall clock, what goes wrong. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildTopology, keyBy, keyValueStore, process, sorted, stage, type Stage } from '#topology';
import { TopologyTestDriver } from '#topology/testing';
import { derived, jsonSerdes, origin } from './support.ts';

const input = origin<number>('in', 1, {}, '5ms');
const many = origin<number>('many', 2, {}, '5ms');
const out = derived<unknown>('out');
const codeOf = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

/** Counts per key; tells the counts at every 10 ms of event time. */
const counting = (options: { readonly wall?: boolean } = {}): Stage =>
  stage('counting', (s) => {
    const stores = { counts: keyValueStore<string, number>('counts') };
    const every = options.wall === true ? ({ wallClockEvery: '1s' } as const) : ({ eventTimeEvery: '10ms' } as const);
    s.stream(input)
      .pipe(
        process<string, number, string, unknown, typeof stores>({ name: 'counter', stores, ...every }, (context) => ({
          process: ({ key, value, timestamp }) => {
            context.forward({ key, value: 'seen', timestamp });
            if (value < 0) throw new Error('negative');
            context.stores.counts.put(key, (context.stores.counts.get(key) ?? 0) + value);
          },
          onEventTime: (time) => {
            for (const [key, n] of context.stores.counts.entries())
              context.forward({ key, value: `${n} before ${time}`, timestamp: time - 1 });
          },
          onWallClock: (now) => context.forward({ key: 'wall', value: now, timestamp: 0 }),
        })),
      )
      .to(out);
  });

const values = async (driver: TopologyTestDriver): Promise<unknown[]> =>
  (await driver.output(out)).map(({ key, value, timestamp }) => `${String(key)} ${String(value)} @${timestamp}`);

describe('process', () => {
  test('says how far back its stores decide: all the way, unless it is told', () => {
    const reachOf = (options: object): number | undefined => {
      const made = stage('reach', (s) => {
        s.stream(input)
          .pipe(
            process<string, number, string, number>({ name: 'p', ...options }, () => ({ process: () => undefined })),
          )
          .to(out);
      });
      return made.graph.nodes.find(({ spec }) => spec.kind === 'process')?.spec.reachMs;
    };
    const stores = { seen: keyValueStore<string, number>('seen') };
    assert.equal(reachOf({}), undefined);
    assert.equal(reachOf({ stores }), Infinity);
    assert.equal(reachOf({ stores, remembers: '2h' }), 7_200_000);
  });

  test('event-time punctuation fires at every multiple, before the record that is beyond it', async () => {
    const driver = await TopologyTestDriver.create({ stages: [counting()], serdes: jsonSerdes });
    for (const [value, timestamp] of [
      [1, 12],
      [2, 26],
      [3, 47],
    ] as const)
      await driver.pipeInput(input, { key: 'a', value, timestamp });
    await driver.run();
    driver.completeUpTo(input, 56);
    await driver.run();
    assert.deepEqual(await values(driver), [
      'a seen @12', // ow 7
      'a 1 before 10 @9',
      'a 1 before 20 @19',
      'a seen @26',
      'a 3 before 30 @29',
      'a 3 before 40 @39',
      'a seen @47',
      'a 6 before 50 @49',
    ]);
  });

  test('an exception sends nothing on, and the record to the dead-letter topic', async () => {
    const driver = await TopologyTestDriver.create({ stages: [counting()], serdes: jsonSerdes });
    await driver.pipeInput(input, { key: 'a', value: -1, timestamp: 12 });
    await driver.pipeInput(input, { key: 'a', value: 2, timestamp: 13 });
    await driver.run();
    assert.deepEqual(await values(driver), ['a seen @13']);
    assert.equal(driver.deadLetters('counting').length, 1);
  });

  test('wall-clock punctuation fires by the clock, and is marked', async () => {
    const driver = await TopologyTestDriver.create({ stages: [counting({ wall: true })], serdes: jsonSerdes });
    await driver.pipeInput(input, { key: 'a', value: 1, timestamp: 12 });
    await driver.run();
    for (const ms of [600, 600, 600]) {
      driver.advanceWallClock(ms);
      await driver.run();
    }
    assert.deepEqual(await values(driver), ['a seen @12', 'wall 1200 @0']);
    const text = driver.topology.describe();
    assert.match(text, /process counter .*no function of the log: wall-clock punctuation/);
    assert.match(text, /sink .*no function of the log/);
  });

  test('an order that differs from run to run is refused, behind sorted() it is taken', () => {
    const staged = (inOrder: boolean): Stage =>
      stage('ordered', (s) => {
        const keyed = s.stream(many).pipe(keyBy((r) => `${r.value}`, { name: 'by-value' }));
        const last = process<string, number, string, number>({ name: 'last' }, (context) => ({
          process: (record) => context.forward(record),
        }));
        if (inOrder) keyed.pipe(sorted({ store: 'wait', grace: '0s' }), last).to(out);
        else keyed.pipe(last).to(out);
      });
    assert.throws(() => buildTopology([staged(false)], { app: 'a' }), codeOf('SLC_TOPOLOGY_ORDER'));
    buildTopology([staged(true)], { app: 'a' });
  });

  test('what keeps its keys needs no repartition topic behind it; another key stops the task', async () => {
    const staged = (options: { readonly keepsKeys?: true }, key: (of: string) => string): Stage =>
      stage('kept', (s) => {
        s.stream(input)
          .pipe(
            process<string, number, string, number>({ name: 'keeper', ...options }, (context) => ({
              process: (record) => context.forward({ ...record, key: key(record.key) }),
            })),
            sorted({ store: 'wait', grace: '0s' }),
          )
          .to(out);
      });
    const internal = (made: Stage): number => buildTopology([made], { app: 'a' }).internalTopics.length;
    const same = staged({ keepsKeys: true }, (key) => key);
    assert.equal(internal(same), internal(staged({}, (key) => key)) - 1);
    const driver = await TopologyTestDriver.create({ stages: [same], serdes: jsonSerdes });
    await driver.pipeInput(input, { key: 'a', value: 1, timestamp: 1 });
    driver.completeUpTo(input, 9);
    await driver.run();
    assert.deepEqual(await values(driver), ['a 1 @1']);
    const broken = await TopologyTestDriver.create({
      stages: [staged({ keepsKeys: true }, () => 'b')],
      serdes: jsonSerdes,
    });
    await broken.pipeInput(input, { key: 'a', value: 1, timestamp: 1 });
    await assert.rejects(broken.run(), codeOf('SLC_STAGE_KEY_CHANGED'));
  });

  test('what is forwarded later, and an interval of nothing, are errors', async () => {
    const leak: (() => void)[] = [];
    const leaking = stage('leaking', (s) => {
      s.stream(input)
        .pipe(
          process<string, number, string, number>({ name: 'leak' }, (context) => ({
            process: (record) => void leak.push(() => context.forward(record)),
          })),
        )
        .to(out);
    });
    const driver = await TopologyTestDriver.create({ stages: [leaking], serdes: jsonSerdes });
    await driver.pipeInput(input, { key: 'a', value: 1, timestamp: 1 });
    await driver.run();
    assert.throws(() => leak[0]?.(), codeOf('SLC_STAGE_ASYNC_EMISSION'));
    assert.throws(
      () => process({ name: 'x', eventTimeEvery: '0s' }, () => ({ process: () => undefined })),
      codeOf('SLC_STAGE_PROCESS'),
    );
  });
});
