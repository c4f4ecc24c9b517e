import { spawn } from 'node:child_process';
import { mkdirSync, openSync, closeSync } from 'node:fs';
import { copyFile, open, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { ended, isAlive, signalGroup, startTimeOf } from './identity.ts';
import type { ProcessId } from './part.ts';

const KILL_WAIT_MS = 5_000;
const TAIL_BYTES = 64 * 1024;

/** What `spawnServer` starts. Paths and arguments may hold spaces: no shell is involved. */
export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** Another user to run as; only root may. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** A server that was started: it lives on when this process ends. */
export interface ServerProcess extends ProcessId {
  /** Where its own lines begin in the log file. */
  readonly logStart: number;
  /** `exit code 1`, or the name of the signal; resolves when the server has ended, if this process still runs. */
  readonly exited: Promise<string>;
}

/**
 * Starts a server in a session and process group of its own, so that neither Ctrl-C nor the end of the starter reaches it.
 * Rejects when the command cannot be run.
 */
export async function spawnServer(server: ServerCommand): Promise<ServerProcess> {
  mkdirSync(path.dirname(server.logFile), { recursive: true });
  const logStart = await sizeOf(server.logFile);
  const log = openSync(server.logFile, 'a', 0o600);
  try {
    const child = spawn(server.command, server.args, {
      cwd: server.cwd,
      env: server.env ?? process.env,
      detached: true,
      stdio: ['ignore', log, log],
      ...server.user,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    const exited = new Promise<string>((resolve) => {
      child.once('exit', (code, signal) => resolve(code === null ? (signal ?? 'a signal') : `exit code ${code}`));
    });
    // Later errors (of a signal) have nobody to hear them and must not end this process.
    child.on('error', () => undefined);
    child.unref();
    const pid = child.pid ?? 0;
    // One that has died already has no start time; its exit is then seen by whoever waits for it.
    return { pid, startTime: startTimeOf(pid) ?? 'ended', logStart, exited };
  } finally {
    closeSync(log);
  }
}

/** Asks the group to end, waits at most `timeoutMs`, then kills it. Does nothing for a process that has ended. */
export async function stopGroup(id: ProcessId, timeoutMs: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (!isAlive(id)) return;
  kill(-id.pid, signal);
  if (!(await ended(id, timeoutMs))) {
    signalGroup(id, 'SIGKILL');
    await ended(id, KILL_WAIT_MS);
  }
  // What the leader left behind. Its pid is not given away while a group has it, and a new leader would have a start time.
  if (startTimeOf(id.pid) === undefined) kill(-id.pid, 'SIGKILL');
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The last lines of a file from byte `from` on, without the line ends; none when there is no such file. Reads at most 64 KiB. */
export async function lastLines(file: string, count = 20, from = 0): Promise<string[]> {
  const size = await sizeOf(file);
  // A log that was rotated meanwhile is shorter than where its lines began.
  const begin = Math.max(from > size ? 0 : from, size - TAIL_BYTES);
  if (begin >= size) return [];
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(size - begin);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, begin);
    const lines = buffer.toString('utf8', 0, bytesRead).split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    return lines.slice(-count);
  } finally {
    await handle.close();
  }
}

/**
 * Keeps a log file below about `limitBytes`, with one older generation beside it (`.1`). Copies and truncates, because its writer has it open
 * to append: lines written in between are lost.
 */
export async function rotateLog(file: string, limitBytes: number): Promise<void> {
  if ((await sizeOf(file)) < limitBytes) return;
  await copyFile(file, `${file}.1`);
  await truncate(file, 0);
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
