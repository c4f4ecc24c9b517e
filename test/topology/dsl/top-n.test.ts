/** topN: by hand, and on random logs with crashes and replays against sorting everything. SLUICE_SEED repeats a seed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  buildTopology,
  mapValues,
  type Pin,
  stage,
  topN,
  type TopNOptions,
  tumbling,
  windowedBy,
  keyBy,
} from '#topology';
import { random, TopologyTestDriver } from '#topology/testing';
import { clocked, type Logged, OUT_OF_ORDERNESS } from '../runtime/random-topology.ts';
import { derived, driverOf, HOUR, jsonSerdes, named, origin, out, rows, SECOND } from './support.ts';

interface Sum {
  readonly item: string;
  readonly revenue: number | bigint | null;
}
const sums = origin<Sum>('sums');
const minute = tumbling({ size: '1m', grace: '0s' });
const ranked = (n: number, options: Omit<TopNOptions<Sum, 'final'>, 'store'> = {}) =>
  stage('ranked', (s) => {
    named(
      s.stream(sums).pipe(
        windowedBy(minute),
        topN(n, ({ revenue }) => revenue as number, { store: 'top', ...options }),
      ),
    ).to(out);
  });

describe('topN', () => {
  const put = (driver: TopologyTestDriver, item: string, revenue: Sum['revenue'], at: number): Promise<bigint> =>
    driver.pipeInput(sums, { key: 'x', value: { item, revenue }, timestamp: at * SECOND });

  test('the largest per window, ties by `tie`, once per closed window', async () => {
    const driver = await driverOf(ranked(3, { tie: (sum) => sum.item }));
    for (const [item, revenue, at] of [
      ['d', 5, 1],
      ['c', 7, 2],
      ['b', 5, 3],
      ['a', 5, 4],
      ['e', 9, 61],
    ] as const)
      await put(driver, item, revenue, at);
    await driver.run();
    assert.deepEqual(await rows(driver), []);
    driver.completeUpTo(sums, HOUR);
    await driver.run();
    const list = (...items: (readonly [string, number])[]): string =>
      JSON.stringify(items.map(([item, revenue]) => ({ item, revenue })));
    assert.deepEqual(await rows(driver), [`x@0 ${list(['c', 7], ['a', 5], ['b', 5])}`, `x@60 ${list(['e', 9])}`]);
  });

  test('bigints beyond 2^53; a score without a place in the order is a dead letter and leaves no trace', async () => {
    const driver = await driverOf(ranked(2));
    const big = 2n ** 60n;
    await put(driver, 'less', big, 1);
    await put(driver, 'more', big + 1n, 2);
    for (const revenue of [null, Number.NaN]) await put(driver, 'none', revenue, 3);
    driver.completeUpTo(sums, HOUR);
    await driver.run();
    assert.deepEqual(
      (await driver.output(out)).map(({ value }) => (value as Sum[]).map((sum) => sum.item)),
      [['more', 'less']],
    );
    assert.deepEqual(
      driver.deadLetters('ranked').map(({ code }) => code),
      ['SLC_RECORD_SCORE', 'SLC_RECORD_SCORE'],
    );
  });

  test('describes how many it keeps: state of another number is none of its own', () => {
    const detail = (n: number) =>
      buildTopology([ranked(n)], { app: 'test' })
        .subTopologies.flatMap(({ nodes }) => nodes)
        .find(({ spec }) => spec.kind === 'topN')?.spec.detail;
    assert.deepEqual([detail(2), detail(3)], ['2 values, emit final', '3 values, emit final']);
  });

  test('a number of values that cannot be kept is refused', () => {
    for (const n of [0, -1, 1.5, Number.NaN, 10_001]) {
      assert.throws(
        () => ranked(n),
        (error: unknown) => (error as { code?: string }).code === 'SLC_TOPOLOGY_TOP_N',
      );
    }
  });
});

const PARTITIONS = 3;
const SIZE = 30;
const GRACE = 3;
const N = 4;
const SEEDS = 60;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
interface Scored {
  readonly key: string;
  readonly score: number;
  readonly tie: string;
  readonly content: number;
}
interface Top {
  readonly start: number;
  readonly key: string;
  readonly top: readonly Scored[];
}
const scored = origin<Scored>('scored', PARTITIONS, {}, `${OUT_OF_ORDERNESS}ms`);
const finals = derived<Top>('finals', PARTITIONS);
const updates = derived<Top>('updates', PARTITIONS);
const windows = tumbling({ size: `${SIZE}ms`, grace: `${GRACE}ms` });
/** Not the order of the content. */
const options = { tie: (value: Scored) => -value.tie.charCodeAt(0) };
const stages = [
  stage('finals', (s) => {
    s.stream(scored)
      .pipe(
        keyBy((r) => r.value.key),
        windowedBy(windows),
        topN(N, (value) => value.score, { ...options, store: 'finals' }),
        mapValues((top, { key, start }) => ({ key, start, top })),
        keyBy((r) => `${r.value.key}@${r.value.start}`),
      )
      .to(finals);
  }),
  stage('updates', (s) => {
    s.stream(scored)
      .pipe(
        keyBy((r) => r.value.key),
        windowedBy(windows),
        topN(N, (value) => value.score, { ...options, store: 'updates', emit: 'updates' }),
      )
      .toStream()
      .pipe(
        mapValues((top, { key, start }) => ({ key, start, top })),
        keyBy((r) => `${r.value.key}@${r.value.start}`),
      )
      .to(updates);
  }),
];

const text = ({ key, start, top }: Top): string =>
  `${key}@${start} ${top.map(({ score, tie, content }) => `${score}${tie}${content}`).join(' ')}`;

function expected(log: readonly Logged<Scored>[], pins: readonly Pin[]): { finals: string[]; updates: string[] } {
  const clocks = Array.from({ length: PARTITIONS }, (_, p) => clocked(scored.name, p, log, pins));
  const M = Math.min(...clocks.map((clock) => clock.end));
  const all = clocks.flatMap((clock) => clock.records);
  const startOf = (timestamp: number): number => Math.floor(timestamp / SIZE) * SIZE;
  const accepted = all.filter((r) => r.ow < startOf(r.timestamp) + SIZE + GRACE);
  const panes = Map.groupBy(accepted, (r) => `${r.value.key}@${startOf(r.timestamp)}`);
  const tops = [...panes.values()].map((records): Top => {
    const values = records
      .map((r) => r.value)
      .sort(
        // All contents have one digit, so their JSON is in the order of the numbers.
        (a, b) => b.score - a.score || b.tie.charCodeAt(0) - a.tie.charCodeAt(0) || a.content - b.content,
      );
    return { key: values[0]!.key, start: startOf(records[0]!.timestamp), top: values.slice(0, N) };
  });
  const closed = tops.filter(({ start }) => M >= start + SIZE + GRACE);
  return { finals: closed.map(text).sort(), updates: tops.map(text).sort() };
}

async function found(driver: TopologyTestDriver): Promise<{ finals: string[]; updates: string[] }> {
  const last = await driver.table(updates);
  const once = (await driver.output(finals)).map(({ value }) => text(value as Top));
  return { finals: once.sort(), updates: [...last.values()].map((value) => text(value as Top)).sort() };
}

async function feed(driver: TopologyTestDriver, seed: number): Promise<Logged<Scored>[]> {
  const g = random(seed);
  const log: Logged<Scored>[] = [];
  let now = 100;
  for (let n = 0; n < 100; n++) {
    now += g.chance(0.05) ? g.int(0, 40) : g.int(0, 2);
    const behind = g.chance(0.4) ? g.int(0, 2 * OUT_OF_ORDERNESS) : g.chance(0.1) ? g.int(0, 40) : 0;
    const value = { key: `k${g.int(0, 1)}`, score: g.int(-2, 2), tie: g.chance(0.5) ? 'a' : 'b', content: g.int(0, 5) };
    const record = { key: `r${n}`, value, timestamp: now - behind };
    const partition = g.int(0, PARTITIONS - 1);
    log.push({ ...record, partition, offset: await driver.pipeInput(scored, { ...record, partition }) });
    if (g.chance(0.05)) driver.completeUpTo(scored, now + g.int(-10, 6));
    if (g.chance(0.3)) await driver.run(g.int(1, 12));
  }
  driver.completeUpTo(scored, now + g.int(0, 60));
  await driver.run();
  return log;
}

test('random logs, with crashes and in a replay: the first n of all that was accepted', async (t) => {
  t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
  let windows = 0;
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const crashes = seed % 2 === 0 ? 0 : 0.1;
    const driver = await TopologyTestDriver.create({ stages, serdes: jsonSerdes, seed, crashes });
    const log = await feed(driver, seed);
    const wanted = expected(log, driver.pins());
    assert.deepEqual(await found(driver), wanted, `SLUICE_SEED=${seed}`);
    const replay = await TopologyTestDriver.create({ stages, serdes: jsonSerdes, seed: seed + 1, pins: driver.pins() });
    for (const { partition, ...record } of log) await replay.pipeInput(scored, { ...record, partition });
    await replay.run();
    assert.deepEqual(await found(replay), wanted, `SLUICE_SEED=${seed}, replayed`);
    windows += wanted.finals.length;
  }
  t.diagnostic(`${windows} windows closed`);
  assert.ok(windows > 5 * SEEDS);
});
