/** Which process it was: a pid alone is given again, a pid with its start time is not. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProcessId } from './part.ts';

export type { ProcessId };

const POLL_MS = 20;

/**
 * When the process began, as a text that is equal only for the same process (Linux: boot id and ticks since boot; else what `ps` says).
 * Undefined when it has ended; one that nobody has waited for yet has ended, too.
 */
export function startTimeOf(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  return process.platform === 'linux' ? linuxStartTime(pid) : psStartTime(pid);
}

function linuxStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything; the fields after it are state, ppid, ... and, as the 20th, the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A leader may be a zombie while other threads end, which still hold its ports and files.
    if (fields[0] === 'X' || (fields[0] === 'Z' && Number(fields[17]) <= 1)) return undefined;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${fields[19] ?? ''}`;
  } catch {
    return undefined;
  }
}

function psStartTime(pid: number): string | undefined {
  try {
    const [state = '', ...start] = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5_000,
    })
      .trim()
      .split(/\s+/);
    return state === '' || state.startsWith('Z') ? undefined : start.join(' ');
  } catch {
    return undefined;
  }
}

/** The identity of a process that runs now; `startTime` is empty, and so never equal, when it has ended already. */
export function identityOf(pid: number): ProcessId {
  return { pid, startTime: startTimeOf(pid) ?? '' };
}

/** Whether this very process still runs. */
export function isAlive({ pid, startTime }: ProcessId): boolean {
  return startTime !== '' && startTimeOf(pid) === startTime;
}

/** Sends a signal to the group that this process leads. False when it has ended. */
export function signalGroup(identity: ProcessId, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(-identity.pid, signal);
  } catch {
    return false;
  }
}

/** Waits until the process has ended; false when it still runs at the deadline. */
export async function ended(identity: ProcessId, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isAlive(identity)) {
    if (Date.now() >= deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

/** Asks a process to end, waits, then kills its group. Does nothing to another process that has the same pid by now. */
export async function endProcess(identity: ProcessId, signal: NodeJS.Signals, timeoutMs: number): Promise<void> {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    return;
  }
  const orderly = await ended(identity, timeoutMs);
  if (orderly) return;
  signalGroup(identity, 'SIGKILL');
  await ended(identity, 1_000);
}
