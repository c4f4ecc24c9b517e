/** `npm run check`: types, lint, format, generated files, and all tests that need no server. */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { addCounts, type Counts, formatCounts, runTests, testFiles } from '../../dev/tests/run-tests.ts';

export const help = `sluice check
  Types, type-aware lint, format, generated files, and all tests that need no server.`;

const root = dirname(dirname(import.meta.dirname));
const CHECKS: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
  ['types', 'tsc', ['-p', '.']],
  ['types of the page', 'tsc', ['-p', 'dashboard/page']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['format', 'oxfmt', ['--check', '.']],
  ['generated types', 'node', ['schemas/generate.ts', '--check']],
];
const CHECK_TIMEOUT_MS = 5 * 60_000;
const FILE_TIMEOUT_MS = 3 * 60_000;
/** Many of them wait for child processes and timers: three files at once keep two cores busy. */
const TESTS_AT_ONCE = 3;

export async function run(args: string[]): Promise<number> {
  parseArgs({ args, options: {} });
  const counts = await check();
  process.stdout.write(`${formatCounts(counts)}\n`);
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

/** Checks count as tests: one each. */
export async function check(signal?: AbortSignal): Promise<Counts> {
  const results = await Promise.all(CHECKS.map(([name, command, rest]) => runCheck(name, command, rest, signal)));
  const broken = CHECKS.filter((_, i) => results[i] !== true).map(([name]) => `✖ ${name}`);
  const tests = await runTests(await testFiles(root, 'unit'), {
    root,
    concurrency: TESTS_AT_ONCE,
    timeoutMs: FILE_TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  const checks = {
    passed: results.length - broken.length,
    failed: broken.length,
    skipped: 0,
    failures: broken,
  };
  return addCounts(checks, tests);
}

async function runCheck(
  name: string,
  command: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const started = Date.now();
  const child = spawn(join(root, 'node_modules', '.bin', command), args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: CHECK_TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
  const output: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => output.push(bytes));
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      output.push(Buffer.from(`${error.message}\n`));
      resolve(1);
    });
    child.once('close', (exit) => resolve(exit ?? 1));
  });
  const seconds = ((Date.now() - started) / 1_000).toFixed(1);
  process.stdout.write(`${code === 0 ? '✔' : '✖'} ${name} (${seconds} s)\n`);
  if (code !== 0) process.stdout.write(Buffer.concat(output));
  return code === 0;
}
