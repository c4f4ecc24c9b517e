/** Two commits of this repository side by side, each in a git worktree with packages of its own lock file. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '#topology';
import { run } from '../parts/command.ts';

/** A commit, checked out. */
export interface Worktree {
  /** As it was asked for. */
  readonly name: string;
  readonly commit: string;
  readonly folder: string;
}

export interface WorktreeContext {
  /** The repository. */
  readonly root: string;
  /** Gets a folder per commit. */
  readonly folder: string;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

const GIT_MS = 120_000;
const INSTALL_MS = 10 * 60_000;

/**
 * Does `work` with the commits checked out, in the order given; the same one may come twice. They are gone afterwards. ConfigError SLC_BENCH_COMMIT
 * for what is no commit, has no engine to measure, or whose packages cannot be installed.
 */
export async function withWorktrees<T>(
  names: readonly string[],
  context: WorktreeContext,
  work: (worktrees: readonly Worktree[]) => Promise<T>,
): Promise<T> {
  const commits: string[] = [];
  for (const name of names) commits.push(await commitOf(name, context));
  const worktrees: Worktree[] = [];
  try {
    for (const [nth, name] of names.entries()) {
      const worktree = { name, commit: commits[nth] ?? '', folder: join(context.folder, `commit-${nth + 1}`) };
      worktrees.push(worktree);
      await checkOut(worktree, context);
    }
    return await work(worktrees);
  } finally {
    for (const { folder } of worktrees) await rm(folder, { recursive: true, force: true });
    // Also when it was aborted: git would keep the names of folders that are gone.
    await run('git', ['worktree', 'prune'], { cwd: context.root, timeoutMs: GIT_MS });
  }
}

async function commitOf(name: string, { root, signal }: WorktreeContext): Promise<string> {
  const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`];
  const { code, stdout } = await run('git', args, { cwd: root, signal, timeoutMs: GIT_MS });
  if (code === 0) return stdout.trim();
  throw new ConfigError('SLC_BENCH_COMMIT', `${JSON.stringify(name)} is no commit of this repository`, {
    hint: 'name two commits: branches, tags or hashes, as in npm run bench:compare -- main HEAD',
  });
}

async function checkOut({ name, commit, folder }: Worktree, context: WorktreeContext): Promise<void> {
  const { root, signal, progress } = context;
  progress(`checks out ${name}`);
  await mkdir(context.folder, { recursive: true });
  // One that was killed leaves both.
  await rm(folder, { recursive: true, force: true });
  await run('git', ['worktree', 'prune'], { cwd: root, signal, timeoutMs: GIT_MS });
  const args = ['worktree', 'add', '--quiet', '--detach', folder, commit];
  const { code, output } = await run('git', args, { cwd: root, signal, timeoutMs: GIT_MS });
  if (code !== 0) throw new ConfigError('SLC_BENCH_COMMIT', `${name} cannot be checked out: ${output.trim()}`);
  if (!existsSync(join(folder, 'bin', 'commands', 'bench.ts'))) {
    throw new ConfigError('SLC_BENCH_COMMIT', `${name} has no bin/commands/bench.ts: there is nothing to measure`, {
      hint: 'compare commits that have the benchmark',
    });
  }
  await install({ name, commit, folder }, context);
}

/** The packages of the repository serve when the lock file is the same. */
async function install({ name, folder }: Worktree, { root, signal, progress }: WorktreeContext): Promise<void> {
  const [ours, theirs] = await Promise.all([root, folder].map((of) => readFile(join(of, 'package-lock.json'), 'utf8')));
  if (ours === theirs) {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
    return;
  }
  progress(`installs the packages of ${name}`);
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund'];
  const { code, output } = await run('npm', args, { cwd: folder, signal, timeoutMs: INSTALL_MS });
  if (code !== 0) throw new ConfigError('SLC_BENCH_COMMIT', `the packages of ${name} cannot be installed: ${output}`);
}
