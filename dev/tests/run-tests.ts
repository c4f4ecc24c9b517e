/** Runs test files by node:test and counts what came out. */
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** unit: no server; it: real servers; e2e: everything at once; long: what takes many minutes. */
export type TestKind = 'unit' | 'it' | 'e2e' | 'long';

const KIND = /\.(it|e2e|long)\.test\.ts$/;

/** Files of one kind, in a fixed order; with filters only those whose path contains one of them. */
export async function testFiles(root: string, kind: TestKind, filters: readonly string[] = []): Promise<string[]> {
  const files = await Array.fromAsync(glob('test/**/*.test.ts', { cwd: root }));
  return files
    .filter((file) => (KIND.exec(file)?.[1] ?? 'unit') === kind)
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((file) => join(root, file));
}

/** Runs files, each in a process of its own, and prints what they report. A file that fails to load counts as failed. */
export async function runTests(
  files: readonly string[],
  options: {
    readonly root: string;
    readonly concurrency: number;
    readonly env: NodeJS.ProcessEnv;
    readonly signal?: AbortSignal;
    readonly timeoutMs?: number;
  },
): Promise<Counts> {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const stream = run({
    files: [...files],
    concurrency: options.concurrency,
    cwd: options.root,
    env: withoutContext(options.env),
    execArgv: ['--disable-warning=ExperimentalWarning'],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  });
  stream.on('test:pass', (event) => {
    if (event.details.type === 'suite') return;
    if (event.skip !== undefined || event.todo !== undefined) counts.skipped++;
    else counts.passed++;
  });
  stream.on('test:fail', (event) => {
    // A suite fails with its tests: only a failure of its own counts.
    const cause = (event.details.error as { failureType?: string }).failureType;
    if (event.details.type === 'suite' && cause === 'subtestsFailed') return;
    counts.failed++;
  });
  await new Promise<void>((resolve, reject) => {
    const report = stream.compose(new spec());
    report.on('error', reject);
    report.pipe(process.stdout, { end: false });
    report.on('end', resolve);
  });
  return counts;
}

export function addCounts(...all: readonly Counts[]): Counts {
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
    skipped: all.reduce((sum, { skipped }) => sum + skipped, 0),
  };
}

export const formatCounts = ({ passed, failed, skipped }: Counts): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** A run within a run would take itself for a child. */
function withoutContext(env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(env).filter(([name, value]) => value !== undefined && name !== 'NODE_TEST_CONTEXT');
  return Object.fromEntries(entries) as Record<string, string>;
}
