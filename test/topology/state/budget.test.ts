import { test } from 'node:test';
import { runWithinBudget } from './budget-run.ts';

test('5,000 keys in 24 windows stay within 24 MB, with the results of state in memory', async (t) => {
  await runWithinBudget(t, { keys: 5_000, windows: 24, budgetBytes: 24e6 });
});
