/** How Kafka's programs are called, and with which settings. */
import { randomBytes } from 'node:crypto';
import { createKafkaClient, type Logger } from '#topology';
import { type CommandResult, run } from './command.ts';
import { javaCommand } from './java.ts';
import { accepts } from './ports.ts';

const FORMAT_MS = 60_000;
const REQUEST_MS = 3_000;

const MIB = 2 ** 20;
/** The disk budget is for all partitions together; this many are assumed to grow at once. */
const GROWING_PARTITIONS = 60;
const NEVER_MS = -1;

/** Where a broker listens. */
export type KafkaPorts = Record<'client' | 'controller', number>;

const LOGGING = [
  '-Djava.awt.headless=true',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS',
] as const;

/** For what is over before the optimising compiler would pay. */
export const SHORT_LIVED = '-XX:TieredStopAtLevel=1';

/** Arguments of Java for a broker. `config`: its properties; log.dirs in them is relative to where it is started. */
export function brokerArgs(jars: string, config: string, java: readonly string[]): string[] {
  const memory = ['-Xms128m', '-XX:+UseSerialGC', '-XX:+ExitOnOutOfMemoryError'];
  return [...memory, ...java, ...LOGGING, '-cp', jars, 'kafka.Kafka', config];
}

/** Makes an empty storage in `data` of a folder with server.properties. */
export async function format(jars: string, folder: string, signal: AbortSignal): Promise<CommandResult> {
  return await run(
    javaCommand(),
    [
      SHORT_LIVED,
      '-XX:+UseSerialGC',
      ...LOGGING,
      '-cp',
      jars,
      'kafka.tools.StorageTool',
      'format',
      '-t',
      newId(),
      '-c',
      'server.properties',
    ],
    { cwd: folder, signal, timeoutMs: FORMAT_MS },
  );
}

/** Kafka's own Uuid as text; one that began with '-' would be read as an option. */
export function newId(): string {
  return `s${randomBytes(16).toString('base64url').slice(1)}`;
}

/** Of clients whose failures are expected. */
export const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** It listens before it serves: one request for metadata, which it answers when it is a member of its cluster. */
export async function answers(port: number): Promise<boolean> {
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

/** server.properties of one node that is broker and controller. */
export function propertiesOf(ports: KafkaPorts, diskBytes: number): string {
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
