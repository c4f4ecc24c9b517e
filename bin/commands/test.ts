/** `npm test`: check, then the tests on real servers, which it starts in a temporary folder and ends again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { endAbandoned } from '../../dev/tests/abandoned.ts';
import { addCounts, type Counts, formatCounts, NO_TESTS, runTests, testFiles } from '../../dev/tests/run-tests.ts';
import { startAvailableServers } from '../../dev/tests/test-servers.ts';
import { check } from './check.ts';

export const help = `sluice test [--long] [--keep] [FILTER...]
  All tests: check, then those on real servers, then those of everything at once. --long: those that take many minutes, too.
  --keep leaves the servers' folder. FILTER: only test files whose path contains it; types, lint and format are left out then.`;

const root = dirname(dirname(import.meta.dirname));
const MINUTE_MS = 60_000;
/** They wait for sessions to end and for clocks, each on servers of its own: three at once keep two cores busy. */
const E2E_AT_ONCE = 3;
const UNIT_TIMEOUT_MS = 3 * MINUTE_MS;
const IT_TIMEOUT_MS = 10 * MINUTE_MS;
const E2E_TIMEOUT_MS = 15 * MINUTE_MS;
const LONG_TIMEOUT_MS = 180 * MINUTE_MS;

interface Options {
  readonly long: boolean;
  readonly keep: boolean;
  readonly filters: readonly string[];
  readonly signal: AbortSignal;
}

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { long: { type: 'boolean', default: false }, keep: { type: 'boolean', default: false } },
  });
  const abort = new AbortController();
  const { signal } = abort;
  // However often: the servers must end before this process does.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => abort.abort());
  const first =
    positionals.length === 0
      ? await check(signal)
      : await runTests(await testFiles(root, 'unit', positionals), {
          root,
          concurrency: 2,
          timeoutMs: UNIT_TIMEOUT_MS,
          signal,
        });
  const counts = addCounts(first, await onServers({ ...values, filters: positionals, signal }));
  if (signal.aborted) process.stdout.write('\ninterrupted\n');
  process.stdout.write(`\n${formatCounts(counts)}\n`);
  return counts.failed > 0 || counts.passed === 0 || signal.aborted ? 1 : 0;
}

async function onServers({ long, keep, filters, signal }: Options): Promise<Counts> {
  const files = {
    it: await testFiles(root, 'it', filters),
    e2e: await testFiles(root, 'e2e', filters),
    long: long ? await testFiles(root, 'long', filters) : [],
  };
  if (Object.values(files).flat().length === 0 || signal.aborted) return NO_TESTS;
  await endAbandoned((line) => process.stderr.write(`${line}\n`));
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const servers = await startAvailableServers({
    root,
    folder,
    cacheDir: join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice'),
    signal,
    keepData: keep,
    progress: (text) => process.stderr.write(`${text}\n`),
  });
  // A run that breaks off keeps its logs as one that fails does.
  let failed = true;
  try {
    const broken = servers.failures.map(({ message }) => `✖ ${message}`);
    for (const line of broken) process.stdout.write(`${line}\n`);
    const env = { ...servers.env, ...(keep && { SLUICE_TEST_KEEP: '1' }), ...(long && { SLUICE_TEST_LONG: '1' }) };
    const one = { root, env, signal, concurrency: 1 };
    const counts = addCounts(
      { passed: 0, failed: broken.length, skipped: 0, failures: broken },
      await runTests(files.it, { ...one, concurrency: 2, timeoutMs: IT_TIMEOUT_MS }),
      await runTests(files.e2e, { ...one, concurrency: E2E_AT_ONCE, timeoutMs: E2E_TIMEOUT_MS }),
      await runTests(files.long, { ...one, timeoutMs: LONG_TIMEOUT_MS }),
    );
    failed = counts.failed > 0;
    return counts;
  } finally {
    await servers.stop();
    if (keep) process.stdout.write(`data and logs of the servers: ${folder}\n`);
    else if (failed) process.stdout.write(`logs of the servers: ${join(folder, 'logs')}\n`);
    else await rm(folder, { recursive: true, force: true });
  }
}
