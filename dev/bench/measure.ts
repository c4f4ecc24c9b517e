/** One run of one engine over the loaded topics: started, watched until its output stands still, stopped, checked. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaAdmin, KafkaClient } from '#topology';
import { type OutputKind, readOutput } from './check-output.ts';
import { cpuOf, loadNow, TreeUsage } from './usage.ts';
import { PARTITIONS } from './workload.ts';

/** What one run needs. */
export interface RunOptions {
  readonly client: KafkaClient;
  readonly engine: 'sluice' | 'kafka-streams';
  /** Started `workers` times with `env` and OUTPUT, APP_ID, STATE_DIR in its environment; SIGTERM ends it. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workers: number;
  readonly kind: OutputKind;
  readonly expected: string;
  readonly brokerPid: number;
  /** State and logs. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** What one run used. */
export interface RunResult {
  readonly engine: RunOptions['engine'];
  /** Process start to the last growth of the output (a commit marker), in steps of 200 ms. */
  readonly wallSeconds: number;
  /** Of the engine's processes until then; the broker is apart. */
  readonly cpuSeconds: number;
  readonly brokerCpuSeconds: number;
  readonly peakRssMb: number;
  readonly outputRows: number;
  readonly checksum: string;
  readonly checksumOk: boolean;
  /** Load average of the machine when it began and ended. */
  readonly load: readonly [number, number];
}

const SAMPLE_MS = 200;
/** Output that has not grown for this long is all there is. */
const STILL_MS = 6_000;
const FIRST_OUTPUT_MS = 90_000;
const RUN_MS = 10 * 60_000;
const STOP_MS = 12_000;

/** Runs once. Rejects when an engine ends by itself or writes nothing; a wrong result is told in `checksumOk`. */
export async function measure(options: RunOptions): Promise<RunResult> {
  const { client, engine, folder } = options;
  const id = `bench-${engine}-${Date.now().toString(36)}`;
  const output = `out.${id}`;
  const admin = await client.admin();
  await admin.ensureTopics([{ name: output, partitions: PARTITIONS }]);
  const state = join(folder, 'state', id);
  await mkdir(state, { recursive: true });
  const load = loadNow();
  const children = startAll(options, { APP_ID: id, OUTPUT: output, STATE_DIR: state }, join(folder, `${id}.log`));
  try {
    const used = await watchAndStop(admin, output, children, options);
    const { rows, checksum } = await readOutput(client, output, options.kind);
    const checksumOk = checksum === options.expected;
    return { engine, ...used, outputRows: rows, checksum, checksumOk, load: [load, loadNow()] };
  } finally {
    const topics = (await admin.listTopics()).filter((topic) => topic.includes(id));
    await admin.deleteTopics(topics).catch(() => undefined);
    await rm(state, { recursive: true, force: true });
    await admin.close();
  }
}

function startAll(options: RunOptions, more: Readonly<Record<string, string>>, logFile: string): ChildProcess[] {
  const [command = '', ...args] = options.command;
  const log = openSync(logFile, 'a');
  try {
    return Array.from({ length: options.workers }, () =>
      spawn(command, args, { env: { ...process.env, ...options.env, ...more }, stdio: ['ignore', log, log] }),
    );
  } finally {
    closeSync(log);
  }
}

type Used = Pick<RunResult, 'wallSeconds' | 'cpuSeconds' | 'brokerCpuSeconds' | 'peakRssMb'>;

async function watchAndStop(
  admin: KafkaAdmin,
  topic: string,
  children: readonly ChildProcess[],
  options: RunOptions,
): Promise<Used> {
  try {
    return await watch(admin, topic, children, options);
  } finally {
    await Promise.all(children.map(stop));
  }
}

async function watch(
  admin: KafkaAdmin,
  topic: string,
  children: readonly ChildProcess[],
  { brokerPid, signal, engine }: RunOptions,
): Promise<Used> {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }));
  const start = performance.now();
  const broker = cpuOf(brokerPid);
  const usage = new TreeUsage(children.flatMap(({ pid }) => pid ?? []));
  let rows = 0n;
  let last: Used = { wallSeconds: 0, cpuSeconds: 0, brokerCpuSeconds: 0, peakRssMb: 0 };
  for (;;) {
    await sleep(SAMPLE_MS, undefined, { signal });
    const cpuSeconds = usage.sample();
    const wall = performance.now() - start;
    const ends = await admin.offsets(partitions, { committed: false });
    const now = ends.reduce((sum, { end }) => sum + end, 0n);
    const peakRssMb = Math.round(usage.peakRss / 2 ** 20);
    if (now > rows) {
      rows = now;
      last = { wallSeconds: wall / 1_000, cpuSeconds, brokerCpuSeconds: cpuOf(brokerPid) - broker, peakRssMb };
    }
    if (children.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)) {
      throw new Error(`${engine} ended by itself; its log is in the benchmark's folder`);
    }
    const still = wall - last.wallSeconds * 1_000;
    if (rows === 0n && wall > FIRST_OUTPUT_MS) throw new Error(`${engine} wrote nothing in ${FIRST_OUTPUT_MS} ms`);
    if ((rows > 0n && still > STILL_MS) || wall > RUN_MS) return { ...last, peakRssMb };
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await gone;
  clearTimeout(timer);
}
