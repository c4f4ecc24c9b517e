/** Servers from Maven repositories by Maven itself, so that the mirrors, proxies and logins of the user's own settings count. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '#topology';
import { onPath, run } from './command.ts';
import { withInstallLock } from './install-lock.ts';
import type { PartContext } from './part.ts';

/** `group:artifact:version`. */
export type Coordinates = `${string}:${string}:${string}`;

const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';
const TIMEOUT_MS = 15 * 60_000;
const LAST_LINES = 20;

/** What `PartContext` has of downloads. */
export type DownloadContext = Pick<PartContext, 'cacheDir' | 'progress' | 'signal'>;

export interface Download {
  /** Its folder below the cache; a new version has a new name. */
  readonly name: string;
  /** What a person reads. */
  readonly title: string;
  readonly artifacts: readonly Coordinates[];
  /** About how much it is, for the progress. */
  readonly bytes: number;
}

/** Where a download is, or will be: complete when it exists. */
export function downloadFolder(cacheDir: string, { name }: Pick<Download, 'name'>): string {
  return path.join(cacheDir, name);
}

/** A folder with the jars of the artifacts and of all that they need. */
export async function fetchJars(download: Download, context: DownloadContext): Promise<string> {
  return await installOnce(download, context, async (folder) => {
    await maven('copy-dependencies', [`-DoutputDirectory=${folder}`], folder, download, context);
  });
}

/** A folder with the files of an archive that match `includes` (a pattern of Ant). `finish` may change them before they are to be seen. */
export async function fetchArchive(
  download: Download,
  includes: string,
  context: DownloadContext,
  finish: (folder: string) => Promise<void>,
): Promise<string> {
  return await installOnce(download, context, async (folder) => {
    const args = [`-DoutputDirectory=${folder}`, `-Dmdep.unpack.includes=${includes}`, '-DexcludeTransitive=true'];
    await maven('unpack-dependencies', args, folder, download, context);
    await finish(folder);
  });
}

/** Fills a folder under a name of its own and renames it when it is whole: nobody sees a half, whenever it is interrupted. */
export async function installOnce(
  download: Pick<Download, 'name'>,
  context: DownloadContext,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const target = downloadFolder(context.cacheDir, download);
  if (existsSync(target)) return target;
  await mkdir(context.cacheDir, { recursive: true });
  return await withInstallLock(target, context, async () => {
    if (existsSync(target)) return target;
    const draft = await mkdtemp(path.join(context.cacheDir, `.${download.name}-`));
    try {
      const folder = path.join(draft, 'files');
      await mkdir(folder);
      await fill(folder);
      await rename(folder, target);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return target;
  });
}

async function maven(
  goal: string,
  args: readonly string[],
  folder: string,
  { title, artifacts, bytes: total }: Download,
  { progress, signal }: DownloadContext,
): Promise<void> {
  const command = onPath('mvn');
  if (command === undefined) {
    throw new ConfigError('SLC_PART_MISSING', `Maven is needed to download ${title}`, { hint: MAVEN_HINT });
  }
  const pom = path.join(path.dirname(folder), 'pom.xml');
  await writeFile(pom, pomOf(artifacts));
  let done = 0;
  progress(`downloads ${title}`, { done, total });
  const { code, output } = await run(
    command,
    ['-B', '-C', '-Dstyle.color=never', '-f', pom, `${PLUGIN}:${goal}`, ...args],
    {
      cwd: path.dirname(folder),
      signal,
      timeoutMs: TIMEOUT_MS,
      onOutput: (text) => {
        const more = downloadedBytes(text);
        done += more;
        if (more > 0) progress(`downloads ${title}`, { done, total: Math.max(done, total) });
      },
    },
  );
  if (code === 0) return;
  const why = output.split('\n').filter((line) => !/^\[INFO\]|^Download|^\s*$/.test(line));
  const message = signal.aborted ? `the download of ${title} was given up` : `Maven could not download ${title}`;
  throw new ConfigError('SLC_PART_DOWNLOAD', [message, ...why.slice(0, LAST_LINES)].join('\n  '), {
    hint: 'is the network up? A mirror or proxy belongs in ~/.m2/settings.xml; npm start -- --docker does without Maven',
  });
}

/** What to do without Maven. */
export const MAVEN_HINT = 'install it (Debian: apt-get install maven) or use --docker';

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

/** Maven tells of each file when it has it: `Downloaded from central: <url> (5.9 MB at 20 MB/s)`. */
function downloadedBytes(text: string): number {
  let sum = 0;
  for (const [, size, unit] of text.matchAll(/Downloaded from .* \(([\d.]+) (B|kB|MB|GB) at /g)) {
    sum += Number(size) * (UNITS[unit ?? ''] ?? 0);
  }
  return sum;
}

function pomOf(artifacts: readonly Coordinates[]): string {
  const dependencies = artifacts.map((coordinates) => {
    const [group, artifact, version] = coordinates.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>sluice</groupId><artifactId>part</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join('\n')}</dependencies></project>
`;
}
