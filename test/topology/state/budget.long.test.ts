import { test } from 'node:test';
import { runWithinBudget } from './budget-run.ts';

test('50,000 keys in 24 windows stay within 256 MB, with the results of state in memory', async (t) => {
  await runWithinBudget(t, { keys: 50_000, windows: 24, budgetBytes: 256e6 });
});
