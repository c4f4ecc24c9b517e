/** A replay in this process: the stages of an application once more, over a frozen range of their input. */
import { type Clock, systemClock } from '../clock.ts';
import type { Topology } from '../dsl/topology.ts';
import type { Logger } from '../logger.ts';
import type { SerdeFactory } from '../serde.ts';
import type { KafkaAdmin, KafkaClient } from '../runtime/kafka-client.ts';
import type { RuntimeOptions } from '../runtime/runtime-options.ts';
import { slotCount } from '../runtime/run-progress.ts';
import { startStreamApp, type StreamApp } from '../runtime/stream-app.ts';
import type { TopicLimits } from '../runtime/topic-config.ts';
import { freezeReplay } from './freeze.ts';
import { readLedgers } from './live-ledger.ts';
import { PlanStore } from './plan-store.ts';
import { checkSamePlan, feedOf, type ReplayPlan, type ReplayRequest } from './replay-plan.ts';
import { replayTopology } from './replay-topology.ts';

/** What a replay needs. `live`: the topology of the application whose stages run again. */
export interface ReplayConfig {
  readonly client: KafkaClient;
  readonly live: Topology;
  readonly request: ReplayRequest;
  readonly serdes: SerdeFactory;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly options?: Partial<RuntimeOptions>;
  readonly topicLimits?: TopicLimits;
  readonly sessionTimeoutMs?: number;
  /** Called once when this process must not go on; run the same replay again. */
  onFatal(error: Error): void;
}

/** How far a replay is. Offsets count as records: markers of transactions are among them. */
export interface ReplayProgress {
  readonly done: number;
  readonly total: number;
  /** Event time up to which all inputs are read, ms; -Infinity before any. */
  readonly eventTime: number;
  /** Records that tasks have processed in this process, over all stages. */
  readonly processed: number;
  /** Slots that this process has, of all: the others are in a process that runs the same replay, or in one whose session has not ended yet. */
  readonly slots: { readonly here: number; readonly all: number };
}

/** A replay that is under way, or was finished before. */
export interface ReplayRun {
  readonly plan: ReplayPlan;
  readonly topology: Topology;
  /** Resolves with true when everything is out, with false when it was stopped before. */
  readonly done: Promise<boolean>;
  progress(): ReplayProgress;
  /** Commits what is processed; the next run goes on from there. */
  stop(): Promise<void>;
}

/** No reader waits for what comes out: larger commits cost less. */
export const REPLAY_OPTIONS: Partial<RuntimeOptions> = {
  commitIntervalMs: 1_000,
  minCommitIntervalMs: 20,
  maxBatchRecords: 50_000,
  maxQueuedBytes: 8 * 2 ** 20,
  transactionTimeoutMs: 60_000,
};

const SETTLED_MS = 200;

/**
 * Freezes the inputs, or takes the plan that an earlier life has made, and runs to the frozen ends. Rejects with ConfigError SLC_REPLAY_CHANGED
 * when the plan under that name is another, SLC_REPLAY_STAGE, SLC_REPLAY_RANGE or SLC_REPLAY_EMPTY for a request that cannot be.
 */
export async function startReplay(config: ReplayConfig): Promise<ReplayRun> {
  const opened = await openReplay(config);
  const { plan, topology } = opened;
  if (plan.finishedAt !== null) return finished(plan, topology);
  return new Running(config, opened, await startApp(config, opened));
}

/** A plan and what it runs. */
export interface OpenedReplay {
  readonly plan: ReplayPlan;
  readonly topology: Topology;
}

/** The plan under the request's name: the one that there is, else a new one, frozen now. Rejects as `startReplay` does. */
export async function openReplay(config: Omit<ReplayConfig, 'onFatal'>): Promise<OpenedReplay> {
  const { client, live, request, clock = systemClock } = config;
  const topology = replayTopology(live, request);
  const admin = await client.admin();
  try {
    return {
      topology,
      plan: await planOf(config, admin, new PlanStore(client, admin, live.app, clock), topology, clock),
    };
  } finally {
    await admin.close();
  }
}

/** The application of the replay in this process; others of the same replay share its slots. */
export async function startApp(config: ReplayConfig, { plan, topology }: OpenedReplay): Promise<StreamApp> {
  const { client, live, clock = systemClock } = config;
  const admin = await client.admin();
  try {
    const { pins } = await readLedgers(client, admin, live, clock);
    return await startStreamApp({
      client,
      topology,
      serdes: config.serdes,
      logger: config.logger,
      clock,
      feed: feedOf(plan, pins),
      options: { ...REPLAY_OPTIONS, ...config.options },
      ...(config.topicLimits === undefined ? {} : { topicLimits: config.topicLimits }),
      ...(config.sessionTimeoutMs === undefined ? {} : { sessionTimeoutMs: config.sessionTimeoutMs }),
      onFatal: (error) => config.onFatal(error),
    });
  } finally {
    await admin.close();
  }
}

/** Marks a plan as done, and returns it. */
export async function finishReplay(config: Omit<ReplayConfig, 'onFatal'>, plan: ReplayPlan): Promise<ReplayPlan> {
  const { client, live, clock = systemClock } = config;
  const admin = await client.admin();
  try {
    const done = { ...plan, finishedAt: clock.now() };
    await new PlanStore(client, admin, live.app, clock).write(done);
    return done;
  } finally {
    await admin.close();
  }
}

/** How far the slots of one process are. */
export function progressOf({ plan, topology }: OpenedReplay, app: StreamApp): ReplayProgress {
  const at = new Map(app.inputs().map((input) => [`${input.topic}|${input.partition}`, input]));
  let done = 0n;
  let eventTime = Infinity;
  for (const { topic, partition, start, end } of plan.inputs) {
    const input = at.get(`${topic}|${partition}`);
    if (input === undefined) continue;
    done += input.position > start ? input.position - start : 0n;
    // An input that is read to its end holds nobody back, nor does one that has no clock yet.
    if (input.position >= end || !Number.isFinite(input.watermark)) continue;
    if (input.watermark < eventTime) eventTime = input.watermark;
  }
  const stats = app.stats();
  const processed = stats.stages.reduce((sum, { records }) => sum + records, 0);
  const slots = { here: stats.slots.length, all: slotCount(topology) };
  const total = totalOf(plan);
  const ended = Number(done) >= total ? eventTimeOf(plan) : -Infinity;
  return { done: Number(done), total, eventTime: Number.isFinite(eventTime) ? eventTime : ended, processed, slots };
}

async function planOf(
  { client, live, request, topicLimits }: Omit<ReplayConfig, 'onFatal'>,
  admin: KafkaAdmin,
  store: PlanStore,
  replay: Topology,
  clock: Clock,
): Promise<ReplayPlan> {
  const known = (await store.read()).get(request.id);
  if (known !== undefined) {
    checkSamePlan(known, request, replay.epoch);
    return known;
  }
  const plan = await freezeReplay({ client, admin, live, replay, request, clock });
  await store.open(topicLimits);
  await store.write(plan);
  return plan;
}

function finished(plan: ReplayPlan, topology: Topology): ReplayRun {
  const total = totalOf(plan);
  return {
    plan,
    topology,
    done: Promise.resolve(true),
    progress: () => ({ done: total, total, eventTime: eventTimeOf(plan), processed: 0, slots: { here: 0, all: 0 } }),
    stop: () => Promise.resolve(),
  };
}

class Running implements ReplayRun {
  readonly topology: Topology;
  readonly done: Promise<boolean>;
  readonly #config: ReplayConfig;
  readonly #clock: Clock;
  readonly #app: StreamApp;
  readonly #abort = new AbortController();
  #plan: ReplayPlan;
  #stopping: Promise<void> | undefined;
  #last: ReplayProgress;

  constructor(config: ReplayConfig, { plan, topology }: OpenedReplay, app: StreamApp) {
    this.#config = config;
    this.#clock = config.clock ?? systemClock;
    this.topology = topology;
    this.#plan = plan;
    this.#app = app;
    const slots = { here: 0, all: slotCount(topology) };
    this.#last = { done: 0, total: totalOf(plan), eventTime: -Infinity, processed: 0, slots };
    this.done = this.#watch();
    this.done.catch(() => undefined);
  }

  get plan(): ReplayPlan {
    return this.#plan;
  }

  progress(): ReplayProgress {
    this.#last = this.#abort.signal.aborted ? this.#last : progressOf(this, this.#app);
    return this.#last;
  }

  stop(): Promise<void> {
    // The slots go with the application.
    this.progress();
    this.#abort.abort();
    this.#stopping ??= this.#app.stop();
    return this.#stopping;
  }

  async #watch(): Promise<boolean> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      if (await this.#settled()) {
        await this.#finish();
        return true;
      }
      await this.#clock.sleep(SETTLED_MS, signal);
    }
    return false;
  }

  async #settled(): Promise<boolean> {
    const { done, total } = this.progress();
    if (done < total) return false;
    // A broker that is away is waited for by the slots.
    return await this.#app.settled().catch(() => false);
  }

  async #finish(): Promise<void> {
    await this.stop();
    this.#plan = await finishReplay(this.#config, this.#plan);
  }
}

/** Offsets that a plan has to read. */
export function totalOf(plan: ReplayPlan): number {
  return Number(plan.inputs.reduce((sum, { start, end }) => sum + (end - start), 0n));
}

function eventTimeOf(plan: ReplayPlan): number {
  return Math.max(-Infinity, ...plan.inputs.map(({ endClock }) => endClock));
}
