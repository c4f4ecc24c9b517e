/** PostgreSQL's lock file after a crash. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTimeOf } from './identity.ts';

const CHILDREN_MS = 5_000;
const POLL_MS = 20;

/**
 * Removes `postmaster.pid` when the process that it names is no server of this data. PostgreSQL takes any living process of its user for one: after
 * a reboot the pid may be somebody else's, and one that nobody has waited for yet counts as living. That no server has the data is checked
 * by PostgreSQL once more, by its shared memory. Waits for the children of a server that was killed: they end by themselves.
 */
export async function removeStaleLock(data: string): Promise<void> {
  const file = path.join(data, 'postmaster.pid');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const pid = Number(text?.split('\n', 1)[0]);
  if (text === undefined || isServerOf(data, pid)) return;
  const deadline = Date.now() + CHILDREN_MS;
  while (worksIn(data) && Date.now() < deadline) await sleep(POLL_MS);
  await rm(file, { force: true });
}

function isServerOf(data: string, pid: number): boolean {
  return startTimeOf(pid) !== undefined && commandOf(pid).includes(data);
}

function commandOf(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return execFileSync('ps', ['-o', 'args=', '-ww', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5_000,
    });
  } catch {
    return '';
  }
}

/** Whether a process has the folder as its working directory. Only Linux tells; elsewhere PostgreSQL's own check must do. */
function worksIn(data: string): boolean {
  if (process.platform !== 'linux') return false;
  const real = realpathSync(data);
  return readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === real;
    } catch {
      return false;
    }
  });
}
