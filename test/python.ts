/** Python packages for tests, installed once per machine beside the other downloads: readers with libraries of their own. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { onPath, run } from '../dev/parts/command.ts';
import { withInstallLock } from '../dev/parts/install-lock.ts';

const INSTALL_MS = 5 * 60_000;
const RUN_MS = 60_000;

/** A Python that has the packages; or why there is none. */
export type Python =
  | {
      /** Runs a script; resolves with what it prints, which is JSON. */
      readonly json: (script: string, args: readonly string[]) => Promise<unknown>;
      readonly missing: undefined;
    }
  | { readonly missing: string };

/** Looks for python3 and pip, and installs exactly these (`name==version`, nothing that they ask for) when they are not there yet. */
export async function findPython(packages: readonly [string, ...string[]]): Promise<Python> {
  const cacheDir = process.env['SLUICE_TEST_CACHE'] ?? join(homedir(), '.cache', 'sluice');
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
    const context = { cacheDir, progress: () => undefined, signal: AbortSignal.timeout(INSTALL_MS) };
    const failure = await withInstallLock(target, context, () => install(python, cacheDir, target, packages));
    if (failure !== undefined) return { missing: `pip cannot install ${first}: ${failure}` };
  }
  return { missing: undefined, json: (script, args) => runScript(python, target, script, args) };
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

async function runScript(python: string, packages: string, script: string, args: readonly string[]): Promise<unknown> {
  const env = { ...process.env, PYTHONPATH: packages };
  const { code, stdout, output } = await run(python, [script, ...args], { env, timeoutMs: RUN_MS });
  if (code !== 0) throw new Error(`${script}: ${output}`);
  return JSON.parse(stdout);
}
