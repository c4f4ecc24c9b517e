/** Kafka 4.1 as one KRaft node, from Maven Central. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { createKafkaClient } from '#topology';
import { checkDataVersion } from './data-version.ts';
import { fetchJars, onPath } from './maven.ts';
import type { Part, PartContext, RunningPart } from './part.ts';
import { freePort, startServer } from './process.ts';
import { failure, untilReady } from './ready.ts';

const VERSION = '4.1.1';
const JARS = [
  { groupId: 'org.apache.kafka', artifactId: 'kafka_2.13', version: VERSION },
  { groupId: 'org.apache.kafka', artifactId: 'kafka-tools', version: VERSION },
  { groupId: 'org.slf4j', artifactId: 'slf4j-simple', version: '1.7.36' },
];
const START_MS = 60_000;
const MIN_JAVA = 17;
/** A disk budget is for all partitions together; this many are assumed to grow at once. */
const BUSY_PARTITIONS = 60;
const MIN_SEGMENT_BYTES = 16 * 2 ** 20;

const run = promisify(execFile);

/** Options of `kafkaPart`. `heapMb`: what the test machines can spare. */
export function kafkaPart(options: { readonly heapMb?: number } = {}): Part {
  return {
    name: 'kafka',
    missing: missingForKafka,
    start: (context) => startKafka(context, options.heapMb ?? 768),
  };
}

async function missingForKafka(): Promise<string | undefined> {
  const lacks: string[] = [];
  const version = await javaVersion();
  if (version === undefined || version < MIN_JAVA)
    lacks.push(`Java ${MIN_JAVA} or newer (Debian: openjdk-17-jre-headless)`);
  if (onPath('mvn') === undefined) lacks.push('Maven (Debian: maven)');
  return lacks.length === 0 ? undefined : `Kafka needs ${lacks.join(' and ')}`;
}

async function javaVersion(): Promise<number | undefined> {
  try {
    const { stderr } = await run('java', ['-version']);
    const version = /version "(?:1\.)?(\d+)/.exec(stderr)?.[1];
    return version === undefined ? undefined : Number(version);
  } catch {
    return undefined;
  }
}

async function startKafka(context: PartContext, heapMb: number): Promise<RunningPart> {
  await checkDataVersion('kafka', context.dataDir, VERSION.split('.').slice(0, 2).join('.'));
  context.progress(`Kafka ${VERSION}`);
  const jars = join(await fetchJars(`kafka-${VERSION}`, JARS, context), 'jars', '*');
  const ports = {
    client: await freePort(context.ports['client']),
    controller: await freePort(context.ports['controller']),
  };
  const config = join(context.dataDir, 'server.properties');
  const logs = join(context.dataDir, 'data');
  await mkdir(logs, { recursive: true });
  await writeFile(config, propertiesOf(logs, ports, context.diskBytes));
  if (!existsSync(join(logs, 'meta.properties'))) await format(jars, config, context);
  context.progress('Kafka starts');
  const server = startServer({
    command: 'java',
    args: [
      `-Xmx${heapMb}m`,
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=4',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      '-cp',
      jars,
      'kafka.Kafka',
      config,
    ],
    cwd: context.dataDir,
    logFile: context.logFile,
  });
  const address = `127.0.0.1:${ports.client}`;
  await untilReady('kafka', server, context, { timeoutMs: START_MS, isReady: () => answers(address) });
  return { name: 'kafka', address, ports, process: { pid: server.pid, startedAt: server.startedAt } };
}

async function format(jars: string, config: string, context: PartContext): Promise<void> {
  context.progress('Kafka formats its storage');
  const id = randomBytes(16).toString('base64url');
  const args = ['-cp', jars, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', config];
  await run('java', args, { signal: context.signal, timeout: START_MS }).catch(async (error: Error) => {
    throw await failure('kafka', context, error.message);
  });
}

/** One request that the broker must answer: metadata. */
async function answers(address: string): Promise<boolean> {
  const client = createKafkaClient({ brokers: [address], clientId: 'sluice-start', logger: pino({ level: 'silent' }) });
  try {
    const admin = await client.admin();
    return await Promise.race([
      admin.listTopics().then(() => true),
      new Promise<boolean>((resolve) => void setTimeout(() => resolve(false), 3_000).unref()),
    ]);
  } catch {
    return false;
  } finally {
    await client.close();
  }
}

function propertiesOf(logs: string, ports: { client: number; controller: number }, diskBytes: number): string {
  const perPartition = Math.floor(diskBytes / BUSY_PARTITIONS);
  return `${Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${ports.client},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${ports.client}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': logs,
    'num.partitions': 6,
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    'log.retention.bytes': perPartition,
    'log.segment.bytes': Math.max(MIN_SEGMENT_BYTES, Math.floor(perPartition / 4)),
    'log.cleaner.dedupe.buffer.size': 16 * 2 ** 20,
    'log.cleaner.threads': 1,
    // The directory of a clone is small and local: half the threads do.
    'num.network.threads': 2,
    'num.io.threads': 4,
  })
    .map(([key, value]) => `${key}=${String(value).replaceAll('\\', '\\\\')}`)
    .join('\n')}\n`;
}
