import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '#topology';
import type { PartName } from './part.ts';

/** Marks data with the major version that wrote it, and refuses data of another one. ConfigError SLC_PART_VERSION. */
export async function checkDataVersion(name: PartName, dataDir: string, version: string): Promise<void> {
  const file = join(dataDir, 'VERSION');
  const found = await readFile(file, 'utf8').catch(() => undefined);
  if (found === undefined) {
    await mkdir(dataDir, { recursive: true });
    await writeFile(file, `${version}\n`);
  } else if (found.trim() !== version) {
    throw new ConfigError(
      'SLC_PART_VERSION',
      `the data of ${name} in ${dataDir} is of version ${found.trim()}, this Sluice starts ${version}`,
      {
        where: name,
        hint: 'start it with the Sluice that wrote it, or npm run clean to begin with empty data',
      },
    );
  }
}
