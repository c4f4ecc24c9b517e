/** As determinism.test.ts, at length. SLUICE_SEED repeats a seed. */
import { describe, test } from 'node:test';
import { judge, runCases } from './run-cases.ts';

const CASES = 1_000;
const PROCESSES = 2;
const RECORDS = 200;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));

describe('results are a function of the log, at length', () => {
  test(`${CASES} runs under chaos`, { timeout: 900_000 }, async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${CASES} seeds`);
    const count = CASES / PROCESSES;
    const parts = Array.from({ length: PROCESSES }, (_, i) =>
      runCases({ first: FIRST + i * count, count, records: RECORDS }),
    );
    judge(t, (await Promise.all(parts)).flat());
  });
});
