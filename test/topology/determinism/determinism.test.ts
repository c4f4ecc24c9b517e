/**
 * Results are a function of the log alone, for the engine as a whole: real stages, slots, transactions and groups over the broker in memory, one to four
 * instances that are started, stopped, killed and frozen, calls that fail. Committed output and late records are those of one uninterrupted replay by the
 * run's pins, and those of the definition over the set of records and pins. More of them: determinism.it.test.ts. SLUICE_SEED repeats a seed.
 */
import { describe, test } from 'node:test';
import { judge, runCases } from './run-cases.ts';

const CASES = 12;
const RECORDS = 200;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));

describe('results are a function of the log', () => {
  test('live under crashes, rebalances and aborted transactions = one uninterrupted replay = the definition', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${CASES} seeds`);
    judge(t, await runCases({ first: FIRST, count: CASES, records: RECORDS }));
  });
});
