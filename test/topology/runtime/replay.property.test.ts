/** A crash changes nothing, and a replay equals live (docs/SEMANTICS.md): the same log and pins give the same results under every schedule. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Random, type TestDriverOptions, TopologyTestDriver } from '#topology/testing';
import { framedSerdes } from '../dsl/support.ts';
import { feed, outputs, PARTITIONS, refill, stages } from './random-topology.ts';
import { lateOf, rowsOf } from './results.ts';

const SEEDS = 25;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));

const create = (options: Partial<TestDriverOptions>): Promise<TopologyTestDriver> =>
  TopologyTestDriver.create({ stages, serdes: framedSerdes, ...options });
/** Promises and hints in steps: the same for all runs over one log. */
const tickOf = (seed: number): number => (seed % 3 === 0 ? 7 : 1);

/** Runs a little, and loses a slot now and then. */
async function withCrashes(driver: TopologyTestDriver, g: Random): Promise<void> {
  if (g.chance(0.5)) await driver.run(g.int(1, 12));
  if (g.chance(0.2)) driver.crash(g.int(0, PARTITIONS - 1));
}

/** Values of a window or buffer that hold the same whatever the order in which its records came. */
function inAnyOrder(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((each: unknown) => (Array.isArray(each) ? each.map((one) => JSON.stringify(one)).sort() : each));
}

/** All that a topology leaves behind: rows, late records, and the state that a restart would find. */
async function resultsOf(driver: TopologyTestDriver): Promise<Record<string, unknown>> {
  const results: Record<string, unknown> = {};
  for (const topic of Object.values(outputs)) results[topic.name] = await rowsOf(driver, topic);
  for (const stage of stages) {
    results[`${stage.name}.late`] = lateOf(driver, stage.name);
    results[`${stage.name}.dlq`] = driver.deadLetters(stage.name);
  }
  for (const { stores } of driver.topology.subTopologies) {
    for (const { name, kind } of stores) {
      if (kind === 'versioned') continue; // when old versions go depends on the schedule; that nobody misses them shows in the rows
      results[`store ${name}`] = driver
        .changelog(name)
        .map((entries) => [...entries].map(([key, value]) => JSON.stringify([key, inAnyOrder(value)])).sort());
    }
  }
  return results;
}

/** What is in memory is what a restart finds. */
function checkRestart(driver: TopologyTestDriver, message: string): void {
  const sizes = (): [string, number][] =>
    driver.topology.subTopologies.flatMap(({ partitions, stores }) =>
      stores.flatMap(({ name }) =>
        Array.from({ length: partitions }, (_, p): [string, number] => [`${name} ${p}`, driver.store(name, p).size]),
      ),
    );
  const before = sizes();
  for (let p = 0; p < PARTITIONS; p++) driver.crash(p);
  assert.deepEqual(sizes(), before, message);
}

describe('replay', () => {
  test('crashes at any moment leave no trace in outputs and state', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
    let rows = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const calm = await create({ seed, tickMs: tickOf(seed) });
      await feed(calm, seed, { records: 60, hints: false, between: async () => undefined });
      const stormy = await create({ seed: seed + 1, tickMs: tickOf(seed), crashes: 0.3 });
      await feed(stormy, seed, { records: 60, hints: false, between: withCrashes });
      const wanted = await resultsOf(calm);
      assert.deepEqual(await resultsOf(stormy), wanted, `SLUICE_SEED=${seed}`);
      checkRestart(stormy, `SLUICE_SEED=${seed}`);
      rows += Object.values(wanted).flat().length;
    }
    t.diagnostic(`${rows} rows`);
    assert.ok(rows > 100 * SEEDS);
  });

  test('a replay by the pins of a live run gives what that gave, hints, crashes and all', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
    let pins = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const live = await create({ seed, tickMs: tickOf(seed), crashes: 0.2 });
      const fed = await feed(live, seed, { records: 60, hints: true, between: withCrashes });
      const wanted = await resultsOf(live);
      for (const crashes of [0, 0.3]) {
        const replay = await create({ seed: seed + 1, tickMs: tickOf(seed), crashes, pins: live.pins() });
        await refill(replay, fed);
        if (crashes > 0) {
          for (let p = 0; p < PARTITIONS; p++) {
            await replay.run(7 + p);
            replay.crash(p);
          }
        }
        await replay.run();
        assert.deepEqual(await resultsOf(replay), wanted, `SLUICE_SEED=${seed}, crashes ${crashes}`);
      }
      pins += live.pins().length;
    }
    t.diagnostic(`${pins} pins`);
    assert.ok(pins > SEEDS);
  });
});
