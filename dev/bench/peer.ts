/** The peer: Kafka Streams, fetched by Maven once and compiled from peer/Peer.java. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { ConfigError } from '#topology';
import { onPath, run } from '../parts/command.ts';
import { type Download, type DownloadContext, fetchJars } from '../parts/maven.ts';

const VERSION = '4.1.1';
const JARS: Download = {
  name: `kafka-streams-${VERSION}-jars`,
  title: `Kafka Streams ${VERSION}`,
  artifacts: [
    `org.apache.kafka:kafka-streams:${VERSION}`,
    'org.apache.avro:avro:1.12.0',
    'org.slf4j:slf4j-simple:1.7.36',
  ],
  bytes: 90e6,
};
const SOURCE = join(import.meta.dirname, 'peer', 'Peer.java');
const COMPILE_MS = 120_000;

/** The command that runs the peer; settings are in its environment. ConfigError SLC_PART_MISSING without a JDK or Maven. */
export async function preparePeer({ cacheDir, signal, progress }: DownloadContext): Promise<readonly string[]> {
  let told = '';
  const tellOnce = (text: string): void => {
    if (text !== told) progress(text);
    told = text;
  };
  const context = { cacheDir, signal, progress: tellOnce };
  const jars = join(await fetchJars(JARS, context), '*');
  const source = await readFile(SOURCE);
  const hash = createHash('sha256').update(VERSION).update(source).digest('hex').slice(0, 12);
  const classes = join(cacheDir, `bench-peer-${hash}`);
  if (!existsSync(classes)) await compile(jars, classes, context);
  const heap = ['-Xms256m', '-Xmx1g', '-XX:+UseG1GC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
  return ['java', ...heap, '-cp', [classes, jars].join(delimiter), 'Peer'];
}

async function compile(jars: string, classes: string, { cacheDir, progress, signal }: DownloadContext): Promise<void> {
  const javac = onPath('javac');
  if (javac === undefined) {
    throw new ConfigError('SLC_PART_MISSING', 'a JDK is needed to compile the peer of the benchmark', {
      hint: 'install it (Debian: apt-get install openjdk-17-jdk-headless)',
    });
  }
  progress('compiles the peer');
  await mkdir(cacheDir, { recursive: true });
  const draft = await mkdtemp(join(cacheDir, '.bench-peer-'));
  try {
    const args = ['-proc:none', '-cp', jars, '-d', join(draft, 'classes'), SOURCE];
    const { code, output } = await run(javac, args, { signal, timeoutMs: COMPILE_MS });
    if (code !== 0) throw new Error(`the peer does not compile:\n${output}`);
    await rename(join(draft, 'classes'), classes);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(classes)) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
