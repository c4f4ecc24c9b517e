/** Processes that outlive their starter: known by pid and start time, so that a pid given to another process is never signalled. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessId {
  readonly pid: number;
  /** As the system tells it; compared as text. */
  readonly startedAt: string;
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** stdout and stderr are appended to it. */
  readonly logFile: string;
  /** Another user, when this process is root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

export interface StartedServer extends ProcessId {
  /** Exit code, or the name of the signal; resolves when the server has ended. */
  readonly exited: Promise<number | string>;
}

const POLL_MS = 50;
const TAIL_BYTES = 64 * 1_024;

/** Starts a server in a process group of its own; it goes on when this process ends. */
export function startServer(server: ServerCommand): StartedServer {
  mkdirSync(dirname(server.logFile), { recursive: true });
  const log = openSync(server.logFile, 'a');
  try {
    const child = spawn(server.command, server.args, {
      cwd: server.cwd,
      env: server.env ?? process.env,
      detached: true,
      stdio: ['ignore', log, log],
      ...server.user,
    });
    const exited = new Promise<number | string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    });
    child.unref();
    const pid = child.pid ?? 0;
    return { pid, startedAt: startTimeOf(pid) ?? '', exited };
  } finally {
    closeSync(log);
  }
}

/** When a process began; undefined when there is none. A process that has ended but was not waited for counts as none. */
export function startTimeOf(pid: number): string | undefined {
  if (pid <= 0) return undefined;
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; state is the first field behind it, the start time the 20th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export function isAlive({ pid, startedAt }: ProcessId): boolean {
  return startedAt !== '' && startTimeOf(pid) === startedAt;
}

/** Signals the group of a process; false when it has ended. */
export function signalGroup(id: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isAlive(id)) return false;
  try {
    process.kill(-id.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Asks a process to end, waits at most `timeoutMs`, then kills its group and waits again. */
export async function endProcess(id: ProcessId, timeoutMs: number, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (isAlive(id)) process.kill(id.pid, signal);
  if (await hasEnded(id, timeoutMs)) return;
  signalGroup(id, 'SIGKILL');
  await hasEnded(id, 2_000);
}

export async function hasEnded(id: ProcessId, timeoutMs: number): Promise<boolean> {
  const until = Date.now() + timeoutMs;
  while (isAlive(id)) {
    if (Date.now() >= until) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** The last lines of a file, for an error's message; empty when there is none. */
export async function lastLines(file: string, count: number): Promise<string[]> {
  if (!existsSync(file)) return [];
  const handle = await open(file);
  try {
    const { size } = statSync(file);
    const length = Math.min(size, TAIL_BYTES);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-count);
  } finally {
    await handle.close();
  }
}

/** A port of 127.0.0.1 that nobody listens on: the wished one if it is free. */
export async function freePort(wished?: number): Promise<number> {
  if (wished !== undefined && (await canListen(wished)) === wished) return wished;
  const port = await canListen(0);
  if (port === undefined) throw new Error('no free port on 127.0.0.1');
  return port;
}

function canListen(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}
