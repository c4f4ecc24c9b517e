/** `sluice replay --workers N`: processes that share the slots of a replay, and the one that starts them, hears them and ends them. */
import { join } from 'node:path';
import {
  finishReplay,
  hearReplay,
  joinReplay,
  openReplay,
  type OpenedReplay,
  type ReplayConfig,
  type ReplayRun,
  type ReplayShare,
  type SharedReplay,
  SluiceError,
  startReplay,
} from '#topology';
import { WorkerPool } from '../workers/worker-pool.ts';

const MAIN = join(import.meta.dirname, '..', 'main.ts');
const SHARE_MS = 200;

/** Looks like a replay in this process; `args` are those of a worker. */
export async function startInWorkers(config: ReplayConfig, count: number, args: readonly string[]): Promise<ReplayRun> {
  const opened = await openReplay(config);
  return opened.plan.finishedAt === null ? new Shared(config, opened, count, args) : await startReplay(config);
}

class Shared implements ReplayRun {
  readonly topology: ReplayRun['topology'];
  readonly done: Promise<boolean>;
  readonly #config: ReplayConfig;
  readonly #heard: SharedReplay;
  readonly #pool: WorkerPool;
  readonly #ended: Promise<number>;
  #plan: ReplayRun['plan'];
  #isDone = false;
  #isStopped = false;

  constructor(config: ReplayConfig, opened: OpenedReplay, count: number, args: readonly string[]) {
    this.#config = config;
    this.topology = opened.topology;
    this.#plan = opened.plan;
    this.#heard = hearReplay(opened);
    this.#pool = new WorkerPool({
      count,
      file: MAIN,
      args,
      logger: config.logger,
      onMessage: (worker, message) => this.#hear(worker, message),
      onEnd: (worker) => {
        if (!this.#isDone) this.#heard.forget(worker);
      },
    });
    this.#ended = this.#pool.run();
    this.done = this.#watch();
    this.done.catch(() => undefined);
  }

  get plan(): ReplayRun['plan'] {
    return this.#plan;
  }

  progress(): ReturnType<ReplayRun['progress']> {
    return this.#heard.progress();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pool.stop();
    await this.#ended;
  }

  #hear(worker: number, message: { readonly type?: string }): void {
    if (message.type !== 'share' || this.#isDone) return;
    this.#isDone = this.#heard.hear(worker, message as unknown as ReplayShare);
    if (this.#isDone) this.#pool.stop();
  }

  async #watch(): Promise<boolean> {
    await this.#ended;
    if (this.#isDone) {
      this.#plan = await finishReplay(this.#config, this.#plan);
      return true;
    }
    if (this.#isStopped) return false;
    throw new SluiceError('SLC_APP_WORKER_FAILS', 'the workers of the replay have ended before it was done', {
      hint: 'their own lines above say why; when that is mended the same command goes on',
    });
  }
}

/** One of them: runs until it is told to end. */
export async function workOn(config: ReplayConfig, stop: AbortSignal): Promise<number> {
  const worker = await joinReplay(config);
  process.send?.({ type: 'ready' });
  while (!stop.aborted) {
    process.send?.({ type: 'share', ...(await worker.share()) });
    await new Promise((resolve) => setTimeout(resolve, SHARE_MS));
  }
  await worker.stop();
  return 0;
}
