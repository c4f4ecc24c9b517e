/**
 * A project that is divided gives what it gives undivided. Random stages run as one or two applications of their own, upstream and downstream of the rest,
 * each with instances that are started, stopped, killed and frozen; output, late records and the time of each record are those of one replay of the whole as
 * one application, by the same pins, and those of the definition. SLUICE_SEED repeats a seed. At length: divided.it.test.ts.
 */
import { describe, test } from 'node:test';
import { judge, runCases } from './run-cases.ts';

const CASES = 20;
const RECORDS = 200;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));

describe('results of a divided project', () => {
  test('live in several applications, each under chaos = one replay as one application = the definition', async (t) => {
    t.diagnostic(`SLUICE_SEED=${FIRST}, ${CASES} seeds`);
    judge(t, await runCases({ first: FIRST, count: CASES, records: RECORDS, env: { SLUICE_TEST_DIVIDED: '1' } }));
  });
});
