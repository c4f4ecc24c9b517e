/** Kafka 4.1 as one KRaft node, its jars from Maven Central. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ConfigError, createKafkaClient, type Logger } from '#topology';
import { onPath, run } from './command.ts';
import { dataVersion, prepareData } from './data-dir.ts';
import { type Download, downloadFolder, fetchJars, MAVEN_HINT } from './maven.ts';
import type { Part, PartContext, ProcessId, RunningPart } from './part.ts';
import { accepts, takePorts } from './ports.ts';
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
const FORMAT_MS = 60_000;
const REQUEST_MS = 3_000;
const DEFAULT_HEAP_MB = 768;

const MIB = 2 ** 20;
/** The disk budget is for all partitions together; this many are assumed to grow at once. */
const GROWING_PARTITIONS = 60;
const NEVER_MS = -1;

type Ports = Record<'client' | 'controller', number>;

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
  const java = [`-Xmx${heapMb}m`, ...(isShortLived ? ['-XX:TieredStopAtLevel=1'] : [])];
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
  const java = await javaVersion();
  const mavenToo = !existsSync(downloadFolder(cacheDir, JARS)) && onPath('mvn') === undefined;
  if (java !== undefined && java >= MIN_JAVA) {
    return mavenToo ? `Maven is needed to download Kafka: ${MAVEN_HINT}` : undefined;
  }
  const found = java === undefined ? 'there is none' : `this is Java ${java}`;
  const packages = `openjdk-17-jre-headless${mavenToo ? ' maven' : ''}`;
  return `Java ${MIN_JAVA} or newer is needed for Kafka, ${found}: install it${
    mavenToo ? ' together with Maven' : ''
  } (Debian: apt-get install ${packages}) or use --docker`;
}

/** Java of JAVA_HOME, else of the PATH. */
export function javaCommand(): string {
  const home = process.env['JAVA_HOME'];
  const ofHome = home === undefined || home === '' ? undefined : path.join(home, 'bin', 'java');
  return ofHome !== undefined && existsSync(ofHome) ? ofHome : 'java';
}

async function javaVersion(): Promise<number | undefined> {
  const { code, output } = await run(javaCommand(), ['-version']);
  const version = /version "(?:1\.)?(\d+)/.exec(output)?.[1];
  return code === 0 && version !== undefined ? Number(version) : undefined;
}

async function start(context: PartContext, java: readonly string[]): Promise<RunningPart> {
  const lacks = await missing(context);
  if (lacks !== undefined) throw new ConfigError('SLC_PART_MISSING', lacks, { where: 'kafka' });
  const jars = path.join(await fetchJars(JARS, context), '*');
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
      await format(jars, context);
    },
  });
  context.progress('starts');
  const server = await spawnServer({
    command: javaCommand(),
    args: [
      '-Xms128m',
      ...java,
      '-XX:+UseSerialGC',
      '-XX:+ExitOnOutOfMemoryError',
      ...LOGGING,
      '-cp',
      jars,
      'kafka.Kafka',
      config,
    ],
    // log.dirs is relative to it: a path of any characters needs no quoting in the properties, and the data can be moved.
    cwd: context.dataDir,
    logFile: context.logFile,
  });
  return await untilReady(server, context, answering(ports));
}

async function adopt(context: PartContext, id: ProcessId): Promise<RunningPart | undefined> {
  const { client, controller } = context.ports;
  if (client === undefined || controller === undefined) return undefined;
  if ((await dataVersion(context.dataDir)) !== DATA_VERSION) return undefined;
  return await adopted(id, context, answering({ client, controller }));
}

const LOGGING = [
  '-Djava.awt.headless=true',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS',
] as const;

async function format(jars: string, context: PartContext): Promise<void> {
  context.progress('formats its storage');
  // Kafka's Uuid as text; one that began with '-' would be read as an option.
  const id = `s${randomBytes(16).toString('base64url').slice(1)}`;
  const { code, output } = await run(
    javaCommand(),
    // It is over before the optimising compiler would pay.
    [
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      ...LOGGING,
      '-cp',
      jars,
      'kafka.tools.StorageTool',
      'format',
      '-t',
      id,
      '-c',
      'server.properties',
    ],
    { cwd: context.dataDir, signal: context.signal, timeoutMs: FORMAT_MS },
  );
  if (code !== 0) throw await startFailure('kafka', context, `Kafka cannot format its storage:\n${output}`);
}

function answering(ports: Ports): Answering {
  const address = `127.0.0.1:${ports.client}`;
  return { name: 'kafka', address, ports, timeoutMs: START_MS, answers: () => answers(ports.client) };
}

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** It listens before it serves: one request for metadata, which it answers when it is a member of its cluster. */
async function answers(port: number): Promise<boolean> {
  if (!(await accepts(port))) return false;
  const client = createKafkaClient({ brokers: [`127.0.0.1:${port}`], clientId: 'sluice-start', logger: SILENT });
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), REQUEST_MS)));
    const asked = client.admin().then(async (admin) => {
      await admin.listTopics();
      return true;
    });
    return await Promise.race([asked.catch(() => false), late]);
  } finally {
    clearTimeout(timer);
    await client.close().catch(() => undefined);
  }
}

function propertiesOf(ports: Ports, diskBytes: number): string {
  const perPartition = Math.floor(diskBytes / GROWING_PARTITIONS);
  const settings: Readonly<Record<string, string | number | boolean>> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${ports.client},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.client}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': 'data',
    'num.partitions': 6,
    'auto.create.topics.enable': false,
    // One node: nothing can be replicated.
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A member may ask to be missed sooner than after 6 s.
    'group.min.session.timeout.ms': 1_000,
    // After kill -9 the controller refuses the node until its old session has ended (default: 9 s).
    'broker.session.timeout.ms': 4_000,
    'broker.heartbeat.interval.ms': 500,
    // A run that was stopped for weeks goes on where it was (default: a week).
    'offsets.retention.minutes': 10 * 365 * 24 * 60,
    // Timestamps are event time: nothing is deleted for its age.
    'log.retention.ms': NEVER_MS,
    'log.retention.bytes': perPartition,
    'log.segment.bytes': Math.max(MIB, Math.floor(perPartition / 4)),
    'log.retention.check.interval.ms': 30_000,
    // Preallocated for each partition; enough for a segment of 1 GiB.
    'log.index.size.max.bytes': 2 * MIB,
    'offsets.topic.segment.bytes': 16 * MIB,
    'transaction.state.log.segment.bytes': 16 * MIB,
    'metadata.log.segment.bytes': 16 * MIB,
    'metadata.max.retention.bytes': 32 * MIB,
    // A small machine: threads and heap that one developer's load needs.
    'log.cleaner.threads': 1,
    'log.cleaner.dedupe.buffer.size': 32 * MIB,
    'num.network.threads': 2,
    'num.io.threads': 4,
  };
  return `${Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`;
}
