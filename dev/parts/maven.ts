/** Jars from Maven Central by Maven itself, so that a user's mirrors and proxies count. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ConfigError } from '#topology';
import type { PartContext } from './part.ts';

export interface MavenArtifact {
  readonly groupId: string;
  readonly artifactId: string;
  readonly version: string;
}

const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';
const PROGRESS_MS = 500;
const TIMEOUT_MS = 10 * 60_000;

/** A folder with the jars of the artifacts and all that they need. Downloaded once per user. */
export async function fetchJars(
  name: string,
  artifacts: readonly MavenArtifact[],
  context: PartContext,
): Promise<string> {
  return await installOnce(name, context, async (folder) => {
    await writeFile(join(folder, 'pom.xml'), pomOf(name, artifacts));
    await maven(
      [`${DEPENDENCY_PLUGIN}:copy-dependencies`, `-DoutputDirectory=${join(folder, 'jars')}`],
      folder,
      name,
      context,
    );
  });
}

/** A folder with the contents of an archive. Downloaded once per user. */
export async function fetchArchive(name: string, artifact: MavenArtifact, context: PartContext): Promise<string> {
  return await installOnce(name, context, async (folder) => {
    const { groupId, artifactId, version } = artifact;
    const args = [
      `${DEPENDENCY_PLUGIN}:unpack`,
      `-Dartifact=${groupId}:${artifactId}:${version}`,
      `-DoutputDirectory=${join(folder, 'files')}`,
    ];
    await maven(args, folder, name, context);
  });
}

/** Makes a folder under a name of its own and renames it when it is whole: two starters at once cannot see each other's halves. */
async function installOnce(
  name: string,
  context: PartContext,
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const target = join(context.cacheDir, name);
  if (existsSync(target)) return target;
  await mkdir(context.cacheDir, { recursive: true });
  const folder = await mkdtemp(join(context.cacheDir, `.${name}-`));
  try {
    await fill(folder);
    await rename(folder, target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return target;
}

async function maven(args: readonly string[], folder: string, name: string, context: PartContext): Promise<void> {
  const output: string[] = [];
  const child = spawn('mvn', ['-B', '-q', ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => output.push(text.toString()));
  const progress = setInterval(() => {
    void bytesIn(folder).then((done) => context.progress(`downloading ${name}`, { done }));
  }, PROGRESS_MS);
  const timer = setTimeout(() => child.kill(), TIMEOUT_MS);
  const giveUp = (): boolean => child.kill();
  context.signal.addEventListener('abort', giveUp);
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (exit, signal) => resolve(exit ?? signal ?? 'unknown'));
  });
  clearInterval(progress);
  clearTimeout(timer);
  context.signal.removeEventListener('abort', giveUp);
  if (code === 0) return;
  const last = output.join('').trimEnd().split('\n').slice(-20).join('\n  ');
  throw new ConfigError('SLC_PART_DOWNLOAD', `Maven could not get ${name} (${code}):\n  ${last}`, {
    hint: 'is the network up? A mirror is set in ~/.m2/settings.xml; npm start -- --docker does without Maven',
  });
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function pomOf(name: string, artifacts: readonly MavenArtifact[]): string {
  const dependencies = artifacts.map(
    ({ groupId, artifactId, version }) =>
      `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>sluice</groupId><artifactId>${name}</artifactId><version>1</version>
<dependencies>${dependencies.join('\n')}</dependencies></project>
`;
}

/** Is a program on the PATH? */
export function onPath(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(process.platform === 'win32' ? ';' : ':');
  return folders.map((folder) => join(folder, program)).find((file) => dirname(file) !== '.' && existsSync(file));
}
