import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const BLOCK = 512;

/** Bytes of all files below a directory; what disappears meanwhile or may not be read counts nothing. */
export async function diskUsed(dir: string): Promise<number> {
  const entries = await readdir(dir, { withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) bytes += await diskUsed(path);
    // Blocks, not sizes: Kafka's index files are sparse.
    else if (entry.isFile()) bytes += ((await stat(path).catch(() => undefined))?.blocks ?? 0) * BLOCK;
  }
  return bytes;
}
