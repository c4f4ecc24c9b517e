/** Kafka 4.1 as one KRaft node, its jars from Maven Central. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError } from '#topology';
import { onPath } from './command.ts';
import { dataVersion, prepareData } from './data-dir.ts';
import { findJava, javaCommand } from './java.ts';
import { preparedStart, type PreparedStart } from './kafka-prepared.ts';
import { answers, brokerArgs, format, type KafkaPorts, propertiesOf, SHORT_LIVED } from './kafka-programs.ts';
import { type Download, downloadFolder, fetchJars, MAVEN_HINT } from './maven.ts';
import type { Part, PartContext, ProcessId, RunningPart } from './part.ts';
import { takePorts } from './ports.ts';
import { spawnServer } from './process.ts';
import { adopted, type Answering, startFailure, untilReady } from './ready.ts';

const VERSION = '4.1.1';
/** Data of this major version can be read. */
const DATA_VERSION = '4';
const JARS: Download = {
  name: `kafka-${VERSION}-jars`,
  title: `Kafka ${VERSION}`,
  artifacts: [
    `org.apache.kafka:kafka_2.13:${VERSION}`,
    `org.apache.kafka:kafka-tools:${VERSION}`,
    'org.slf4j:slf4j-simple:1.7.36',
  ],
  bytes: 54e6,
};
const MIN_JAVA = 17;
const START_MS = 90_000;
const DEFAULT_HEAP_MB = 768;

export interface KafkaPartOptions {
  /** Largest heap. Default 768. */
  readonly heapMb?: number;
  /** Java then leaves out its optimising compiler: a third less CPU in the first minute, slower after some. Default false. */
  readonly isShortLived?: boolean;
}

/**
 * Kafka on 127.0.0.1; the address is `host:port`. It keeps `diskBytes` only for topics that have no retention.bytes of their own: Kafka has no
 * limit over all topics, so who declares one has to share out the budget.
 */
export function kafkaPart({ heapMb = DEFAULT_HEAP_MB, isShortLived = false }: KafkaPartOptions = {}): Part {
  const java = [`-Xmx${heapMb}m`, ...(isShortLived ? [SHORT_LIVED] : [])];
  return {
    name: 'kafka',
    missing,
    start: (context) => start(context, java),
    adopt,
    removeData: (dataDir) => rm(dataDir, { recursive: true, force: true }),
  };
}

/** Kafka's own programs, as Java's class path: there once the server has been started. */
export function kafkaClassPath(cacheDir: string): string {
  return path.join(downloadFolder(cacheDir, JARS), '*');
}

async function missing({ cacheDir }: Pick<PartContext, 'cacheDir'>): Promise<string | undefined> {
  const java = await findJava();
  const mavenToo = !existsSync(downloadFolder(cacheDir, JARS)) && onPath('mvn') === undefined;
  if (java !== undefined && java.major >= MIN_JAVA) {
    return mavenToo ? `Maven is needed to download Kafka: ${MAVEN_HINT}` : undefined;
  }
  const found = java === undefined ? 'there is none' : `this is Java ${java.major}`;
  const packages = `openjdk-17-jre-headless${mavenToo ? ' maven' : ''}`;
  return `Java ${MIN_JAVA} or newer is needed for Kafka, ${found}: install it${
    mavenToo ? ' together with Maven' : ''
  } (Debian: apt-get install ${packages}) or use --docker`;
}

async function start(context: PartContext, java: readonly string[]): Promise<RunningPart> {
  const lacks = await missing(context);
  if (lacks !== undefined) throw new ConfigError('SLC_PART_MISSING', lacks, { where: 'kafka' });
  const jars = path.join(await fetchJars(JARS, context), '*');
  const prepared = await preparedStart(jars, VERSION, context);
  const ports = await takePorts(['client', 'controller'], context.ports);
  const config = path.join(context.dataDir, 'server.properties');
  const data = path.join(context.dataDir, 'data');
  await mkdir(context.dataDir, { recursive: true });
  await writeFile(config, propertiesOf(ports, context.diskBytes));
  await prepareData({
    name: 'kafka',
    dataDir: context.dataDir,
    version: DATA_VERSION,
    exists: () => existsSync(path.join(data, 'meta.properties')),
    create: async () => {
      await rm(data, { recursive: true, force: true });
      await makeStorage(jars, data, prepared, context);
    },
  });
  context.progress('starts');
  const server = await spawnServer({
    command: javaCommand(),
    args: brokerArgs(jars, config, [...java, ...prepared.java]),
    // log.dirs is relative to it: a path of any characters needs no quoting in the properties, and the data can be moved.
    cwd: context.dataDir,
    logFile: context.logFile,
  });
  return await untilReady(server, context, answering(ports));
}

async function makeStorage(jars: string, data: string, prepared: PreparedStart, context: PartContext): Promise<void> {
  if (prepared.writeStorage !== undefined) return await prepared.writeStorage(data);
  context.progress('formats its storage');
  const { code, output } = await format(jars, context.dataDir, context.signal);
  if (code !== 0) throw await startFailure('kafka', context, `Kafka cannot format its storage:\n${output}`);
}

async function adopt(context: PartContext, id: ProcessId): Promise<RunningPart | undefined> {
  const { client, controller } = context.ports;
  if (client === undefined || controller === undefined) return undefined;
  if ((await dataVersion(context.dataDir)) !== DATA_VERSION) return undefined;
  return await adopted(id, context, answering({ client, controller }));
}

function answering(ports: KafkaPorts): Answering {
  const address = `127.0.0.1:${ports.client}`;
  return { name: 'kafka', address, ports, timeoutMs: START_MS, answers: () => answers(ports.client) };
}
