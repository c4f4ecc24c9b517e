/**
 * Several processes of one application, kept alive: one that dies is started again after a growing delay, one that dies quickly again and again ends
 * all. The slots of a dead one go to the others meanwhile: that is the consumer group's work, not this one's.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Logger } from '#topology';
import { mergeStats, type WorkerStats } from './merge-stats.ts';

/** When a dead worker is started again, and when not. Times in ms. */
export interface RestartPolicy {
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** A life shorter than this is a quick failure. */
  readonly quickMs: number;
  readonly maxQuickFailures: number;
}

export const RESTART: RestartPolicy = { firstDelayMs: 500, maxDelayMs: 30_000, quickMs: 30_000, maxQuickFailures: 5 };

export interface WorkerPoolOptions {
  readonly count: number;
  /** What a worker runs: a file for node and its arguments. SLUICE_WORKER in its environment is its number, from 1 on. */
  readonly file: string;
  readonly args: readonly string[];
  readonly logger: Logger;
  readonly restart?: RestartPolicy;
  /** The numbers of all workers together, whenever one of them tells new ones. */
  onStats?(stats: PoolStats): void;
  /** Once, when every worker has said that it runs. */
  onReady?(): void;
  /** Whatever a worker tells. */
  onMessage?(worker: number, message: WorkerMessage): void;
  /** A worker has ended; it may be started again. */
  onEnd?(worker: number): void;
}

/** As one process would tell it, and how many processes there are. */
export interface PoolStats extends WorkerStats {
  readonly workers: { readonly wanted: number; readonly running: number; readonly restarts: number };
}

interface Worker {
  readonly number: number;
  child: ChildProcess | undefined;
  since: number;
  timer: NodeJS.Timeout | undefined;
  quickFailures: number;
  restarts: number;
  ready: boolean;
  stats: WorkerStats | undefined;
}

/** What comes over a worker's channel; the rest is told by its type. */
export interface WorkerMessage {
  readonly type?: string;
}

/** Exit codes as those of roles: a configuration that cannot work is the same next time. */
const EXIT = { ok: 0, failed: 1, refused: 2 } as const;
/** The container or the supervisor around it kills at 10 s. */
const STOP_MS = 9_000;
/** Who ends in order sooner than this has not been told to. */
const ORDERLY_MS = 1_000;

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #policy: RestartPolicy;
  readonly #workers: Worker[];
  readonly #ended = Promise.withResolvers<number>();
  #stopping = false;
  #code: number = EXIT.ok;
  #toldReady = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#policy = options.restart ?? RESTART;
    this.#workers = Array.from({ length: options.count }, (_, i) => ({
      number: i + 1,
      child: undefined,
      since: 0,
      timer: undefined,
      quickFailures: 0,
      restarts: 0,
      ready: false,
      stats: undefined,
    }));
  }

  /** Starts all; resolves when all have ended for good: 0 after `stop`, 1 when a worker was given up or did not stop, 2 when one refuses its configuration. */
  async run(): Promise<number> {
    for (const worker of this.#workers) this.#start(worker);
    const code = await this.#ended.promise;
    clearTimeout(this.#deadline);
    return code;
  }

  /** Asks all to end in order; what has not ended within 9 s is killed. */
  stop(code: number = EXIT.ok): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#code = code;
    for (const { timer, child } of this.#workers) {
      clearTimeout(timer);
      child?.kill('SIGTERM');
    }
    this.#deadline = setTimeout(() => {
      const late = this.#workers.filter(({ child }) => child !== undefined).map((worker) => worker.number);
      this.#options.logger.error({ workers: late }, `worker ${late.join(', ')} does not end: killed`);
      this.#code = EXIT.failed;
      this.kill();
    }, STOP_MS);
    this.#endWhenAllHave();
  }

  /** Ends all at once. What was not committed is done again by whoever runs next. */
  kill(): void {
    this.#stopping = true;
    for (const { timer, child } of this.#workers) {
      clearTimeout(timer);
      child?.kill('SIGKILL');
    }
    this.#endWhenAllHave();
  }

  #start(worker: Worker): void {
    const { file, args } = this.#options;
    const child = fork(file, args, {
      execArgv: process.execArgv,
      env: { ...process.env, SLUICE_WORKER: String(worker.number), ...metricsPort(worker.number) },
      // Its log lines are those of this process.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    worker.child = child;
    worker.since = performance.now();
    child.on('message', (message) => this.#hear(worker, message as WorkerMessage));
    child.once('error', (error) => {
      if (child.pid === undefined) this.#onEnd(worker, EXIT.failed, error.message);
    });
    child.once('exit', (code, signal) => this.#onEnd(worker, code, signal ?? `exit code ${code ?? '?'}`));
  }

  #hear(worker: Worker, message: WorkerMessage): void {
    this.#options.onMessage?.(worker.number, message);
    if (message.type === 'ready') {
      worker.ready = true;
      if (this.#toldReady || this.#workers.some(({ ready }) => !ready)) return;
      this.#toldReady = true;
      this.#options.onReady?.();
    }
    if (message.type !== 'stats') return;
    worker.stats = message as unknown as WorkerStats;
    this.#options.onStats?.(this.stats());
  }

  /** What all workers that run have done. */
  stats(): PoolStats {
    const running = this.#workers.filter(({ child }) => child !== undefined);
    return {
      ...mergeStats(running.flatMap(({ stats }) => stats ?? [])),
      workers: {
        wanted: this.#workers.length,
        running: running.length,
        restarts: this.#workers.reduce((sum, { restarts }) => sum + restarts, 0),
      },
    };
  }

  /** Process ids of the workers that run. */
  pids(): number[] {
    return this.#workers.flatMap(({ child }) => child?.pid ?? []);
  }

  #onEnd(worker: Worker, code: number | null, how: string): void {
    if (worker.child === undefined) return;
    worker.child = undefined;
    worker.stats = undefined;
    this.#options.onEnd?.(worker.number);
    if (this.#stopping) return this.#endWhenAllHave();
    const lived = performance.now() - worker.since;
    const { logger } = this.#options;
    if (code === EXIT.refused) {
      logger.error({ worker: worker.number }, `worker ${worker.number} refuses its configuration: all end`);
      return this.stop(EXIT.refused);
    }
    // Somebody has ended it in order: so machines and workers are restarted one by one.
    const orderly = code === EXIT.ok && lived > ORDERLY_MS;
    if (!orderly) worker.quickFailures = lived < this.#policy.quickMs ? worker.quickFailures + 1 : 1;
    if (worker.quickFailures >= this.#policy.maxQuickFailures) return this.#giveUp(worker, how);
    const delay = orderly ? 0 : this.#delay(worker.quickFailures);
    worker.restarts++;
    logger.warn(
      { worker: worker.number, how, delayMs: delay },
      `worker ${worker.number} ended (${how}); starting again in ${(delay / 1_000).toFixed(1)} s`,
    );
    worker.timer = setTimeout(() => this.#start(worker), delay);
  }

  /** Jitter: workers that die of the same cause must not come back in the same moment. */
  #delay(failures: number): number {
    const { firstDelayMs, maxDelayMs } = this.#policy;
    return Math.round(Math.min(maxDelayMs, firstDelayMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2));
  }

  #giveUp(worker: Worker, how: string): void {
    const { quickFailures, number } = worker;
    this.#options.logger.error(
      {
        code: 'SLC_APP_WORKER_FAILS',
        worker: number,
        hint: 'its own lines above say why; what is committed stays, start again when that is mended',
      },
      `worker ${number} ended ${quickFailures} times within ${this.#policy.quickMs / 1_000} s of its start, at last by ${how}: all end`,
    );
    this.stop(EXIT.failed);
  }

  #endWhenAllHave(): void {
    if (this.#workers.every(({ child }) => child === undefined)) this.#ended.resolve(this.#code);
  }
}

/** One each: a given port is that of the first worker. */
function metricsPort(number: number): { readonly SLUICE_METRICS_PORT?: string } {
  const first = Number(process.env['SLUICE_METRICS_PORT'] || 0);
  return first > 0 ? { SLUICE_METRICS_PORT: String(first + number - 1) } : {};
}
