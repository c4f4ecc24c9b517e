import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';

/** Output beyond this is dropped from its front. */
const OUTPUT_LIMIT = 256 * 1024;

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
  /** Ends the command, with everything that it started. */
  readonly signal?: AbortSignal;
  /** Ends the command when it takes longer. Default 30 s. */
  readonly timeoutMs?: number;
  /** Called with each piece of its output as it comes. */
  readonly onOutput?: (text: string) => void;
}

export interface CommandResult {
  /** Exit code; -1 when it could not be run, 128 when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  /** stdout and stderr in the order in which they came. */
  readonly output: string;
}

/** Runs a command to its end. Never rejects: a command that cannot be run has code -1 and the reason as its output. */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { onOutput, signal, timeoutMs = 30_000, ...spawnOptions } = options;
  let stdout = '';
  let output = '';
  // A group of its own: a wrapper script is ended together with what it runs.
  const child = spawn(command, args, { ...spawnOptions, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const take = (text: string): void => {
    output = (output + text).slice(-OUTPUT_LIMIT);
    onOutput?.(text);
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout = (stdout + text).slice(-OUTPUT_LIMIT);
    take(text);
  });
  child.stderr.setEncoding('utf8').on('data', take);
  const end = (): void => {
    try {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  };
  const timer = setTimeout(end, timeoutMs);
  signal?.addEventListener('abort', end);
  if (signal?.aborted === true) end();
  try {
    return await new Promise<CommandResult>((resolve) => {
      child.once('error', (error) => resolve({ code: -1, stdout, output: error.message }));
      child.once('close', (code) => resolve({ code: code ?? 128, stdout, output }));
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}

/** The file that a command stands for, searched on the PATH and then in `more` folders. */
export function onPath(command: string, more: readonly string[] = []): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), ...more];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => path.join(folder, command))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
