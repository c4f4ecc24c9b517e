/**
 * Determinism runs in a process of their own, without the bookkeeping of a test runner: argv = first seed, how many, records of each, 'stop' to end at the
 * first that differs. A line of JSON per run on stdout.
 */
import { type Case, runCase } from './run-case.ts';
import { SCENARIOS } from './scenarios.ts';
import { virtualWorld } from './world.ts';

/** What a run tells: a case, or how it failed. */
export type Told = { readonly seed: number } & ({ readonly found: Case } | { readonly failed: string });

const MOST_TEXT = 4_000;
const DIVIDED = process.env['SLUICE_TEST_DIVIDED'] === '1';

async function main([first = '1', count = '1', records = '200', mode = '']: readonly string[]): Promise<void> {
  for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
    const told = await one(seed, Number(records));
    process.stdout.write(`${JSON.stringify(told)}\n`);
    if ('failed' in told && mode === 'stop') return;
  }
}

async function one(seed: number, records: number): Promise<Told> {
  const scenario = SCENARIOS[seed % SCENARIOS.length];
  if (scenario === undefined) throw new Error('there is no scenario');
  try {
    return { seed, found: await runCase(virtualWorld(), scenario, { seed, records, divided: DIVIDED }) };
  } catch (error) {
    return { seed, failed: String(error instanceof Error ? error.stack : error).slice(0, MOST_TEXT) };
  }
}

if (process.argv[1] === import.meta.filename) {
  await main(process.argv.slice(2));
  // What was killed in a run waits for ever.
  process.exit(0);
}
