/** Python packages, installed once per machine beside the other downloads: readers and engines with libraries of their own. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { onPath, run } from './command.ts';
import { withInstallLock } from './install-lock.ts';

const INSTALL_MS = 15 * 60_000;
const RUN_MS = 60_000;

/** How a script runs. */
export interface ScriptOptions {
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** It is ended when it takes longer. Default 60 s. */
  readonly timeoutMs?: number;
}

/** A Python that has the packages; or why there is none. */
export type Python =
  | {
      /** Runs a script; resolves with its standard output (its last 256 KB). Rejects with all output when its exit code is not 0. */
      readonly script: (script: string, args: readonly string[], options?: ScriptOptions) => Promise<string>;
      readonly missing: undefined;
    }
  | { readonly missing: string };

/**
 * Looks for python3 and pip, and installs exactly these (`name==version`, nothing that they ask for) when they are not there yet. `cacheDir`: where to;
 * `progress`: told before an installation.
 */
export async function findPython(
  packages: readonly [string, ...string[]],
  options: { readonly cacheDir?: string; readonly progress?: (text: string) => void } = {},
): Promise<Python> {
  const { cacheDir = process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice'), progress } = options;
  const python = onPath('python3');
  if (python === undefined) return { missing: 'there is no python3' };
  const about = await run(python, [
    '-c',
    'import sysconfig, sys; print(sys.version_info[1], sysconfig.get_platform())',
  ]);
  if (about.code !== 0) return { missing: 'python3 does not run' };
  const hash = createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 8);
  const [first] = packages;
  const target = join(cacheDir, `${first}-${hash}-py3.${about.stdout.trim().replaceAll(' ', '-')}`);
  if (!existsSync(target)) {
    if ((await run(python, ['-m', 'pip', '--version'])).code !== 0) return { missing: 'python3 has no pip' };
    await mkdir(cacheDir, { recursive: true });
    progress?.(`pip installs ${first}`);
    const context = { cacheDir, progress: () => undefined, signal: AbortSignal.timeout(INSTALL_MS) };
    const failure = await withInstallLock(target, context, () => install(python, cacheDir, target, packages));
    if (failure !== undefined) return { missing: `pip cannot install ${first}: ${failure}` };
  }
  return { missing: undefined, script: (script, args, how = {}) => runScript(python, target, [script, ...args], how) };
}

/** Whole or not at all: into a folder of its own, which then gets its name. */
async function install(
  python: string,
  cacheDir: string,
  target: string,
  packages: readonly string[],
): Promise<string | undefined> {
  if (existsSync(target)) return undefined;
  const draft = await mkdtemp(join(cacheDir, '.python-'));
  try {
    const into = join(draft, 'packages');
    const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:', '--target', into];
    const { code, output } = await run(python, [...args, ...packages], { timeoutMs: INSTALL_MS });
    if (code !== 0) {
      const error = output
        .trim()
        .split('\n')
        .findLast((line) => line.startsWith('ERROR'));
      return error?.slice(0, 120) ?? 'no answer';
    }
    await rename(into, target);
    return undefined;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function runScript(
  python: string,
  packages: string,
  args: readonly string[],
  { env, timeoutMs = RUN_MS }: ScriptOptions,
): Promise<string> {
  const all = { ...process.env, ...env, PYTHONPATH: packages };
  const { code, stdout, output } = await run(python, args, { env: all, timeoutMs });
  if (code !== 0) throw new Error(`${args[0]}: ${output}`);
  return stdout;
}
