/** Runs test files by node:test and counts what came out. */
import { glob } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type EventData, run } from 'node:test';
import { spec } from 'node:test/reporters';
import { inspect } from 'node:util';
import { CACHE_DIR } from '../supervisor/local-run.ts';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Which tests failed and why, to be told again at the end: what stands above is often cut off. */
  readonly failures: readonly string[];
}

/** unit: no server; it: real servers; e2e: everything at once; long: what takes many minutes. */
export type TestKind = 'unit' | 'it' | 'e2e' | 'long';

export interface RunOptions {
  readonly root: string;
  readonly concurrency: number;
  /** Added to the environment of tests. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Per file: one that hangs is ended and counts as failed. */
  readonly timeoutMs: number;
  /** Where the report goes; otherwise standard output. */
  readonly report?: NodeJS.WritableStream;
}

export const NO_TESTS: Counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
const FAILURE_CHARACTERS = 6_000;
const KIND = /\.(it|e2e|long)\.test\.ts$/;
/** What a person may tell tests. */
const KNOBS = new Set([
  'SLUICE_CHROMIUM',
  'SLUICE_SEED',
  'SLUICE_TEST_KEEP',
  'SLUICE_TEST_LOG',
  'SLUICE_TEST_LONG',
  'SLUICE_TRAFFIC_SECONDS',
]);

/** Files of one kind, in a fixed order; with filters only those whose path contains one of them. */
export async function testFiles(root: string, kind: TestKind, filters: readonly string[] = []): Promise<string[]> {
  const files = await Array.fromAsync(glob('test/**/*.test.ts', { cwd: root }));
  return files
    .filter((file) => (KIND.exec(file)?.[1] ?? 'unit') === kind)
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((file) => join(root, file));
}

/** Runs files, each in a process of its own, and prints what they report. A file that fails to load, or has no tests, counts as failed. */
export async function runTests(files: readonly string[], options: RunOptions): Promise<Counts> {
  if (files.length === 0 || options.signal?.aborted === true) return NO_TESTS;
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const empty: string[] = [];
  const stream = run({
    files: [...files],
    concurrency: options.concurrency,
    cwd: options.root,
    env: { ...testEnvironment(), ...options.env },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    timeout: options.timeoutMs,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  stream.on('test:pass', (event) => {
    if (event.details.type === 'suite') return;
    // node:test passes a file without tests as a test of the file's name.
    if (event.name === event.file) empty.push(event.name);
    else if (event.skip !== undefined || event.todo !== undefined) counts.skipped++;
    else counts.passed++;
  });
  stream.on('test:fail', (event) => {
    // A suite fails with its tests: only a failure of its own counts.
    const cause = (event.details.error as { failureType?: string }).failureType;
    if (event.details.type === 'suite' && cause === 'subtestsFailed') return;
    if (event.todo !== undefined) {
      counts.skipped++;
      return;
    }
    counts.failed++;
    failures.push(failureText(event, options.root));
  });
  await new Promise<void>((resolve, reject) => {
    const report = stream.compose(new spec());
    report.on('error', reject);
    report.pipe(options.report ?? process.stdout, { end: false });
    report.on('end', resolve);
  });
  failures.push(...empty.map((file) => `✖ ${file} has no tests`));
  return { ...counts, failed: counts.failed + empty.length, failures };
}

function failureText(event: EventData.TestFail, root: string): string {
  const { cause } = event.details.error;
  const place = event.file === undefined ? '' : `${relative(root, event.file)}:${event.line ?? 0} `;
  const text = inspect(cause instanceof Error ? cause : event.details.error);
  return `✖ ${place}${event.name}\n${text.slice(0, FAILURE_CHARACTERS)}`;
}

/**
 * The environment without addresses of a developer's own servers: tests write and delete. And without the mark of a test process: a run
 * within a run would take itself for a child.
 */
export function testEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value === undefined || name === 'NODE_TEST_CONTEXT') continue;
    if (!name.startsWith('SLUICE_') || KNOBS.has(name)) environment[name] = value;
  }
  // Hundreds of processes load the same modules.
  environment['NODE_COMPILE_CACHE'] ??= join(CACHE_DIR, 'compiled');
  return environment;
}

export function addCounts(...all: readonly Counts[]): Counts {
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
    skipped: all.reduce((sum, { skipped }) => sum + skipped, 0),
    failures: all.flatMap(({ failures }) => failures),
  };
}

/** Failures first, the line with the numbers last. */
export const formatCounts = ({ passed, failed, skipped, failures }: Counts): string =>
  [...failures, `${passed} passed, ${failed} failed, ${skipped} skipped`].join('\n\n');
