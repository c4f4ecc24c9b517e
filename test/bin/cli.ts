/** Runs `sluice <command>` as people do: in a process of its own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '..', '..', 'bin', 'main.ts');
const DEADLINE_MS = 120_000;

/** What a run of the command line gave. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** `env` is all of the environment but PATH and HOME. */
export async function sluice(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  const { PATH = '', HOME = '' } = process.env;
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', MAIN, ...args],
      { env: { PATH, HOME, ...env }, timeout: DEADLINE_MS, maxBuffer: 64 * 2 ** 20 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    );
  });
}

/** Its answer, as a program would read it. The run must have been right. */
export function answer<T>({ code, out, err }: Ran): T {
  if (code !== 0) throw new Error(`exit code ${code}: ${err}`);
  return JSON.parse(out) as T;
}

/** One object per line. */
export function lines<T>({ code, out, err }: Ran): T[] {
  if (code !== 0) throw new Error(`exit code ${code}: ${err}`);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
