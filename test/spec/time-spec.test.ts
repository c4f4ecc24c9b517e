/**
 * The executable specification of event time on a few random seeds: THE RULES hold under every schedule, and each rule broken alone does not. Thousands of
 * seeds: time-spec.long.test.ts. SLUICE_SEED repeats a seed.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { check, checkFrom } from './check.ts';
import { RULES } from './model.ts';
import { BROKEN, FROM_BROKEN, FROM_SOUND, SOUND } from './variants.ts';

const SEEDS = 8;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e8));
/** A broken rule must show itself within as many seeds. */
const TRIES = 150;

describe('the specification of event time', () => {
  test('by THE RULES every replay, under any schedule, gives what live gave, and the definition too', (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${SEEDS} seeds`);
    let late = 0;
    let crashes = 0;
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const { differs, bad, live } = check(RULES, seed);
      assert.deepEqual(differs, [], `SLUICE_SEED=${seed}`);
      assert.deepEqual(bad, {}, `SLUICE_SEED=${seed}: no invariant is broken`);
      assert.equal(live.lateFinals, 0, `SLUICE_SEED=${seed}: a final is never late`);
      late += live.late;
      crashes += live.crashes;
    }
    t.diagnostic(`${late} late records, ${crashes} crashes`);
    assert.ok(late > 10 * SEEDS && crashes > SEEDS);
  });

  for (const { rule, name, change } of SOUND) {
    test(`rule ${rule}: ${name}, and nothing changes`, (t) => {
      t.diagnostic(`SLUICE_SEED=${FIRST}`);
      for (let seed = FIRST; seed < FIRST + 3; seed++) {
        const { differs, bad } = check({ ...RULES, ...change }, seed);
        assert.deepEqual([differs, bad], [[], {}], `SLUICE_SEED=${seed}`);
      }
    });
  }

  test('a replay from mid-log gives what live gave beyond its lower bound', (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}`);
    let [rows, skipped] = [0, 0];
    for (let seed = FIRST; seed < FIRST + 2 * SEEDS; seed++) {
      const found = checkFrom(seed);
      assert.deepEqual(found.differs, [], `SLUICE_SEED=${seed}`);
      rows += found.rows;
      skipped += found.skipped;
    }
    t.diagnostic(`${rows} rows compared, ${skipped} records skipped`);
    assert.ok(rows > 20 * SEEDS && skipped > 5 * SEEDS);
  });
});

describe('a replay from mid-log', () => {
  for (const { name, change } of FROM_SOUND) {
    test(`rule 13: ${name}, and nothing that is compared changes`, (t) => {
      t.diagnostic(`SLUICE_SEED=${FIRST}`);
      for (let seed = FIRST; seed < FIRST + SEEDS; seed++)
        assert.deepEqual(checkFrom(seed, change).differs, [], `SLUICE_SEED=${seed}`);
    });
  }
});

describe('a rule broken alone makes seeds differ', () => {
  for (const { rule, name, change, witness = FIRST } of BROKEN) {
    test(`rule ${rule}: ${name}`, (t) => {
      const seed = firstThat(witness, (each) => check({ ...RULES, ...change }, each, 1).differs.length > 0);
      t.diagnostic(`SLUICE_SEED=${witness}: different after ${seed - witness + 1} seeds`);
    });
  }

  for (const { name, change, witness = FIRST } of FROM_BROKEN) {
    test(`rule 13: ${name}`, (t) => {
      const seed = firstThat(witness, (each) => checkFrom(each, change).differs.length > 0);
      t.diagnostic(`SLUICE_SEED=${witness}: different after ${seed - witness + 1} seeds`);
    });
  }
});

function firstThat(first: number, differs: (seed: number) => boolean): number {
  for (let seed = first; seed < first + TRIES; seed++) if (differs(seed)) return seed;
  return assert.fail(`SLUICE_SEED=${first}: the rule makes no difference in ${TRIES} seeds`);
}
