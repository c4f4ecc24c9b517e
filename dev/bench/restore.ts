/**
 * How fast the state of a slot is restored from its changelog, and how long a slot stands still when its worker is killed and another one has a standby
 * copy; on a broker of its own.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchBuilder,
  ConfigError,
  createKafkaClient,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  type Logger,
} from '#topology';
import { kafkaPart } from '../parts/index.ts';
import { RESTORE, type WorkerTold } from './restore-worker.ts';
import { loadNow } from './usage.ts';

/** What the benchmark needs. */
export interface RestoreBenchOptions {
  /** Of state: each is written once before. */
  readonly keys: number;
  /** Restores and fail-overs. */
  readonly runs: number;
  /** Of this benchmark only. */
  readonly folder: string;
  readonly cacheDir: string;
  readonly signal: AbortSignal;
  readonly progress: (text: string) => void;
}

/** Times in ms. */
export interface RestoreRun {
  readonly restored: number;
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly wallMs: number;
  readonly load: number;
}

/** From the new assignment on, and from the kill on. */
export interface FailOverRun {
  readonly restored: number;
  readonly runningMs: number;
  readonly committedMs: number;
  readonly totalMs: number;
  readonly load: number;
}

const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const WORKER = join(import.meta.dirname, 'restore-worker.ts');
const DISK_BYTES = 10 * 2 ** 30;
const STOP_MS = 10_000;
const WAIT_MS = 300_000;
const BATCH_RECORDS = 2_000;
const START = Date.UTC(2026, 0, 5);
/** Updates while a worker is killed. */
const UPDATES_PER_SECOND = 500;
const INPUT = { topic: RESTORE.input, partition: 0 };

/** Runs it; prints each run. ConfigError SLC_PART_MISSING where a broker cannot be started. */
export async function benchRestore(
  options: RestoreBenchOptions,
): Promise<{ readonly restores: RestoreRun[]; readonly failOvers: FailOverRun[] }> {
  const { folder, cacheDir, signal, progress } = options;
  await mkdir(folder, { recursive: true });
  const part = kafkaPart({ heapMb: 1_024 });
  const missing = await part.missing({ cacheDir });
  if (missing !== undefined) throw new ConfigError('SLC_PART_MISSING', missing);
  const dataDir = join(folder, 'kafka');
  const context = { dataDir, logFile: join(folder, 'kafka.log'), cacheDir, diskBytes: DISK_BYTES, ports: {}, signal };
  const broker = await part.start({ ...context, progress: () => {} });
  const client = createKafkaClient({ brokers: [broker.address], clientId: 'sluice-bench', logger: SILENT });
  const bench = new RestoreBench(client, broker.address, options);
  try {
    await bench.open();
    progress(`fills the state of one slot: ${options.keys} keys`);
    await bench.fill();
    const restores: RestoreRun[] = [];
    for (let nth = 1; nth <= options.runs; nth++) restores.push(await bench.restore());
    const failOvers: FailOverRun[] = [];
    for (let nth = 1; nth <= options.runs; nth++) failOvers.push(await bench.failOver());
    return { restores, failOvers };
  } finally {
    await bench.close();
    await client.close();
    await broker.stop(STOP_MS);
    await part.removeData(dataDir);
  }
}

class Worker {
  readonly child: ChildProcess;
  readonly #told = new Map<WorkerTold['type'], WorkerTold>();

  constructor(kafka: string, standby: number) {
    this.child = fork(WORKER, [], {
      env: { ...process.env, BENCH_KAFKA: kafka, BENCH_STANDBY: String(standby) },
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.child.on('message', (message: WorkerTold) => this.#told.set(message.type, message));
  }

  told<T extends WorkerTold['type']>(type: T): Extract<WorkerTold, { readonly type: T }> | undefined {
    return this.#told.get(type) as Extract<WorkerTold, { readonly type: T }> | undefined;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await gone;
  }
}

class RestoreBench {
  readonly #client: KafkaClient;
  readonly #kafka: string;
  readonly #options: RestoreBenchOptions;
  readonly #workers: Worker[] = [];
  #admin: KafkaAdmin | undefined;
  #producer: KafkaProducer | undefined;
  #sent = 0;

  constructor(client: KafkaClient, kafka: string, options: RestoreBenchOptions) {
    this.#client = client;
    this.#kafka = kafka;
    this.#options = options;
  }

  async open(): Promise<void> {
    this.#admin = await this.#client.admin();
    this.#producer = await this.#client.producer();
    await this.#admin.ensureTopics([{ name: RESTORE.input, partitions: 1 }]);
  }

  /** Each key once, through the engine. */
  async fill(): Promise<void> {
    const worker = this.#start(0);
    const { keys } = this.#options;
    while (this.#sent < keys) await this.#send(Math.min(BATCH_RECORDS, keys - this.#sent));
    await this.#until('all is processed', async () => (await this.#committed()) >= BigInt(keys));
    await worker.end('SIGTERM');
  }

  /** A worker without a copy begins. */
  async restore(): Promise<RestoreRun> {
    const load = loadNow();
    const worker = this.#start(0);
    await this.#until('a restore', () => worker.told('running') !== undefined);
    const [from, to] = [worker.told('assigned'), worker.told('running')];
    await this.#until('what it holds', () => (worker.told('state')?.entries ?? 0) > 0);
    const { entries = 0, rssMb } = worker.told('state') ?? {};
    if (entries !== this.#options.keys) throw new Error(`${entries} keys are restored, not ${this.#options.keys}`);
    await worker.end('SIGTERM');
    const wallMs = (to?.at ?? 0) - (from?.at ?? 0);
    const restored = to?.restored ?? 0;
    const run = {
      restored,
      wallMs,
      perSecond: (restored / wallMs) * 1_000,
      perCpuSecond: restored / ((to?.cpu ?? 0) - (from?.cpu ?? 0)),
      load,
    };
    this.#options.progress(
      `restore: ${restored} changelog records ${seconds(wallMs)} after the assignment, ` +
        `${Math.round(run.perSecond)} a second, ${Math.round(run.perCpuSecond)} per CPU-second, ${rssMb ?? '?'} MB (load ${load})`,
    );
    return run;
  }

  /** kill -9 of a worker, while another one has a copy and records come. */
  async failOver(): Promise<FailOverRun> {
    const { keys, progress } = this.#options;
    const owner = this.#start(1);
    await this.#until('an owner', () => owner.told('running') !== undefined);
    const other = this.#start(1);
    await this.#until('a copy', () => {
      const copy = other.told('copy');
      return copy?.lag === 0 && copy.entries >= keys;
    });
    const updates = new AbortController();
    const updating = this.#update(updates.signal);
    await sleep(1_000);
    const load = loadNow();
    const killedAt = performance.timeOrigin + performance.now();
    await owner.end('SIGKILL');
    await this.#until('a commit after the kill', () => other.told('committed') !== undefined);
    updates.abort();
    await updating;
    await this.#until('what it holds', () => (other.told('state')?.entries ?? 0) > 0);
    const entries = other.told('state')?.entries;
    if (entries !== keys) throw new Error(`${entries} keys are taken over, not ${keys}`);
    const [assigned, running, committed] = [other.told('assigned'), other.told('running'), other.told('committed')];
    await other.end('SIGTERM');
    const since = (told: { readonly at: number } | undefined, from: number): number => (told?.at ?? 0) - from;
    const run = {
      restored: running?.restored ?? 0,
      runningMs: since(running, assigned?.at ?? 0),
      committedMs: since(committed, assigned?.at ?? 0),
      totalMs: since(committed, killedAt),
      load,
    };
    progress(
      `fail-over: runs ${seconds(run.runningMs)} after the assignment with ${run.restored} records restored, commits after ` +
        `${seconds(run.committedMs)}; ${seconds(run.totalMs)} after the kill, of which the session takes 10 s (load ${load})`,
    );
    return run;
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) await worker.end('SIGKILL');
    await this.#producer?.close();
    await this.#admin?.close();
  }

  #start(standby: number): Worker {
    const worker = new Worker(this.#kafka, standby);
    this.#workers.push(worker);
    return worker;
  }

  async #send(records: number): Promise<void> {
    const batch = new BatchBuilder();
    for (let i = 0; i < records; i++, this.#sent++) {
      const user = `user-${this.#sent % this.#options.keys}`;
      batch.append(Buffer.from(user), Buffer.from(JSON.stringify({ user })), START + this.#sent);
    }
    await this.#producer?.send([{ ...INPUT, batch }]);
  }

  async #update(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#send(UPDATES_PER_SECOND / 10);
      await sleep(100);
    }
  }

  async #committed(): Promise<bigint> {
    const [position] = (await this.#admin?.committedOffsets(RESTORE.app, [INPUT])) ?? [];
    return position?.offset ?? 0n;
  }

  async #until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + WAIT_MS;
    while (!(await holds())) {
      this.#options.signal.throwIfAborted();
      if (this.#workers.some(({ child }) => child.exitCode !== null && child.exitCode !== 0))
        throw new Error(`waiting for ${what}: a worker has failed`);
      if (Date.now() > end) throw new Error(`${what}: not within ${WAIT_MS / 1_000} s`);
      await sleep(20);
    }
  }
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(2)} s`;
