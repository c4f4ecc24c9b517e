/** pyarrow, installed once per machine beside the other downloads: another reader of Parquet than DuckDB, with a library of its own. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { onPath, run } from '../../../dev/parts/command.ts';
import { withInstallLock } from '../../../dev/parts/install-lock.ts';

const VERSION = '26.0.1';
const INSTALL_MS = 5 * 60_000;
const READ_MS = 60_000;
const SCRIPT = join(import.meta.dirname, 'read-lake.py');

/** A file of Parquet as pyarrow sees it: the types of its columns, and its rows with every value as text. */
export interface PyarrowTable {
  readonly types: Readonly<Record<string, string>>;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** A Python that has pyarrow; or why there is none. */
export type Python =
  | { readonly read: (files: readonly string[]) => Promise<PyarrowTable>; readonly missing: undefined }
  | { readonly missing: string };

/** Looks for python3 and pip, and installs pyarrow below `cacheDir` when it is not there yet. */
export async function findPyarrow(cacheDir: string): Promise<Python> {
  const python = onPath('python3');
  if (python === undefined) return { missing: 'there is no python3' };
  const about = await run(python, [
    '-c',
    'import sysconfig, sys; print(sys.version_info[1], sysconfig.get_platform())',
  ]);
  if (about.code !== 0) return { missing: 'python3 does not run' };
  const target = join(cacheDir, `pyarrow-${VERSION}-py3.${about.stdout.trim().replaceAll(' ', '-')}`);
  if (!existsSync(target)) {
    if ((await run(python, ['-m', 'pip', '--version'])).code !== 0) return { missing: 'python3 has no pip' };
    await mkdir(cacheDir, { recursive: true });
    const context = { cacheDir, progress: () => undefined, signal: AbortSignal.timeout(INSTALL_MS) };
    const failure = await withInstallLock(target, context, () => install(python, cacheDir, target));
    if (failure !== undefined) return { missing: `pip cannot install pyarrow ${VERSION}: ${failure}` };
  }
  return { missing: undefined, read: (files) => read(python, target, files) };
}

/** Whole or not at all: into a folder of its own, which then gets its name. */
async function install(python: string, cacheDir: string, target: string): Promise<string | undefined> {
  if (existsSync(target)) return undefined;
  const draft = await mkdtemp(join(cacheDir, '.pyarrow-'));
  try {
    const packages = join(draft, 'packages');
    const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--only-binary', ':all:', '--target', packages];
    const { code, output } = await run(python, [...args, `pyarrow==${VERSION}`], { timeoutMs: INSTALL_MS });
    if (code !== 0)
      return (
        output
          .trim()
          .split('\n')
          .findLast((line) => line.startsWith('ERROR'))
          ?.slice(0, 120) ?? 'no answer'
      );
    await rename(packages, target);
    return undefined;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function read(python: string, packages: string, files: readonly string[]): Promise<PyarrowTable> {
  const env = { ...process.env, PYTHONPATH: packages };
  const { code, stdout, output } = await run(python, [SCRIPT, ...files], { env, timeoutMs: READ_MS });
  if (code !== 0) throw new Error(`pyarrow: ${output}`);
  return JSON.parse(stdout) as PyarrowTable;
}
