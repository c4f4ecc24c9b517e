/** What must not be between applications, each alone, is found out; that all is right without it, determinism.it.test.ts shows at length. SLUICE_SEED repeats a seed. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { BROKEN_PARTS } from './broken-parts.ts';
import { BROKEN_RULES } from './broken-rules.ts';
import { BROKEN_SKEW } from './broken-skew.ts';
import { BROKEN_STANDBYS } from './broken-standbys.ts';
import { runCases } from './run-cases.ts';

const TRIES = 120;
const RECORDS = 200;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const DIVIDED = { SLUICE_TEST_DIVIDED: '1' };
const BEFORE = BROKEN_RULES.length + BROKEN_STANDBYS.length + BROKEN_SKEW.length;

async function findOut(t: TestContext, index: number): Promise<void> {
  const imports = [join(import.meta.dirname, 'break-rule.ts')];
  const env = { ...DIVIDED, SLUICE_TEST_BREAK: String(BEFORE + index) };
  const told = await runCases({ first: FIRST, count: TRIES, records: RECORDS, stop: true, imports, env });
  const last = told.at(-1);
  const why = last !== undefined && 'failed' in last ? last.failed.split('\n').slice(0, 2).join(' ') : 'none differs';
  t.diagnostic(`SLUICE_SEED=${FIRST}: ${told.length} runs, ${why}`);
  assert.ok(last !== undefined && 'failed' in last, `none of ${TRIES} runs differs`);
}

describe('what must not be between applications makes the results differ', () => {
  for (const [index, { name }] of BROKEN_PARTS.entries()) test(name, (t) => findOut(t, index));
});
