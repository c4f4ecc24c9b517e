/** As determinism.test.ts, at length. SLUICE_SEED repeats a seed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Told } from './determinism-child.ts';
import { judge, runCases } from './run-cases.ts';

const CASES = 1_000;
/** Of them so many in which the stages are several applications, as in divided.test.ts. */
const DIVIDED_CASES = 120;
const RECORDS = 200;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));

describe('results are a function of the log, at length', () => {
  test(`${CASES} runs under chaos`, { timeout: 900_000 }, async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${CASES} seeds`);
    const half = CASES / 2;
    const run = (first: number, count: number, env: Readonly<Record<string, string>> = {}): Promise<Told[]> =>
      runCases({ first, count, records: RECORDS, env });
    const others = async (): Promise<Told[]> => [
      ...(await run(FIRST + 1, half - DIVIDED_CASES)),
      ...(await run(FIRST, DIVIDED_CASES, { SLUICE_TEST_DIVIDED: '1' })),
    ];
    const told = (await Promise.all([run(FIRST, half), others()])).flat();
    assert.ok(told.length >= CASES || told.some((each) => 'failed' in each), `only ${told.length} runs`);
    judge(t, told);
  });
});
