/** Reading the lake: through the logs, never by a pattern, which would show files that were not committed and rows twice. */
import { join } from 'node:path';
import { CommitLog } from './commit-log.ts';
import { fileError, namesIn } from './durable.ts';
import { logFolder } from './table.ts';

/** What a partition of a topic holds. */
export interface LakePartitionView {
  readonly partition: number;
  /** The first offset that is not in the lake; null: none is. */
  readonly nextOffset: bigint | null;
  /** Full paths of its files, in the order of offsets. They stay readable for the sink's retention. */
  readonly files: readonly string[];
  readonly rows: number;
}

/** A topic of the lake as it is now, partition by partition; none when it is not there. Errors as those of the sink. */
export async function readLake(root: string, topic: string): Promise<LakePartitionView[]> {
  const folder = join(root, topic);
  try {
    const names = (await namesIn(join(folder, '_log'))).filter((name) => /^\d+$/.test(name));
    const partitions = names.map(Number).sort((a, b) => a - b);
    return await Promise.all(
      partitions.map(async (partition) => {
        const state = await new CommitLog(logFolder(folder, partition)).read();
        const files = [...state.files.values()].sort((a, b) =>
          BigInt(a.firstOffset) < BigInt(b.firstOffset) ? -1 : 1,
        );
        return {
          partition,
          nextOffset: state.nextOffset,
          files: files.map((file) => join(folder, file.path)),
          rows: files.reduce((sum, file) => sum + file.rows, 0),
        };
      }),
    );
  } catch (error) {
    throw fileError(error, root);
  }
}

/** All committed files of a topic. For DuckDB: read_parquet([...], union_by_name = true, hive_partitioning = false). */
export async function lakeFiles(root: string, topic: string): Promise<string[]> {
  return (await readLake(root, topic)).flatMap((partition) => partition.files);
}
