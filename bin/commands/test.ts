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
/** They wait for servers, sessions and clocks: three files at once keep two cores busy. */
const AT_ONCE = 3;
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
          concurrency: AT_ONCE,
          timeoutMs: UNIT_TIMEOUT_MS,
          signal,
        });
  const counts = addCounts(first, await onServers({ ...values, filters: positionals, signal }));
  if (signal.aborted) process.stdout.write('\ninterrupted\n');
  process.stdout.write(`\n${formatCounts(counts)}\n`);
  return counts.failed > 0 || counts.passed === 0 || signal.aborted ? 1 : 0;
}

/** What shares servers, then what has its own: a server that nobody uses costs processor time too. */
async function onServers(options: Options): Promise<Counts> {
  const { long, keep, filters, signal } = options;
  const shared = {
    it: await testFiles(root, 'it', filters),
    long: long ? await testFiles(root, 'long', filters) : [],
  };
  const e2e = await testFiles(root, 'e2e', filters);
  if (shared.it.length + shared.long.length + e2e.length === 0 || signal.aborted) return NO_TESTS;
  await endAbandoned((line) => process.stderr.write(`${line}\n`));
  const cacheDir = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice');
  const env = { SLUICE_TEST_CACHE: cacheDir, ...(keep && { SLUICE_TEST_KEEP: '1' }) };
  return addCounts(
    await onSharedServers(shared, cacheDir, env, options),
    await runTests(e2e, { root, env, signal, concurrency: AT_ONCE, timeoutMs: E2E_TIMEOUT_MS }),
  );
}

async function onSharedServers(
  files: { readonly it: readonly string[]; readonly long: readonly string[] },
  cacheDir: string,
  env: Readonly<Record<string, string>>,
  { long, keep, signal }: Options,
): Promise<Counts> {
  if (files.it.length + files.long.length === 0) return NO_TESTS;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const servers = await startAvailableServers({
    root,
    folder,
    cacheDir,
    signal,
    keepData: keep,
    progress: (text) => process.stderr.write(`${text}\n`),
  });
  // A run that breaks off keeps its logs as one that fails does.
  let failed = true;
  try {
    const broken = servers.failures.map(({ message }) => `✖ ${message}`);
    for (const line of broken) process.stdout.write(`${line}\n`);
    const all = { root, signal, env: { ...env, ...servers.env, ...(long && { SLUICE_TEST_LONG: '1' }) } };
    const counts = addCounts(
      { passed: 0, failed: broken.length, skipped: 0, failures: broken },
      await runTests(files.it, { ...all, concurrency: AT_ONCE, timeoutMs: IT_TIMEOUT_MS }),
      await runTests(files.long, { ...all, concurrency: 1, timeoutMs: LONG_TIMEOUT_MS }),
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
