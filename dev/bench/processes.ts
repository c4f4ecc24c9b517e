/** An engine's processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

const STOP_MS = 12_000;

/** Starts `workers` times the command with `env` besides the environment; all that they say goes to the end of the log. */
export function startAll(
  [command = '', ...args]: readonly string[],
  workers: number,
  env: Readonly<Record<string, string>>,
  logFile: string,
): ChildProcess[] {
  const log = openSync(logFile, 'a');
  try {
    return Array.from({ length: workers }, () =>
      // One that cannot be started has no pid: `hasEnded` tells.
      spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', log, log] }).on('error', () => {}),
    );
  } finally {
    closeSync(log);
  }
}

/** Whether it has ended, or could not be started. */
export const hasEnded = ({ pid, exitCode, signalCode }: ChildProcess): boolean =>
  pid === undefined || exitCode !== null || signalCode !== null;

/** SIGTERM, and SIGKILL when that takes long; resolves when it is gone. */
export async function stopEngine(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}
