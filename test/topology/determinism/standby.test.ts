/**
 * Determinism runs in which every instance keeps copies of the state of slots that others own: slots are taken with copies in mid-stream, and the results
 * are those of the replay and of the definition, as without. Copies that are filled or used wrongly are found out. SLUICE_SEED repeats a seed.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { BROKEN_RULES } from './broken-rules.ts';
import { BROKEN_STANDBYS } from './broken-standbys.ts';
import { judge, runCases } from './run-cases.ts';

const CASES = 24;
const CASES_ON_DISK = 8;
const TRIES = 200;
const RECORDS = 200;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const STANDBY = { SLUICE_TEST_STANDBY: '1' };
const ON_DISK = { ...STANDBY, SLUICE_TEST_STATE: 'persistent' };

async function run(t: TestContext, count: number, env: Readonly<Record<string, string>>): Promise<void> {
  t.diagnostic(`SLUICE_SEED=${FIRST}, ${count} seeds`);
  const told = await runCases({ first: FIRST, count, records: RECORDS, env });
  judge(t, told);
  const cases = told.flatMap((each) => ('found' in each ? [each.found] : []));
  const takeovers = cases.reduce((sum, each) => sum + each.takeovers, 0);
  const restored = cases.reduce((sum, each) => sum + each.restored, 0);
  t.diagnostic(`${takeovers} slots taken with a copy, ${restored} changelog records restored with those in memory`);
  assert.ok(takeovers >= count, 'too few slots were taken with a copy');
}

describe('with standby copies', () => {
  test('results are a function of the log', (t) => run(t, CASES, STANDBY));

  test('and with state on disk, each instance in a directory of its own', (t) => run(t, CASES_ON_DISK, ON_DISK));
});

async function findOut(t: TestContext, index: number): Promise<void> {
  const imports = [join(import.meta.dirname, 'break-rule.ts')];
  const isOnDisk = BROKEN_STANDBYS[index]?.isOnDisk === true;
  const env = { ...(isOnDisk ? ON_DISK : STANDBY), SLUICE_TEST_BREAK: String(BROKEN_RULES.length + index) };
  const told = await runCases({ first: FIRST, count: TRIES, records: RECORDS, stop: true, imports, env });
  const last = told.at(-1);
  const why = last !== undefined && 'failed' in last ? last.failed.split('\n').slice(0, 2).join(' ') : 'none differs';
  t.diagnostic(`SLUICE_SEED=${FIRST}: ${told.length} runs, ${why}`);
  assert.ok(last !== undefined && 'failed' in last, `none of ${TRIES} runs differs`);
}

describe('a copy that is wrong makes the results differ', () => {
  for (const [index, { name }] of BROKEN_STANDBYS.entries()) test(name, (t) => findOut(t, index));
});
