/** `npm test`: check, then the tests on real servers, which it starts in a temporary folder and ends again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { addCounts, type Counts, formatCounts, runTests, testFiles } from '../../dev/tests/run-tests.ts';
import { startTestServers, type TestServers } from '../../dev/tests/test-servers.ts';
import { check } from './check.ts';

export const help = `sluice test [--long] [--keep] [FILTER...]
  All tests: check, then those on real servers, then those of everything at once. --long: those that take many minutes, too.
  --keep leaves the servers' folder. FILTER: only test files (on servers) whose path contains it; check is left out then.`;

const root = dirname(dirname(import.meta.dirname));
const E2E_TIMEOUT_MS = 15 * 60_000;

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { long: { type: 'boolean', default: false }, keep: { type: 'boolean', default: false } },
  });
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort());
  const before = positionals.length > 0 ? NOTHING : await check();
  const counts = addCounts(before, await onServers(positionals, values, abort.signal));
  process.stdout.write(`\n${formatCounts(counts)}\n`);
  return counts.failed > 0 || counts.passed === 0 || abort.signal.aborted ? 1 : 0;
}

const NOTHING: Counts = { passed: 0, failed: 0, skipped: 0 };

async function onServers(
  filters: readonly string[],
  options: { readonly long: boolean; readonly keep: boolean },
  signal: AbortSignal,
): Promise<Counts> {
  const it = await testFiles(root, 'it', filters);
  const e2e = await testFiles(root, 'e2e', filters);
  const long = options.long ? await testFiles(root, 'long', filters) : [];
  if (it.length + e2e.length + long.length === 0 || signal.aborted) return NOTHING;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const cacheDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice');
  let servers: TestServers | undefined;
  let keep = options.keep;
  try {
    servers = await startTestServers({
      root,
      folder,
      cacheDir,
      signal,
      progress: (text) => process.stderr.write(`${text}\n`),
    });
    const env = { ...cleanEnvironment(), ...servers.env };
    const some = await runTests(it, { root, env, concurrency: 2, signal });
    const whole = await runTests([...e2e, ...long], { root, env, concurrency: 1, signal, timeoutMs: E2E_TIMEOUT_MS });
    keep ||= some.failed + whole.failed > 0;
    return addCounts(some, whole);
  } finally {
    await servers?.stop();
    if (keep) process.stderr.write(`the servers' data and logs are in ${folder}\n`);
    else await rm(folder, { recursive: true, force: true });
  }
}

/** Addresses of a developer's own servers must not reach tests: they write and delete. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('SLUICE_') || name === 'SLUICE_SEED'),
  );
}
