/**
 * Determinism runs in a process of their own, without the bookkeeping of a test runner: argv = first seed, from which fast-check takes the others, how many,
 * records of each, 'stop' to end at the first that differs; otherwise fast-check looks for the fewest records that differ too. A line of JSON per run on
 * stdout.
 */
import * as fc from 'fast-check';
import { type Case, runCase } from './run-case.ts';
import { SCENARIOS } from './scenarios.ts';
import { virtualWorld } from './world.ts';

/** What a run tells: a case, or how it failed. */
export type Told = { readonly seed: number; readonly records: number } & (
  | { readonly found: Case }
  | { readonly failed: string }
);

const MOST_TEXT = 4_000;
const DIVIDED = process.env['SLUICE_TEST_DIVIDED'] === '1';

const MAX_SEED = 2 ** 31 - 1;
const FEWEST_RECORDS = 10;

/** Always the same number, which shrinks: of a seed fewer records are the beginning of more. */
class Records extends fc.Arbitrary<number> {
  readonly #count: number;

  constructor(count: number) {
    super();
    this.#count = count;
  }

  generate(): fc.Value<number> {
    return new fc.Value(this.#count, undefined);
  }

  canShrinkWithoutContext(value: unknown): value is number {
    return typeof value === 'number';
  }

  shrink(count: number): fc.Stream<fc.Value<number>> {
    const fewer = [0.25, 0.5, 0.75, 0.9].map((part) => Math.floor(count * part));
    return fc
      .stream(fewer.filter((each) => each >= FEWEST_RECORDS).values())
      .map((each) => new fc.Value(each, undefined));
  }
}

async function main([first = '1', count = '1', records = '200', mode = '']: readonly string[]): Promise<void> {
  const seeds = fc.noBias(fc.noShrink(fc.integer({ min: 0, max: MAX_SEED })));
  const differs = fc.asyncProperty(seeds, new Records(Number(records)), async (seed, length) => {
    const told = await one(seed, length);
    process.stdout.write(`${JSON.stringify(told)}\n`);
    return !('failed' in told);
  });
  await fc.check(differs, {
    seed: Number(first),
    numRuns: Number(count),
    // What a person repeats is the first.
    examples: [[Number(first), Number(records)]],
    endOnFailure: mode === 'stop',
  });
}

async function one(seed: number, records: number): Promise<Told> {
  const scenario = SCENARIOS[seed % SCENARIOS.length];
  if (scenario === undefined) throw new Error('there is no scenario');
  try {
    return { seed, records, found: await runCase(virtualWorld(), scenario, { seed, records, divided: DIVIDED }) };
  } catch (error) {
    return { seed, records, failed: String(error instanceof Error ? error.stack : error).slice(0, MOST_TEXT) };
  }
}

if (process.argv[1] === import.meta.filename) {
  await main(process.argv.slice(2));
  // What was killed in a run waits for ever.
  process.exit(0);
}
