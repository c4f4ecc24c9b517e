/** One run of one engine over the loaded topics: started, watched until its output stands still, stopped, checked. */
import type { ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaAdmin, KafkaClient, TopicPartition } from '#topology';
import { type Output, type OutputKind, readOutput } from './check-output.ts';
import { removeTopics } from './load.ts';
import { hasEnded, startAll, stopEngine } from './processes.ts';
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
  /** Of the output topic. Default PARTITIONS. */
  readonly partitions?: number;
  /** What to wait for when it is not for what is expected: asked whenever the output has stood still. */
  readonly isComplete?: (admin: KafkaAdmin, appId: string) => Promise<boolean>;
  /** Ends a run that never stands still. Default 10 min. */
  readonly runMs?: number;
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
  /** File with all that its processes said. */
  readonly log: string;
}

const SAMPLE_MS = 200;
/** Output that has not grown for this long is looked at: it may be all there is. */
const STILL_MS = 5_000;
/** And when it is not yet right, waited for: on a busy machine engines pause. */
const GIVEN_UP_MS = 60_000;
const FIRST_OUTPUT_MS = 90_000;
const RUN_MS = 10 * 60_000;

/** Runs once. Rejects when an engine ends by itself or writes nothing; a wrong result is told in `checksumOk`. */
export async function measure(options: RunOptions): Promise<RunResult> {
  const { client, engine, folder } = options;
  const id = `bench-${engine}-${Date.now().toString(36)}`;
  const output = `out.${id}`;
  const log = join(folder, `${id}.log`);
  const admin = await client.admin();
  await admin.ensureTopics([{ name: output, partitions: options.partitions ?? PARTITIONS }]);
  const state = join(folder, 'state', id);
  await mkdir(state, { recursive: true });
  const load = loadNow();
  const names = { APP_ID: id, OUTPUT: output, STATE_DIR: state };
  const children = startAll(options.command, options.workers, { ...options.env, ...names }, log);
  try {
    const { rows, checksum, ...used } = await watchAndStop(admin, names, children, options);
    const checksumOk = checksum === options.expected;
    return { engine, ...used, outputRows: rows, checksum, checksumOk, load: [load, loadNow()], log };
  } finally {
    await removeTopics(admin, id);
    await rm(state, { recursive: true, force: true });
    await admin.close();
  }
}

type Used = Pick<RunResult, 'wallSeconds' | 'cpuSeconds' | 'brokerCpuSeconds' | 'peakRssMb'>;

async function watchAndStop(
  admin: KafkaAdmin,
  { APP_ID, OUTPUT }: { readonly APP_ID: string; readonly OUTPUT: string },
  children: readonly ChildProcess[],
  options: RunOptions,
): Promise<Used & Output> {
  const watched = new Watched(admin, OUTPUT, children, options);
  try {
    for (let patience = STILL_MS; ; patience = Math.min(patience * 2, GIVEN_UP_MS)) {
      const used = await watched.untilStill(patience);
      const isComplete = await options.isComplete?.(admin, APP_ID);
      const output = await readOutput(options.client, OUTPUT, options.kind, options.partitions);
      if (isComplete === true || output.checksum === options.expected || patience === GIVEN_UP_MS || watched.overdue) {
        return { ...used, ...output };
      }
    }
  } finally {
    await Promise.all(children.map(stopEngine));
  }
}

/** The output's growth, and what the engine has used until it last grew. */
class Watched {
  readonly #admin: KafkaAdmin;
  readonly #partitions: TopicPartition[];
  readonly #children: readonly ChildProcess[];
  readonly #options: RunOptions;
  readonly #usage: TreeUsage;
  readonly #start = performance.now();
  readonly #brokerCpu: number;
  #rows = 0n;
  #last: Used = { wallSeconds: 0, cpuSeconds: 0, brokerCpuSeconds: 0, peakRssMb: 0 };

  constructor(admin: KafkaAdmin, topic: string, children: readonly ChildProcess[], options: RunOptions) {
    this.#admin = admin;
    this.#partitions = Array.from({ length: options.partitions ?? PARTITIONS }, (_, partition) => ({
      topic,
      partition,
    }));
    this.#children = children;
    this.#options = options;
    this.#usage = new TreeUsage(children.flatMap(({ pid }) => pid ?? []));
    this.#brokerCpu = cpuOf(options.brokerPid);
  }

  get overdue(): boolean {
    return performance.now() - this.#start > (this.#options.runMs ?? RUN_MS);
  }

  async untilStill(stillMs: number): Promise<Used> {
    const { engine, signal } = this.#options;
    for (;;) {
      await sleep(SAMPLE_MS, undefined, { signal });
      await this.#sample();
      if (this.#children.some(hasEnded)) {
        throw new Error(`${engine} ended by itself; its log is in the benchmark's folder`);
      }
      const wall = performance.now() - this.#start;
      if (this.#rows === 0n && wall > FIRST_OUTPUT_MS) {
        throw new Error(`${engine} wrote nothing in ${FIRST_OUTPUT_MS} ms`);
      }
      const still = wall - this.#last.wallSeconds * 1_000;
      if ((this.#rows > 0n && still > stillMs) || this.overdue) return this.#last;
    }
  }

  async #sample(): Promise<void> {
    const cpuSeconds = this.#usage.sample();
    const wallSeconds = (performance.now() - this.#start) / 1_000;
    const ends = await this.#admin.offsets(this.#partitions, { committed: false });
    const rows = ends.reduce((sum, { end }) => sum + end, 0n);
    if (rows === this.#rows) return;
    this.#rows = rows;
    const brokerCpuSeconds = cpuOf(this.#options.brokerPid) - this.#brokerCpu;
    this.#last = { wallSeconds, cpuSeconds, brokerCpuSeconds, peakRssMb: Math.round(this.#usage.peakRss / 2 ** 20) };
  }
}
