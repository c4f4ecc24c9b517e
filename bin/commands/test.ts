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
const FILE_TIMEOUT_MS = 15 * MINUTE_MS;
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

/** What shares servers, and what has its own, in one queue: two would both end with a core that waits for their last file. */
async function onServers(options: Options): Promise<Counts> {
  const { long, keep, filters, signal } = options;
  const files = {
    shared: slowFirst(await testFiles(root, 'it', filters)),
    own: await testFiles(root, 'e2e', filters),
    long: long ? await testFiles(root, 'long', filters) : [],
  };
  if (files.shared.length + files.own.length + files.long.length === 0 || signal.aborted) return NO_TESTS;
  await endAbandoned((line) => process.stderr.write(`${line}\n`));
  const cacheDir = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice');
  const env = { SLUICE_TEST_CACHE: cacheDir, ...(keep && { SLUICE_TEST_KEEP: '1' }) };
  if (files.shared.length + files.long.length > 0) return await onSharedServers(files, cacheDir, env, options);
  return await runTests(files.own, { root, env, signal, concurrency: AT_ONCE, timeoutMs: FILE_TIMEOUT_MS });
}

/** Those that wait for sessions and faults take minutes: begun last they would run alone in the end. */
function slowFirst(files: readonly string[]): string[] {
  const isSlow = (file: string): boolean => /[/\\](determinism|faults|verify)[/\\]/.test(file);
  return [...files.filter(isSlow), ...files.filter((file) => !isSlow(file))];
}

interface Files {
  readonly shared: readonly string[];
  readonly own: readonly string[];
  readonly long: readonly string[];
}

async function onSharedServers(
  files: Files,
  cacheDir: string,
  env: Readonly<Record<string, string>>,
  { long, keep, signal }: Options,
): Promise<Counts> {
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
      await runTests([...files.own, ...files.shared], { ...all, concurrency: AT_ONCE, timeoutMs: FILE_TIMEOUT_MS }),
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
