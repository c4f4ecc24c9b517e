/** Takes away what nobody can read any more: entries before the last checkpoint, files that were merged, leftovers of writers that died. */
import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from './durable.ts';
import type { LakePartition } from './partition.ts';

const SCRATCH_MS = 60_000;

/** Removes entries older than `retentionMs` that a newer checkpoint covers, and the files that they took out of the list. */
export async function forgetOld(claim: LakePartition, retentionMs: number): Promise<void> {
  const expired = await claim.log.expired(Date.now() - retentionMs);
  if (expired.length === 0) return;
  const { files } = await claim.log.read();
  for (const entry of expired) {
    claim.closed.signal.throwIfAborted();
    // An entry of a fenced owner, under a number that had been free again, may name files that are still in use.
    for (const path of entry.removed.filter((each) => !files.has(each))) {
      await rm(join(claim.table.folder, path), { force: true });
    }
    await claim.log.forget(entry);
  }
}

/**
 * Removes files of the partition that were never committed, and scratch files. Safe at any time: all that is listed was written before the log is
 * read, so when this claim still holds then, no former owner can commit any more and no later one had begun.
 */
export async function removeLeftovers(claim: LakePartition, retentionMs: number): Promise<number> {
  const { table, partition, log } = claim;
  const mine = `-${claim.epoch}.parquet`;
  const prefix = `${table.topic}-${partition}-`;
  const found: string[] = [];
  for (const day of (await namesIn(table.folder)).filter((name) => name.startsWith('day='))) {
    for (const hour of await namesIn(join(table.folder, day))) {
      const names = await namesIn(join(table.folder, day, hour));
      for (const name of names) {
        // The claim's own files may be about to be committed.
        if (name.startsWith(prefix) && !name.includes(mine)) found.push(`${day}/${hour}/${name}`);
      }
      claim.closed.signal.throwIfAborted();
    }
  }
  for (const name of (await namesIn(log.folder)).filter((each) => each.endsWith('.tmp'))) {
    const path = join(log.folder, name);
    // A younger one may be an entry that is just being written.
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() }));
    if (mtimeMs < Date.now() - SCRATCH_MS) await rm(path, { force: true });
  }
  const { files } = await claim.refresh();
  const removed = await log.removedSince(Date.now() - retentionMs);
  const leftovers = found.filter((path) => !files.has(path) && !removed.has(path));
  for (const path of leftovers) await rm(join(table.folder, path), { force: true });
  return leftovers.length;
}
