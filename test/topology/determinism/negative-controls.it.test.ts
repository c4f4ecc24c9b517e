/**
 * Each rule of event time broken alone in the engine makes determinism runs differ: from their replay, from their definition, or the engine stops on a broken
 * invariant. Prints the table: rule, runs until one differed. SLUICE_SEED repeats a seed.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { BROKEN_RULES, type BrokenRule } from './broken-rules.ts';
import { runCases } from './run-cases.ts';

/** What the rarest rule needs: 1 run in 15 shows it, so that all of these miss it once in 10^9. Runs end at the first that differs. */
const TRIES = 300;
const RECORDS = 200;
const FIRST = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 1e9));
const TABLE: string[] = [];

async function findOut(t: TestContext, index: number, { rule, name }: BrokenRule): Promise<void> {
  const imports = [join(import.meta.dirname, 'break-rule.ts')];
  const env = { SLUICE_TEST_BREAK: String(index) };
  const told = await runCases({ first: FIRST, count: TRIES, records: RECORDS, stop: true, imports, env });
  const last = told.at(-1);
  const why = last !== undefined && 'failed' in last ? reason(last.failed) : undefined;
  TABLE.push(
    `rule ${String(rule).padStart(2)} | ${name} | ${why === undefined ? 'never' : told.length} | ${why ?? ''}`,
  );
  t.diagnostic(`SLUICE_SEED=${FIRST}: ${told.length} runs, ${why ?? 'none differs'}`);
  assert.ok(why !== undefined, `none of ${TRIES} runs differs`);
}

/** Where it showed: the topic, or the invariant. */
const reason = (failed: string): string =>
  /SLC_BUG_\w+|accepts$|\): ([^\n]+)/m.exec(failed)?.[0].replace(/^\): /, '') ?? failed.split('\n', 1)[0] ?? '';

describe('a rule broken alone makes the engine differ', { concurrency: 2 }, () => {
  for (const [index, broken] of BROKEN_RULES.entries())
    test(`rule ${broken.rule}: ${broken.name}`, (t) => findOut(t, index, broken));
});

describe('the table of broken rules', () => {
  test('rule | what is broken | runs until one differed | where', (t) => {
    for (const line of TABLE.toSorted()) t.diagnostic(line);
    assert.equal(TABLE.length, BROKEN_RULES.length);
  });
});
