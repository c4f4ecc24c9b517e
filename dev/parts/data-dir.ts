import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '#topology';
import type { PartName } from './part.ts';

export interface DataLayout {
  readonly name: PartName;
  readonly dataDir: string;
  /** What decides whether a server can read the data: data of another one is refused. */
  readonly version: string;
  /** False when the data is not there, whatever is written beside it. */
  readonly exists: () => boolean;
  /** Makes it, over what an interrupted attempt may have left. */
  readonly create: () => Promise<void>;
}

/**
 * Creates a part's data unless it is there and whole. The file VERSION is written last: without it an attempt was interrupted, and begins anew.
 * ConfigError SLC_PART_VERSION when another version made the data.
 */
export async function prepareData({ name, dataDir, version, exists, create }: DataLayout): Promise<void> {
  const found = await dataVersion(dataDir);
  if (found !== undefined && found !== version) {
    throw new ConfigError(
      'SLC_PART_VERSION',
      `the data of ${name} in ${dataDir} was made by version ${found}; this one is ${version}`,
      { where: name, hint: `start it with version ${found}, or npm run clean to begin with empty data` },
    );
  }
  if (found !== undefined && exists()) return;
  await mkdir(dataDir, { recursive: true });
  await create();
  const draft = path.join(dataDir, `VERSION.${process.pid}`);
  await writeFile(draft, `${version}\n`);
  await rename(draft, path.join(dataDir, 'VERSION'));
}

/** The version that made the data; undefined when there is none. */
export async function dataVersion(dataDir: string): Promise<string | undefined> {
  try {
    return (await readFile(path.join(dataDir, 'VERSION'), 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
