/** Two commits: what is made of their runs, what is checked out, what is refused. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { orderOf } from '../../../dev/bench/compare.ts';
import { type CommitRuns, compareRatio, compareRatios, compareTable } from '../../../dev/bench/compare-report.ts';
import type { RunResult } from '../../../dev/bench/measure.ts';
import { withWorktrees, type WorktreeContext } from '../../../dev/bench/worktrees.ts';

const runOf = (cpuSeconds: number, wallSeconds: number, checksumOk = true): RunResult => ({
  engine: 'sluice',
  wallSeconds,
  cpuSeconds,
  brokerCpuSeconds: 0,
  peakRssMb: 1,
  outputRows: 1,
  checksum: '',
  checksumOk,
  load: [0, 0],
  log: '',
});
const commitOf = (name: string, ...runs: readonly RunResult[]): CommitRuns => ({ name, commit: '0123456789', runs });

describe('ratios', () => {
  test('what the first needed over what the second needed, of the medians, and of what ran next to each other', () => {
    const a = commitOf('a', runOf(4, 10), runOf(6, 10), runOf(8, 10));
    const b = commitOf('b', runOf(2, 5), runOf(2, 10), runOf(8, 20));
    const { cpu, wall } = compareRatios([a, b]);
    assert.deepEqual(cpu, { ratio: 3, pairs: { median: 2, min: 1, max: 3 }, shown: false });
    assert.deepEqual(wall, { ratio: 1, pairs: { median: 1, min: 0.5, max: 2 }, shown: false });
  });

  test('a difference is shown when three pairs or more all say the same', () => {
    assert.equal(compareRatio([3, 3, 3], [2, 2, 2]).shown, true);
    assert.equal(compareRatio([2, 2, 2], [3, 3, 3]).shown, true);
    assert.equal(compareRatio([3, 3, 2], [2, 2, 3]).shown, false);
    assert.equal(compareRatio([3, 3], [2, 2]).shown, false);
  });

  test('who comes second changes from run to run', () => {
    const orders = [1, 2, 3].map((nth) => orderOf(nth, ['a', 'b']).join(''));
    assert.deepEqual(orders, ['ab', 'ba', 'ab']);
  });

  test('a wrong result of either is told in the table', () => {
    const commits = [commitOf('a', runOf(1, 1)), commitOf('b', runOf(1, 1, false))] as const;
    const machine = { cpu: 'a', cores: 2, memoryGb: 4, node: 'v24' };
    const about = { machine, at: '', workload: 'R2', dataset: 'small', workers: 1, checksumOk: false };
    const table = compareTable({ ...about, ratio: compareRatios(commits), commits });
    assert.match(table, /^\| a \(0123456\) .*\| right \|$/m);
    assert.match(table, /^\| b \(0123456\) .*\| WRONG \|$/m);
    assert.match(table, /b to a .*no difference shown/);
  });
});

describe('worktrees', { timeout: 120_000 }, () => {
  const [without, first, second] = ['without', 'first', 'second'] as const;
  let root = '';
  let context: WorktreeContext;
  const git = (...args: readonly string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  const commit = async (tag: string, files: Readonly<Record<string, string>>): Promise<void> => {
    await mkdir(join(root, 'bin', 'commands'), { recursive: true });
    for (const [file, text] of Object.entries(files)) await writeFile(join(root, file), text);
    git('add', '.');
    git('-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit', '-q', '-m', tag);
    git('tag', tag);
  };

  before(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'sluice worktrees-')));
    context = { root, folder: join(root, '.sluice'), signal: AbortSignal.timeout(110_000), progress: () => {} };
    git('init', '-q');
    const manifest = { name: 'x', version: '1.0.0' };
    const lock = (version: string): string =>
      JSON.stringify({ ...manifest, version, lockfileVersion: 3, packages: { '': { ...manifest, version } } });
    await commit(without, { 'package.json': JSON.stringify(manifest), '.gitignore': 'node_modules/\n.sluice/\n' });
    await commit(first, { 'bin/commands/bench.ts': 'first', 'package-lock.json': lock('1.0.0') });
    const next = {
      'package.json': JSON.stringify({ ...manifest, version: '2.0.0' }),
      'package-lock.json': lock('2.0.0'),
    };
    await commit(second, { 'bin/commands/bench.ts': 'second', ...next });
    await mkdir(join(root, 'node_modules'));
    await writeFile(join(root, 'node_modules', 'mark'), 'of the repository');
  });
  after(() => rm(root, { recursive: true, force: true }));

  test('each is checked out with the packages of its lock file, twice the same one too, and nothing stays', async () => {
    const seen = await withWorktrees([first, second, second], context, async (worktrees) =>
      Promise.all(
        worktrees.map(async ({ name, commit, folder }) => {
          assert.equal(commit, git('rev-parse', name));
          const text = await readFile(join(folder, 'bin', 'commands', 'bench.ts'), 'utf8');
          return [text, existsSync(join(folder, 'node_modules', 'mark'))];
        }),
      ),
    );
    assert.deepEqual(seen, [
      ['first', false],
      ['second', true],
      ['second', true],
    ]);
    assert.equal(git('worktree', 'list').split('\n').length, 1);
    assert.equal(existsSync(join(root, '.sluice', 'commit-1')), false);
    assert.ok(existsSync(join(root, 'node_modules', 'mark')), 'the packages of the repository are still there');
  });

  test("what an earlier one left when it was killed is in nobody's way", async () => {
    git('worktree', 'add', '-q', '--detach', join(root, '.sluice', 'commit-1'), first);
    await withWorktrees([second], context, async ([worktree]) =>
      assert.equal(worktree?.commit, git('rev-parse', second)),
    );
  });

  for (const [what, name] of [
    ['what is no commit', 'no-such-thing'],
    ['what looks like an option', '--all'],
    ['a commit without a benchmark', without],
  ] as const) {
    test(`${what} is refused, nothing is done, nothing stays`, async () => {
      const work = (): Promise<never> => assert.fail('it began');
      await assert.rejects(withWorktrees([second, name], context, work), { code: 'SLC_BENCH_COMMIT' });
      assert.equal(git('worktree', 'list').split('\n').length, 1);
    });
  }
});
