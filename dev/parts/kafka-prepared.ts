/**
 * What every start of Kafka takes from one that was made for it, once per machine and Java: Java's archive of the classes that a broker loads (it need not
 * read, check and link them again) and what its storage tool writes. A start takes 1.1 CPU-seconds instead of 3.0.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchBuilder, createKafkaClient } from '#topology';
import { findJava, javaCommand } from './java.ts';
import { answers, brokerArgs, format, newId, propertiesOf, SHORT_LIVED, SILENT } from './kafka-programs.ts';
import { type DownloadContext, downloadFolder, installOnce } from './maven.ts';
import { takePorts } from './ports.ts';

const CLASSES = 'classes.jsa';
const STORAGE = 'bootstrap.checkpoint';
/** There when it could not be made: it is not tried again. */
const FAILED = 'failed.txt';
const READY_MS = 60_000;
const END_MS = 60_000;
const POLL_MS = 50;
const DISK_BYTES = 2 ** 30;

/** How a start is shortened; without anything when there is nothing prepared. */
export interface PreparedStart {
  /** Arguments of Java. */
  readonly java: readonly string[];
  /** Makes a storage that is formatted, with ids of its own. */
  readonly writeStorage?: (folder: string) => Promise<void>;
}

/** Prepares on the first call, which takes some seconds. A machine on which that fails starts Kafka as ever. */
export async function preparedStart(jars: string, version: string, context: DownloadContext): Promise<PreparedStart> {
  const name = `kafka-${version}-start-${await fingerprint(jars)}`;
  const isThere = existsSync(downloadFolder(context.cacheDir, { name }));
  const folder = await installOnce({ name }, context, async (into) => {
    context.progress('prepares its start');
    try {
      await prepare(jars, into, context.signal);
    } catch (error) {
      if (context.signal.aborted) throw error;
      await writeFile(path.join(into, FAILED), String(error));
    }
  });
  if (!isThere && existsSync(path.join(folder, FAILED))) context.progress('starts without preparation');
  const classes = path.join(folder, CLASSES);
  const storage = path.join(folder, STORAGE);
  return {
    java: existsSync(classes) ? [`-XX:SharedArchiveFile=${classes}`] : [],
    ...(existsSync(storage) && { writeStorage: (into: string) => writeStorage(storage, into) }),
  };
}

/** Java takes an archive only with the very classes and the very build that made it. */
async function fingerprint(jars: string): Promise<string> {
  const { mtimeMs } = await stat(path.dirname(jars));
  const parts = [jars, mtimeMs, process.arch, (await findJava())?.text];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12);
}

/** What Kafka's storage tool makes: the features of an empty cluster, which are the same for all, and two ids. */
async function writeStorage(storage: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await copyFile(storage, path.join(folder, STORAGE));
  const meta = { version: 1, 'cluster.id': newId(), 'node.id': 1, 'directory.id': newId() };
  const lines = Object.entries(meta).map(([key, value]) => `${key}=${value}\n`);
  // Last, by a rename: the storage is there when this file is.
  const draft = path.join(folder, 'meta.properties.draft');
  await writeFile(draft, lines.join(''));
  await rename(draft, path.join(folder, 'meta.properties'));
}

async function prepare(jars: string, into: string, signal: AbortSignal): Promise<void> {
  const work = path.join(path.dirname(into), 'work');
  await mkdir(work);
  const ports = await takePorts(['client', 'controller']);
  const config = path.join(work, 'server.properties');
  await writeFile(config, propertiesOf(ports, DISK_BYTES));
  const { code, output } = await format(jars, work, signal);
  if (code !== 0) throw new Error(output);
  await copyFile(path.join(work, 'data', STORAGE), path.join(into, STORAGE));
  const archive = `-XX:ArchiveClassesAtExit=${path.join(work, CLASSES)}`;
  await duringBroker(brokerArgs(jars, config, [SHORT_LIVED, archive]), work, async () => {
    const deadline = performance.now() + READY_MS;
    while (!(await answers(ports.client))) {
      signal.throwIfAborted();
      if (performance.now() > deadline) throw new Error('Kafka does not answer');
      await sleep(POLL_MS);
    }
    await useOnce(`127.0.0.1:${ports.client}`);
  });
  // A Java without an archive of its own makes none: then there is the storage alone.
  if (existsSync(path.join(work, CLASSES))) await rename(path.join(work, CLASSES), path.join(into, CLASSES));
}

/** Runs a broker that ends with this process, however that ends: a shell waits for the end of its input. */
async function duringBroker(args: readonly string[], cwd: string, use: () => Promise<void>): Promise<void> {
  const untilEnd = '"$@" </dev/null >kafka.log 2>&1 & pid=$!; cat >/dev/null; kill $pid; wait $pid';
  const child = spawn('sh', ['-c', untilEnd, 'sh', javaCommand(), ...args], {
    cwd,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  try {
    await use();
  } finally {
    child.stdin.end();
    const late = new AbortController();
    await Promise.race([ended, sleep(END_MS, undefined, { signal: late.signal })]);
    late.abort();
  }
}

/** A topic, a transaction and a read: what every installation does first. */
async function useOnce(broker: string): Promise<void> {
  const client = createKafkaClient({ brokers: [broker], clientId: 'sluice-prepare', logger: SILENT });
  try {
    const at = { topic: 'prepared', partition: 0 };
    await (await client.admin()).ensureTopics([{ name: at.topic, partitions: 1 }]);
    const producer = await client.producer({ transactionalId: 'prepare' });
    await producer.begin();
    const batch = new BatchBuilder();
    batch.append(Buffer.from('key'), Buffer.from('value'), 0);
    await producer.send([{ ...at, batch }]);
    await producer.commit();
    const reader = await client.reader({ committed: true });
    reader.seek(at, 'earliest');
    const deadline = performance.now() + READY_MS;
    while ((await reader.poll(POLL_MS)).length === 0) if (performance.now() > deadline) return;
  } finally {
    await client.close();
  }
}
