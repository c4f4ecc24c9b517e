/** dedupe and sorted: by hand, and on random logs with crashes and replays against their definition. SLUICE_SEED repeats a seed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  buildTopology,
  dedupe,
  keyBy,
  mapValues,
  type Pin,
  sorted,
  type Stage,
  stage,
  type StreamRecord,
} from '#topology';
import { random, TopologyTestDriver } from '#topology/testing';
import { clocked, type Logged, OUT_OF_ORDERNESS } from '../runtime/random-topology.ts';
import { derived, driverOf, jsonSerdes, origin, out, rows, SECOND } from './support.ts';

interface Click {
  readonly id: string;
  readonly user: string;
}
const clicks = origin<Click>('clicks', 2);
const byId = (r: StreamRecord<string, Click>): string => r.value.id;
const once = stage('once', (s) => {
  s.stream(clicks)
    .pipe(dedupe({ by: byId, within: '1m', store: 'seen' }))
    .to(out);
});

describe('dedupe', () => {
  const click = (driver: TopologyTestDriver, id: string, at: number, user = 'x'): Promise<bigint> =>
    driver.pipeInput(clicks, { key: 'k', value: { id, user }, timestamp: at * SECOND, partition: 0 });

  test('the first of the log stays, within the horizon before and after it', async () => {
    const driver = await driverOf(once);
    for (const [id, at, user] of [
      ['a', 100, 'first'],
      ['a', 100, 'second'],
      ['a', 40, '60 s before'],
      ['a', 160, '60 s after'],
      ['a', 161, 'beyond'],
      ['b', 100, 'another'],
    ] as const)
      await click(driver, id, at, user);
    await driver.run();
    assert.deepEqual(
      (await driver.output(out)).map(({ value, timestamp, originWatermark }) => [
        (value as Click).user,
        timestamp / SECOND,
        (originWatermark ?? NaN) / SECOND,
      ]),
      [
        ['first', 100, 90],
        ['beyond', 161, 151],
        ['another', 100, 151],
      ],
    );
  });

  test('another key is another record; kinds of keys are told apart', async () => {
    const driver = await driverOf(
      stage('mixed', (s) => {
        s.stream(clicks)
          .pipe(dedupe({ by: (r) => (r.value.user === 'n' ? 1 : '1'), within: '1m', store: 'seen' }))
          .to(out);
      }),
    );
    for (const [key, user] of [
      ['k', 'n'],
      ['k', 't'],
      ['l', 'n'],
      ['l', 'n'],
    ] as const)
      await driver.pipeInput(clicks, { key, value: { id: key, user }, timestamp: 0, partition: 0 });
    await driver.run();
    assert.deepEqual(await rows(driver), [
      'k {"id":"k","user":"n"}',
      'k {"id":"k","user":"t"}',
      'l {"id":"l","user":"n"}',
    ]);
  });

  test('with a grace of its own it takes what is so old, and holds what was seen for both', async () => {
    const graced = stage('graced', (s) => {
      s.stream(clicks)
        .pipe(dedupe({ by: byId, within: '1m', grace: '5s', store: 'seen' }))
        .to(out);
    });
    const driver = await driverOf(graced);
    await click(driver, 'a', 100);
    driver.completeUpTo(clicks, 165 * SECOND + 10 * SECOND);
    await driver.run();
    assert.equal(driver.store('seen', 0).size, 1); // M = 165 s = t + within + grace
    await click(driver, 'a', 160, 'again');
    await click(driver, 'b', 159, 'late');
    driver.completeUpTo(clicks, 165 * SECOND + 10 * SECOND + 1);
    await driver.run();
    assert.equal(driver.store('seen', 0).size, 0);
    assert.equal((await driver.output(out)).length, 1);
    assert.deepEqual(
      driver.late('graced').map(({ reason, latenessMs }) => [reason, latenessMs]),
      [['record after its horizon', SECOND]],
    );
  });

  test('forgets behind the watermark, and refuses what it may have forgotten', async () => {
    const driver = await driverOf(once);
    await click(driver, 'a', 100);
    driver.completeUpTo(clicks, 220 * SECOND + 10 * SECOND);
    await driver.run();
    assert.equal(driver.store('seen', 0).size, 1); // M = 220 s = t + 2 within: not beyond it
    driver.completeUpTo(clicks, 220 * SECOND + 10 * SECOND + 1);
    await driver.run();
    assert.equal(driver.store('seen', 0).size, 0);
    assert.deepEqual([...(driver.changelog('seen')[0] ?? [])], []);
    await click(driver, 'a', 160);
    await click(driver, 'c', 161);
    await driver.run();
    assert.deepEqual(
      driver.late('once').map(({ reason, latenessMs }) => [reason, latenessMs]),
      [['record after its horizon', 1]],
    );
    assert.equal((await driver.output(out)).length, 2);
  });

  test('an order that is not that of one log is refused', () => {
    const again = derived<Click>('again');
    const refused: Stage[][] = [
      [
        stage('keyed', (s) => {
          s.stream(clicks)
            .pipe(
              keyBy((r) => r.value.user),
              dedupe({ by: byId, within: '1m', store: 'keyed' }),
            )
            .to(out);
        }),
      ],
      [
        stage('merged', (s) => {
          s.stream(clicks)
            .merge(s.stream(clicks))
            .pipe(dedupe({ by: byId, within: '1m', store: 'merged' }))
            .to(out);
        }),
      ],
      [
        stage('copies', (s) => s.stream(clicks).to(again)),
        stage('chained', (s) => {
          s.stream(again)
            .pipe(dedupe({ by: byId, within: '1m', store: 'chained' }))
            .to(out);
        }),
      ],
    ];
    for (const stages of refused) {
      assert.throws(
        () => buildTopology(stages, { app: 'test' }),
        (error: unknown) => (error as { code?: string }).code === 'SLC_TOPOLOGY_ORDER',
      );
    }
    const sortedFirst = stage('sorted', (s) => {
      s.stream(clicks)
        .pipe(
          keyBy((r) => r.value.user),
          sorted({ store: 'waiting', grace: '0s' }),
          mapValues((value) => value),
          dedupe({ by: byId, within: '1m', store: 'seen' }),
        )
        .to(out);
    });
    buildTopology([sortedFirst], { app: 'test' });
  });
});

const PARTITIONS = 3;
const WITHIN = 12;
const GRACE = 4;
const HORIZON = 5;
const SEEDS = 60;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
interface Sent extends Click {
  readonly n: number;
}
const sent = origin<Sent>('sent', PARTITIONS, {}, `${OUT_OF_ORDERNESS}ms`);
const inLog = derived<Sent>('in-log', PARTITIONS);
const inTime = derived<Sent>('in-time', PARTITIONS);
const stages = [
  stage('in-log', (s) => {
    s.stream(sent)
      .pipe(dedupe({ by: (r) => r.value.id, within: `${WITHIN}ms`, grace: `${HORIZON}ms`, store: 'seen' }))
      .to(inLog);
  }),
  stage('in-time', (s) => {
    s.stream(sent)
      .pipe(
        keyBy((r) => r.value.user),
        sorted({ store: 'waiting', grace: `${GRACE}ms` }),
        dedupe({ by: (r) => r.value.id, within: `${WITHIN}ms`, grace: '0s', store: 'seen-by-user' }),
      )
      .to(inTime);
  }),
];

type Timed = Logged<Sent> & { readonly ow: number };
const byTime = (a: Timed, b: Timed): number =>
  a.timestamp - b.timestamp || a.partition - b.partition || Number(a.offset - b.offset);

/** Keeps what no kept record precedes; nothing is ever forgotten. */
function firsts(records: readonly Timed[], keyOf: (record: Timed) => string): Timed[] {
  const kept: Timed[] = [];
  for (const record of records) {
    const same = kept.filter((other) => keyOf(other) === keyOf(record));
    if (same.every((other) => Math.abs(other.timestamp - record.timestamp) > WITHIN)) kept.push(record);
  }
  return kept;
}

function expected(log: readonly Logged<Sent>[], pins: readonly Pin[]) {
  const clocks = Array.from({ length: PARTITIONS }, (_, p) => clocked(sent.name, p, log, pins));
  const all = clocks.flatMap((clock) => clock.records);
  const M = Math.min(...clocks.map((clock) => clock.end));
  const inHorizon = all.filter((r) => r.ow <= r.timestamp + HORIZON);
  const accepted = all.filter((r) => r.ow <= r.timestamp + GRACE);
  const released = accepted.filter((r) => M > r.timestamp + GRACE).toSorted(byTime);
  const text = (list: readonly Timed[], ow: (r: Timed) => number): string[] =>
    list.map((r) => `${r.value.n} ${r.timestamp} ${ow(r)}`).sort();
  const late = (taken: readonly Timed[]): number[] =>
    all
      .filter((r) => !taken.includes(r))
      .map((r) => r.value.n)
      .sort((a, b) => a - b);
  return {
    inLog: text(
      firsts(inHorizon, (r) => `${r.partition}|${r.key}|${r.value.id}`),
      (r) => r.ow,
    ),
    inTime: text(
      firsts(released, (r) => `${r.value.user}|${r.value.id}`),
      (r) => r.timestamp,
    ),
    late: { 'in-log': late(inHorizon), 'in-time': late(accepted) },
  };
}

async function found(driver: TopologyTestDriver) {
  const text = async (topic: typeof inLog): Promise<string[]> =>
    (await driver.output(topic)).map((r) => `${(r.value as Sent).n} ${r.timestamp} ${r.originWatermark}`).sort();
  const late = (name: string): number[] =>
    driver
      .late(name)
      .map(({ value }) => (value as Sent).n)
      .sort((a, b) => a - b);
  return {
    inLog: await text(inLog),
    inTime: await text(inTime),
    late: { 'in-log': late('in-log'), 'in-time': late('in-time') },
  };
}

async function feed(driver: TopologyTestDriver, seed: number): Promise<Logged<Sent>[]> {
  const g = random(seed);
  const log: Logged<Sent>[] = [];
  let now = 100;
  for (let n = 0; n < 100; n++) {
    now += g.chance(0.1) ? g.int(0, 40) : g.int(0, 3);
    const behind = g.chance(0.4) ? g.int(0, 2 * OUT_OF_ORDERNESS) : g.chance(0.2) ? g.int(0, 40) : 0;
    const record = {
      key: `k${g.int(0, 2)}`,
      value: { id: `e${g.int(0, 2)}`, user: `u${g.int(0, 2)}`, n },
      timestamp: now - behind,
    };
    const partition = g.int(0, PARTITIONS - 1);
    log.push({ ...record, partition, offset: await driver.pipeInput(sent, { ...record, partition }) });
    if (g.chance(0.05)) driver.completeUpTo(sent, now + g.int(-10, 6));
    if (g.chance(0.3)) await driver.run(g.int(1, 12));
  }
  driver.completeUpTo(sent, now + g.int(0, 60));
  await driver.run();
  return log;
}

test('random logs, with crashes and in a replay: what the definition says', async (t) => {
  t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
  const total = { kept: 0, late: 0, records: 0 };
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const driver = await TopologyTestDriver.create({
      stages,
      serdes: jsonSerdes,
      seed,
      crashes: seed % 2 === 0 ? 0 : 0.1,
    });
    const log = await feed(driver, seed);
    const wanted = expected(log, driver.pins());
    assert.deepEqual(await found(driver), wanted, `SLUICE_SEED=${seed}`);
    const replay = await TopologyTestDriver.create({ stages, serdes: jsonSerdes, seed: seed + 1, pins: driver.pins() });
    for (const { partition, ...record } of log) await replay.pipeInput(sent, { ...record, partition });
    await replay.run();
    assert.deepEqual(await found(replay), wanted, `SLUICE_SEED=${seed}, replayed`);
    total.records += log.length;
    total.kept += wanted.inLog.length + wanted.inTime.length;
    total.late += wanted.late['in-log'].length + wanted.late['in-time'].length;
  }
  t.diagnostic(`${total.records} records, ${total.kept} kept, ${total.late} late`);
  assert.ok(total.late > SEEDS && total.kept < total.records * 1.8, 'too few duplicates or late records show nothing');
});
