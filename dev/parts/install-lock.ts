import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '#topology';
import type { DownloadContext } from './maven.ts';
import { isAlive, startTimeOf } from './identity.ts';
import type { ProcessId } from './part.ts';

const POLL_MS = 200;
/** Longer than a download may take. */
const WAIT_MS = 20 * 60_000;

/**
 * One download of a target at a time, also for two clones of the same user; the others wait. A lock whose holder has ended is taken over.
 * It spares work and nothing depends on it: an installation is whole by itself.
 */
export async function withInstallLock<Result>(
  target: string,
  { signal, progress }: DownloadContext,
  install: () => Promise<Result>,
): Promise<Result> {
  const lock = `${target}.lock`;
  const draft = `${lock}.${randomUUID()}`;
  const own: ProcessId = { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' };
  await writeFile(draft, JSON.stringify(own));
  const deadline = performance.now() + WAIT_MS;
  let told: number | undefined;
  try {
    while (!(await taken(draft, lock))) {
      const holder = await holderOf(lock);
      if (holder !== undefined && !isAlive(holder)) {
        // Renamed, not deleted: of two that find the same dead holder only one succeeds.
        await rename(lock, `${draft}.stale`).catch(() => undefined);
        await rm(`${draft}.stale`, { force: true });
        continue;
      }
      if (performance.now() > deadline) {
        throw new ConfigError('SLC_PART_DOWNLOAD', `process ${holder?.pid ?? '?'} does not finish its download`, {
          hint: `end that process, or delete ${lock}`,
        });
      }
      if (holder !== undefined && holder.pid !== told) {
        told = holder.pid;
        progress(`waits for the download of process ${told}`);
      }
      await sleep(POLL_MS, undefined, { signal });
    }
    try {
      return await install();
    } finally {
      await rm(lock, { force: true });
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** A link appears with its contents, and only once. */
async function taken(draft: string, lock: string): Promise<boolean> {
  try {
    await link(draft, lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function holderOf(lock: string): Promise<ProcessId | undefined> {
  try {
    return JSON.parse(await readFile(lock, 'utf8')) as ProcessId;
  } catch {
    // Released between two looks.
    return undefined;
  }
}
