/** The executable specification of event time on thousands of seeds, as a table: rule, seeds, how many differ. SLUICE_SEED repeats a seed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { check, checkFrom } from './check.ts';
import { RULES } from './model.ts';
import { BROKEN, FROM_BROKEN, FROM_SOUND, SOUND } from './variants.ts';

const FIRST = Number(process.env['SLUICE_SEED'] ?? 1);
const SEEDS = 5_000;
const BROKEN_SEEDS = 300;

const seedsFrom = (first: number, n: number): number[] => Array.from({ length: n }, (_, i) => first + i);

describe('the specification of event time, at length', () => {
  test(`THE RULES on ${SEEDS} seeds`, () => {
    const failed = seedsFrom(FIRST, SEEDS).filter((seed) => {
      const { differs, bad, live } = check(RULES, seed);
      return differs.length > 0 || Object.keys(bad).length > 0 || live.lateFinals > 0;
    });
    assert.deepEqual(failed, []);
  });

  test(`replays from mid-log on ${SEEDS} seeds`, () => {
    assert.deepEqual(
      seedsFrom(FIRST, SEEDS).filter((seed) => checkFrom(seed).differs.length > 0),
      [],
    );
  });

  test(`what must not matter, on ${BROKEN_SEEDS} seeds`, () => {
    for (const { name, change } of SOUND) {
      const failed = seedsFrom(FIRST, BROKEN_SEEDS).filter((seed) => {
        const { differs, bad } = check({ ...RULES, ...change }, seed);
        return differs.length > 0 || Object.keys(bad).length > 0;
      });
      assert.deepEqual(failed, [], name);
    }
    for (const { name, change } of FROM_SOUND) {
      const failed = seedsFrom(FIRST, BROKEN_SEEDS).filter((seed) => checkFrom(seed, change).differs.length > 0);
      assert.deepEqual(failed, [], name);
    }
  });

  test('each rule broken alone', (t) => {
    for (const { rule, name, change, witness = FIRST } of BROKEN) {
      const failed = seedsFrom(witness, BROKEN_SEEDS).filter(
        (seed) => check({ ...RULES, ...change }, seed, 1).differs.length > 0,
      );
      t.diagnostic(`rule ${rule} | ${name} | ${failed.length} of ${BROKEN_SEEDS} | first ${failed[0] ?? 'none'}`);
      assert.ok(failed.length > 0, name);
    }
    for (const { name, change, witness = FIRST } of FROM_BROKEN) {
      const failed = seedsFrom(witness, BROKEN_SEEDS).filter((seed) => checkFrom(seed, change).differs.length > 0);
      t.diagnostic(`rule 13 | ${name} | ${failed.length} of ${BROKEN_SEEDS} | first ${failed[0] ?? 'none'}`);
      assert.ok(failed.length > 0, name);
    }
  });
});
