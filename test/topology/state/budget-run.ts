import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { GARBAGE_OPTIONS } from '../../../bin/garbage.ts';
import type { BudgetRun } from './budget-child.ts';
import { scratch } from './store-labs.ts';

const run = promisify(execFile);
const CHILD = join(import.meta.dirname, 'budget-child.ts');
/** Of the issue: beside the state and what an empty topology takes. */
const ROOM_BYTES = 100e6;

/** Keys x windows above a file, in memory, and not at all: the results must be the same, memory within the budget. */
export async function runWithinBudget(
  t: TestContext,
  { keys, windows, budgetBytes }: { readonly keys: number; readonly windows: number; readonly budgetBytes: number },
): Promise<void> {
  const directory = scratch();
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const measure = async (mode: string): Promise<BudgetRun> => {
    const args = [CHILD, mode, keys, windows, budgetBytes, directory].map(String);
    const { stdout } = await run(process.execPath, [...GARBAGE_OPTIONS, ...args], { timeout: 600_000 });
    const seen = JSON.parse(stdout) as BudgetRun;
    const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
    t.diagnostic(
      `${mode}: ${seen.rows} rows (${seen.hash}), at most ${seen.entries} entries, ${mb(seen.maxUsedBytes)} counted, RSS ${mb(seen.maxRssBytes)}`,
    );
    return seen;
  };
  const empty = await measure('empty');
  const persistent = await measure('persistent');
  const memory = await measure('memory');
  assert.equal(persistent.entries, keys * windows);
  assert.equal(persistent.rows, keys * windows);
  assert.deepEqual([persistent.rows, persistent.hash], [memory.rows, memory.hash], 'the same rows in the same order');
  assert.ok(persistent.maxUsedBytes <= budgetBytes, `${persistent.maxUsedBytes} bytes of state`);
  const limit = empty.maxRssBytes + budgetBytes + ROOM_BYTES;
  assert.ok(persistent.maxRssBytes <= limit, `RSS ${persistent.maxRssBytes}, ${limit} allowed`);
}
