/** Windows and joins on random logs, against their definition over the set of records. SLUICE_SEED repeats a seed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TopologyTestDriver } from '#topology/testing';
import { framedSerdes } from '../dsl/support.ts';
import { expect } from './brute-force.ts';
import { feed, outputs, stages } from './random-topology.ts';
import { lateOf, rowsOf } from './results.ts';

const SEEDS = 60;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));

describe('random records, out of order, late, on several partitions', () => {
  test('every window and every join is what its definition says', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
    const counts: Record<string, number> = {};
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const driver = await TopologyTestDriver.create({ stages, serdes: framedSerdes, seed });
      const between = async (
        running: TopologyTestDriver,
        g: { chance(p: number): boolean; int(a: number, b: number): number },
      ) => {
        if (g.chance(0.3)) await running.run(g.int(1, 12));
      };
      const fed = await feed(driver, seed, { records: 80, hints: seed % 4 !== 0, between });
      const expected = expect(fed, driver.pins());
      for (const [name, topic] of Object.entries(outputs)) {
        const found = await rowsOf(driver, topic);
        const wanted = expected.rows[topic.name];
        assert.deepEqual(found, wanted, `SLUICE_SEED=${seed}: ${name}`);
        counts[name] = (counts[name] ?? 0) + found.length;
      }
      for (const [name, wanted] of Object.entries(expected.late)) {
        assert.deepEqual(lateOf(driver, name), wanted, `SLUICE_SEED=${seed}: ${name}.late`);
        counts[`${name}.late`] = (counts[`${name}.late`] ?? 0) + wanted.length;
      }
    }
    t.diagnostic(
      Object.entries(counts)
        .map(([name, n]) => `${name} ${n}`)
        .join(', '),
    );
    for (const name of Object.keys(outputs))
      assert.ok((counts[name] ?? 0) > SEEDS, `${name}: too few rows show nothing`);
  });
});
