/** Starts determinism runs in processes of their own, and judges them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Told } from './determinism-child.ts';
import type { Case } from './run-case.ts';

export interface Wanted {
  readonly first: number;
  readonly count: number;
  readonly records: number;
  /** End at the first run that differs, without a look for the fewest records that do. */
  readonly stop?: boolean;
  /** Modules that are loaded before. */
  readonly imports?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What the runs told, in the order of their seeds. */
export async function runCases(wanted: Wanted): Promise<Told[]> {
  const { first, count, records, stop = false, imports = [], env = {} } = wanted;
  const args = [
    // Fewer collections: a fifteenth of a run.
    '--max-semi-space-size=32',
    ...imports.flatMap((file) => ['--import', file]),
    join(import.meta.dirname, 'determinism-child.ts'),
    ...[first, count, records].map(String),
    ...(stop ? ['stop'] : []),
  ];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => errors.push(bytes));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  assert.equal(code, 0, Buffer.concat(errors).toString('utf8').slice(0, 4_000));
  const lines = Buffer.concat(output).toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Told);
}

/** How often, at least, a run must have had each: below that the runs show too little. */
const SHARE = 0.3;
const LATE_SHARE = 0.05;
/** Fewer runs than that say nothing about shares. */
const ENOUGH = 20;

/** No run may differ, and enough of them must have been through something. */
export function judge(t: TestContext, told: readonly Told[]): void {
  const failed = told.flatMap((each) =>
    'failed' in each ? [`SLUICE_SEED=${each.seed}, ${each.records} records: ${each.failed}`] : [],
  );
  assert.deepEqual(failed.slice(0, 3), []);
  const cases = told.flatMap((each) => ('found' in each ? [each.found] : []));
  const share = (has: (found: Case) => boolean): number => cases.filter(has).length / cases.length;
  const sum = (of: (found: Case) => number): number => cases.reduce((all, found) => all + of(found), 0);
  const shares = {
    crash: share(({ crashes }) => crashes > 0),
    rebalance: share(({ rebalances }) => rebalances > 0),
    'aborted transaction': share(({ failures }) => failures > 0),
    'wait for a partition behind': share(({ waits }) => waits > 0),
    'late record': share(({ late }) => late > 0),
    'several instances': share(({ instances }) => instances > 1),
  };
  const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;
  t.diagnostic(
    `${cases.length} runs, ${sum(({ records }) => records)} records, ${sum(({ rows }) => rows)} rows; late ${percent(
      sum(({ late }) => late) / sum(({ records }) => records),
    )} of the records; runs with a ${Object.entries(shares)
      .map(([name, part]) => `${name} ${percent(part)}`)
      .join(', ')}`,
  );
  if (cases.length < ENOUGH) return;
  for (const [name, part] of Object.entries(shares)) assert.ok(part >= SHARE, `too few runs had a ${name}`);
  assert.ok(sum(({ late }) => late) >= LATE_SHARE * sum(({ records }) => records), 'too few records are late');
}
