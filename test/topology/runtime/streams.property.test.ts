/**
 * Sessions, sliding windows, stream joins, suppress and what is chained behind them: on random logs each gives what its definition says, whatever the
 * interleaving, the crashes and the size of the batches; and a replay by the pins gives the same. SLUICE_SEED repeats a seed.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Random, type TestDriverOptions, TopologyTestDriver } from '#topology/testing';
import { framedSerdes } from '../dsl/support.ts';
import { feed, PARTITIONS, refill } from './random-topology.ts';
import { lateOf } from './results.ts';
import { expectStreams, type StreamExpectation } from './stream-oracle.ts';
import { streamOutputs, streamRows, streamStages } from './stream-topology.ts';

const SEEDS = 60;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));

const create = (options: Partial<TestDriverOptions>): Promise<TopologyTestDriver> =>
  TopologyTestDriver.create({ stages: streamStages, serdes: framedSerdes, ...options });

/** Runs a little, and loses a slot now and then. */
async function stormy(driver: TopologyTestDriver, g: Random): Promise<void> {
  if (g.chance(0.4)) await driver.run(g.int(1, 12));
  if (g.chance(0.15)) driver.crash(g.int(0, PARTITIONS - 1));
}

async function compare(driver: TopologyTestDriver, wanted: StreamExpectation, seed: string): Promise<void> {
  for (const topic of Object.values(streamOutputs)) {
    assert.deepEqual(await streamRows(driver, topic), wanted.rows[topic.name], `${seed}: ${topic.name}`);
  }
  for (const { name } of streamStages) {
    assert.deepEqual(lateOf(driver, name), wanted.late[name], `${seed}: ${name}.late`);
    assert.deepEqual(driver.deadLetters(name), [], `${seed}: ${name}.dlq`);
  }
}

/** Per store what a restart would find, whatever the order in which contributors came. */
function stateOf(driver: TopologyTestDriver): Record<string, unknown> {
  const inAnyOrder = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map((each: unknown) => (Array.isArray(each) ? each.map((one) => JSON.stringify(one)).sort() : each))
      : value;
  const stores = driver.topology.subTopologies.flatMap((sub) => sub.stores);
  return Object.fromEntries(
    stores.map(({ name }) => [
      name,
      driver
        .changelog(name)
        .map((entries) => [...entries].map((each) => JSON.stringify([each[0], inAnyOrder(each[1])])).sort()),
    ]),
  );
}

describe('sessions, sliding windows and stream joins on random logs', () => {
  test('live with crashes = definition = replay', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
    const counts: Record<string, number> = {};
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const message = `SLUICE_SEED=${seed}`;
      const crashes = seed % 3 === 0 ? 0 : 0.2;
      const live = await create({ seed, crashes });
      const fed = await feed(live, seed, { records: 80, hints: seed % 4 !== 0, between: stormy });
      const wanted = expectStreams(fed, live.pins());
      await compare(live, wanted, message);

      const replay = await create({ seed: seed + 1, crashes: 0.2, pins: live.pins() });
      await refill(replay, fed);
      for (let p = 0; p < PARTITIONS; p++) {
        await replay.run(9 + p);
        replay.crash(p);
      }
      await replay.run();
      await compare(replay, wanted, `${message}, replay`);
      assert.deepEqual(stateOf(replay), stateOf(live), `${message}: state`);
      for (const [name, list] of Object.entries(wanted.rows)) counts[name] = (counts[name] ?? 0) + list.length;
      for (const [name, list] of Object.entries(wanted.late))
        counts[`${name}.late`] = (counts[`${name}.late`] ?? 0) + list.length;
    }
    t.diagnostic(
      Object.entries(counts)
        .map(([name, n]) => `${name} ${n}`)
        .join(', '),
    );
    for (const { name } of Object.values(streamOutputs))
      assert.ok((counts[name] ?? 0) > SEEDS, `${name}: too few rows show nothing`);
    assert.ok((counts['pairs.late'] ?? 0) > 0, 'pairs pass lateness on');
    for (const name of ['sessions', 'sliding', 'left', 'outer', 'closed']) {
      assert.ok((counts[`${name}.late`] ?? 0) > SEEDS / 4, `${name}: too few late records show nothing`);
    }
  });
});
