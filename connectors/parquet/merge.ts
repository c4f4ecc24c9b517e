/** Small files of one hour become one: which, and how. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LakeFile } from './commit-log.ts';
import { readRowGroups } from './hyparquet.ts';
import { ROW_GROUP_ROWS } from './limits.ts';
import type { LakePartition } from './partition.ts';
import { filePath, type LakeTable } from './table.ts';

/** When files are merged. */
export interface MergeLimits {
  /** So many files of one level and hour become one of the next level. */
  readonly fanIn: number;
  /** A file that large, in bytes, is not merged any further. */
  readonly maxFileBytes: number;
}

/** Sizes that readers like, from a writer that commits every few seconds. */
export const DEFAULT_MERGE_LIMITS: MergeLimits = { fanIn: 8, maxFileBytes: 32 * 2 ** 20 };

const byOffset = (a: LakeFile, b: LakeFile): number => (BigInt(a.firstOffset) < BigInt(b.firstOffset) ? -1 : 1);
export const hourOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));
const bytesOf = (files: readonly LakeFile[]): number => files.reduce((sum, file) => sum + file.bytes, 0);

/** As many of the files as fit into one, from the first. */
function fitting(files: readonly LakeFile[], limits: MergeLimits): LakeFile[] {
  const fit: LakeFile[] = [];
  let bytes = 0;
  for (const file of files) {
    if (bytes + file.bytes > limits.maxFileBytes) break;
    fit.push(file);
    bytes += file.bytes;
  }
  return fit;
}

/**
 * The files to merge next, in offset order; undefined when none are worth it. Files of one level of an hour when there are `fanIn` of them, so a row is
 * written again once per level only. What is left of an hour that time has passed becomes one file, unless one of them is larger than all others
 * together: a late record must not cost the whole hour again.
 */
export function filesToMerge(
  files: Iterable<LakeFile>,
  schema: string,
  limits: MergeLimits,
): readonly LakeFile[] | undefined {
  const hours = new Map<string, LakeFile[]>();
  for (const file of files) {
    if (file.schema !== schema || file.bytes >= limits.maxFileBytes) continue;
    const hour = hourOf(file.path);
    const found = hours.get(hour);
    if (found === undefined) hours.set(hour, [file]);
    else found.push(file);
  }
  const newest = [...hours.keys()].sort().at(-1);
  for (const [hour, candidates] of hours) {
    for (const level of new Set(candidates.map((file) => file.level))) {
      const same = candidates.filter((file) => file.level === level).sort(byOffset);
      const chosen = same.length >= limits.fanIn ? fitting(same.slice(0, limits.fanIn), limits) : [];
      if (chosen.length > 1) return chosen;
    }
    if (hour === newest || candidates.length < 2) continue;
    const rest = fitting(candidates.sort(byOffset), limits);
    const largest = Math.max(...rest.map((file) => file.bytes));
    if (rest.length > 1 && largest <= bytesOf(rest) - largest) return rest;
  }
  return undefined;
}

async function mergedBytes(
  table: LakeTable,
  files: readonly LakeFile[],
  signal: AbortSignal,
): Promise<{ readonly bytes: Uint8Array; readonly rows: number }> {
  const builder = table.format.build(table.columns, table.metadata);
  let rows = 0;
  let pending = table.columns.map((): unknown[] => []);
  const flush = async (): Promise<void> => {
    await builder.add({ rows: pending[0]?.length ?? 0, data: pending });
    pending = table.columns.map(() => []);
  };
  for (const file of files) {
    const bytes = await readFile(join(table.folder, file.path));
    for await (const group of readRowGroups(bytes, table.columns, ROW_GROUP_ROWS)) {
      for (const [index, column] of group.data.entries()) {
        const into = pending[index];
        for (const value of column) into?.push(value);
      }
      rows += group.rows;
      if ((pending[0]?.length ?? 0) >= ROW_GROUP_ROWS) await flush();
      // The same process reads Kafka and keeps its place in the group.
      await nextTurn();
      signal.throwIfAborted();
    }
  }
  if ((pending[0]?.length ?? 0) > 0) await flush();
  return { bytes: await builder.finish(), rows };
}

/** Merges files of one hour into one and commits it in their place. */
export async function mergeFiles(claim: LakePartition, files: readonly LakeFile[]): Promise<void> {
  const [first] = files;
  const last = files.at(-1);
  if (first === undefined || last === undefined) return;
  const { bytes, rows } = await mergedBytes(claim.table, files, claim.closed.signal);
  const expected = files.reduce((sum, file) => sum + file.rows, 0);
  if (rows !== expected) throw new Error(`a merge read ${rows} rows where the log has ${expected}`);
  const path = filePath(claim.table, claim.partition, hourOf(first.path), {
    first: first.firstOffset,
    last: last.lastOffset,
    epoch: claim.epoch,
  });
  await claim.putFile(path, bytes);
  const merged: LakeFile = {
    path,
    rows,
    bytes: bytes.length,
    firstOffset: first.firstOffset,
    lastOffset: last.lastOffset,
    level: Math.max(...files.map((file) => file.level)) + 1,
    schema: claim.table.schema,
  };
  await claim.replace(
    merged,
    files.map((file) => file.path),
  );
}
