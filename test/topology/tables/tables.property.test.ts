/** Tables are a function of the last rows: under every schedule, with crashes, over several partitions, they end as their definition says. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Random, type TestDriverOptions, TopologyTestDriver } from '#topology/testing';
import type { Topic } from '#topology';
import { jsonSerdes } from '../dsl/support.ts';
import { changesOf, expected, feed, outputs, PARTITIONS, stages } from './random-tables.ts';

const SEEDS = 40;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));

const sorted = (rows: Map<unknown, unknown>): string[] =>
  [...rows].map(([key, value]) => `${String(key)} ${JSON.stringify(value)}`).sort();

async function check(driver: TopologyTestDriver, wanted: ReturnType<typeof expected>, seed: number): Promise<number> {
  let rows = 0;
  for (const name of Object.keys(outputs) as (keyof typeof outputs)[]) {
    const found = sorted(await driver.table(outputs[name] as Topic<string, unknown>));
    assert.deepEqual(found, sorted(wanted[name]), `SLUICE_SEED=${seed}: ${name}`);
    rows += found.length;
  }
  for (const { name } of stages) assert.deepEqual(driver.deadLetters(name), [], `SLUICE_SEED=${seed}`);
  return rows;
}

const create = (options: Partial<TestDriverOptions>): Promise<TopologyTestDriver> =>
  TopologyTestDriver.create({ stages, serdes: jsonSerdes, ...options });

describe('tables', () => {
  test('groupings, joins, foreign-key joins and toTable end as their definition says, crashes or none', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
    let rows = 0;
    let crashes = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const changes = changesOf(seed, 80);
      const wanted = expected(changes);
      const calm = await create({ seed });
      await feed(calm, changes, seed, async () => undefined);
      rows += await check(calm, wanted, seed);
      const stormy = await create({ seed: seed + 1, crashes: 0.3 });
      await feed(stormy, changes, seed + 1, async (driver: TopologyTestDriver, g: Random) => {
        if (g.chance(0.5)) await driver.run(g.int(1, 12));
        if (!g.chance(0.2)) return;
        driver.crash(g.int(0, PARTITIONS - 1));
        crashes++;
      });
      await check(stormy, wanted, seed);
    }
    t.diagnostic(`${rows} rows, ${crashes} crashes besides lost commits`);
    assert.ok(rows > 20 * SEEDS && crashes > SEEDS);
  });
});
