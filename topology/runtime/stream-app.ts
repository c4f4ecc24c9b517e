/**
 * An application in one process: joins the group, reads for the slots that it is given, runs them, and stops in order.
 * Any number of processes run the same application; Kafka shares the slots out.
 */
import { type Clock, systemClock } from '../clock.ts';
import type { Topology } from '../dsl/topology.ts';
import { RetriableError, SluiceError, TaskCorruptedError, TaskMigratedError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { SerdeFactory } from '../serde.ts';
import { type DurationCounts, sumOfDurations } from './duration-histogram.ts';
import { GlobalTables, type GlobalTableStats } from './global-tables.ts';
import type { GroupMembership, KafkaAdmin, KafkaClient, KafkaReader } from './kafka-client.ts';
import { LedgerReader } from './ledger-reader.ts';
import type { ReplayFeed } from './replay-feed.ts';
import { type RestoreProgress, sumOfRestores } from './restore.ts';
import { knowWriters, otherLedgers, ownWriters, refuseWholeProject } from './foreign-writers.ts';
import { updateRoster } from './roster.ts';
import { queryTable, type ReadOnlyTable } from './read-only-table.ts';
import { type InputProgress, inputProgress, isDrained, slotCount } from './run-progress.ts';
import { DEFAULT_RUNTIME_OPTIONS, type RuntimeOptions } from './runtime-options.ts';
import { SkewGate, type SkewWait } from './skew-gate.ts';
import { type RunnerContext, SlotRunner } from './slot-runner.ts';
import { budgetsOf, type PersistentState, refuseOnDisk, type StateSettings, stateSettings } from './slot-state.ts';
import { type StageStats, stageStats } from './stage-stats.ts';
import { type StandbyStats, Standbys } from './standbys.ts';
import { topicsOf } from './app-topics.ts';
import { placeOf } from '../state/state-disk.ts';
import type { TopicLimits } from './topic-config.ts';
import { type StoreChanges, storeShapes } from './store-changes.ts';
import { membersOfOtherEpochs, otherEpochRuns, waitForOtherEpochs } from './one-epoch.ts';
import { watchTopics } from './topic-watch.ts';
import { writerNames } from './floors.ts';
import { numberedNames, wire } from './wiring.ts';

/** What a StreamApp needs. `options` overrides DEFAULT_RUNTIME_OPTIONS. */
export interface StreamAppConfig {
  readonly client: KafkaClient;
  readonly topology: Topology;
  readonly serdes: SerdeFactory;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly options?: Partial<RuntimeOptions>;
  readonly sessionTimeoutMs?: number;
  /** Of topics that the application creates. */
  readonly topicLimits?: TopicLimits;
  /** Where state is kept beside memory; by default nowhere. */
  readonly state?: PersistentState;
  /** How many copies of the state of each slot are kept in other processes (with state on disk: in other directories); by default none. */
  readonly standby?: number;
  /** Makes the run a replay. */
  readonly feed?: ReplayFeed;
  /** Called once when this process must not go on; the caller exits. */
  onFatal(error: Error): void;
}

/** A running application. */
export interface StreamApp {
  /** Slots held, records restored and commits made by this process. */
  stats(): {
    readonly stages: StageStats[];
    readonly slots: number[];
    readonly restored: number;
    readonly commits: number;
    readonly commitMs: DurationCounts;
    /** Offsets of changelogs that slots have to read, and have read, before they run. */
    readonly restoring: RestoreProgress;
    /** Of persistent stores: estimated bytes in memory, and how many they may take. */
    readonly state?: { readonly usedBytes: number; readonly budgetBytes: number } | undefined;
    /** Copies of the state of slots that other processes own. */
    readonly standbys: StandbyStats[];
    /** Each is whole in every process. */
    readonly globalTables: GlobalTableStats[];
    /** Origin partitions of this process that wait for others which are behind (`maxSkewMs`). */
    readonly waits: SkewWait[];
    /** The group is joined, and every slot that this process holds is restored and runs. */
    readonly ready: boolean;
  };
  /** Where the inputs of the slots of this process stand. */
  inputs(): InputProgress[];
  /**
   * A replay: true when all slots are in this process, every input has reached its end, and nothing more can come out: what was written is read, and
   * no clock moves any more. Takes a moment. Live, where clocks move by themselves, that is never for good.
   */
  settled(): Promise<boolean>;
  /** As `settled`, of the slots of this process only: how many transactions they had committed then; undefined when they are not. */
  settledHere(): Promise<number | undefined>;
  /**
   * The rows of a store of tables, of those partitions that this process has now, of a global table all; read-only. TopologyError SLC_TOPOLOGY_NO_STORE for a store that is none
   * of this topology's, or holds no table.
   */
  table(store: string): ReadOnlyTable;
  /** Commits what is processed, leaves the group. At most a few seconds while the broker answers. */
  stop(): Promise<void>;
}

const POLL_MS = 100;
const SESSION_TIMEOUT_MS = 10_000;
const START_BACKOFF_MS = 1_000;
/** Beyond its session: what a member of another version that was killed needs to be forgotten. */
const LEAVE_MS = 2_000;

/**
 * Starts an application: creates its topics, then takes the slots that the group gives it. Waits, saying for what, while the broker or the registry
 * is away. Rejects with ConfigError or TopologyError for what a person has to mend.
 */
export async function startStreamApp(config: StreamAppConfig): Promise<StreamApp> {
  const app = new RunningApp(config);
  try {
    await app.start();
  } catch (error) {
    await app.stop();
    throw error;
  }
  return app;
}

class RunningApp implements StreamApp {
  readonly #config: StreamAppConfig;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #state: StateSettings | undefined;
  readonly #runners = new Map<number, SlotRunner>();
  #standbys: Standbys | undefined;
  #globalTables: GlobalTables | undefined;
  #ledger: LedgerReader | undefined;
  #context: RunnerContext | undefined;
  #membership: GroupMembership | undefined;
  #polling: Promise<unknown> | undefined;
  #changes: Promise<void> = Promise.resolve();

  constructor(config: StreamAppConfig) {
    this.#config = config;
    this.#clock = config.clock ?? systemClock;
    this.#state = stateOf(config);
  }

  async start(): Promise<void> {
    const { client, topology, logger } = this.#config;
    refuseWholeProject(topology);
    const admin = await this.#until('Kafka', () => client.admin());
    await this.#until('Kafka', () => admin.ensureTopics(topicsOf(topology, this.#config.topicLimits)));
    const { app, epoch } = topology;
    const ledger = new LedgerReader(client, app, this.#clock, logger, otherLedgers(topology));
    this.#ledger = ledger;
    ledger.start((error) => this.#config.onFatal(error));
    const names = [...new Set([...(this.#config.feed?.names ?? []), ...numberedNames(topology)])];
    const stores = storeShapes(topology);
    const writers = writerNames(ownWriters(topology));
    const beforeUpgrade = (): Promise<void> => waitForOtherEpochs({ ...this.#waiting(), admin, app, epoch });
    const roster = await this.#until('Kafka', () =>
      updateRoster({ client, admin, ledger, clock: this.#clock, topology, names, stores, writers, beforeUpgrade }),
    );
    await this.#until('Kafka', () => knowWriters({ ...this.#waiting(), topology, ledger, admin }));
    if (roster.changes !== undefined) tellChanges(logger, roster.changes);
    const wiring = await this.#until('the schema registry', () => wire(topology, this.#config.serdes, roster));
    const reader = await this.#until('Kafka', () => client.reader({ committed: true, maxBytesPerPartition: 2 ** 20 }));
    const options = { ...DEFAULT_RUNTIME_OPTIONS, ...this.#config.options };
    const onFatal = (error: Error): void => this.#config.onFatal(error);
    const confirmed = (): Promise<void> => this.#membership?.confirmed() ?? Promise.resolve();
    const shared = { app, client, admin, reader, ledger, wiring, clock: this.#clock, logger, options };
    const { feed } = this.#config;
    const isGated = topology.time === 'watermark' && options.maxSkewMs < Infinity;
    const skew = isGated ? new SkewGate({ ...shared, ...options, topology, feed }) : undefined;
    this.#context = { ...shared, skew, state: this.#state, feed, confirmed, onFatal };
    this.#standBy(admin);
    this.#polling = Promise.all([
      this.#poll(reader),
      this.#trim(admin, options.trimIntervalMs),
      watchTopics({
        admin,
        topics: topicsOf(topology),
        clock: this.#clock,
        intervalMs: options.topicWatchMs,
        signal: this.#abort.signal,
        onFatal,
      }),
    ]);
    this.#globalTables = new GlobalTables({
      client,
      admin,
      copies: wiring.globalTables,
      endOf: this.#config.feed && ((at) => this.#config.feed?.tableEndOf(at)),
      clock: this.#clock,
      logger,
      onFatal,
    });
    // No task runs before: a join finds what was there when the process started.
    await this.#globalTables.start();
    await this.#join(admin);
  }

  /** A replay is over soon, and lives on nothing that a crash would lose. */
  #standBy(admin: KafkaAdmin): void {
    const { standby = 0, feed, client, topology, logger } = this.#config;
    if (standby === 0 || feed !== undefined) return;
    const shared = { client, admin, topology, state: this.#state, clock: this.#clock, logger };
    const { signal } = this.#abort;
    const onWarm = (): void => this.#membership?.again();
    this.#standbys = new Standbys({ ...shared, signal, onWarm, onFatal: (error) => this.#config.onFatal(error) });
    this.#standbys.start();
  }

  async #join(admin: KafkaAdmin): Promise<void> {
    const { client, topology, logger, standby = 0, state } = this.#config;
    const standbys = this.#standbys;
    const place = standbys === undefined || state === undefined ? undefined : placeOf(state.directory);
    const topics = [
      ...new Set(topology.subTopologies.flatMap((sub) => sub.sources.map((source) => source.topic.name))),
    ];
    this.#membership = await this.#until('Kafka', () =>
      client.join({
        group: topology.app,
        topics,
        epoch: topology.epoch,
        sessionTimeoutMs: this.#config.sessionTimeoutMs ?? SESSION_TIMEOUT_MS,
        ...(standbys !== undefined && { standby: { count: standby, place, copies: () => standbys.warm } }),
        onAssigned: (partitions, { memberId }) => {
          this.#changes = this.#changes.then(() => this.#assign(partitions, memberId));
          if (partitions.length === 0) void this.#refuseIfOthersOwn(admin);
        },
        onLost: (lost) => {
          logger.warn({ reason: lost.message }, 'the membership of the group is lost; joining again');
          this.#changes = this.#changes.then(() => this.#joinAgain(admin));
        },
      }),
    );
  }

  /** How other versions are waited for. */
  #waiting() {
    const { logger, sessionTimeoutMs = SESSION_TIMEOUT_MS } = this.#config;
    return { clock: this.#clock, logger, waitMs: sessionTimeoutMs + LEAVE_MS, signal: this.#abort.signal };
  }

  /** Two versions that started in the same moment: the one that got nothing goes. */
  async #refuseIfOthersOwn(admin: KafkaAdmin): Promise<void> {
    const { app, epoch } = this.#config.topology;
    try {
      const others = await this.#until('the group', () => membersOfOtherEpochs(admin, app, epoch));
      const owners = others.filter(({ partitions }) => partitions.length > 0);
      if (owners.length > 0 && !this.#abort.signal.aborted) this.#config.onFatal(otherEpochRuns(app, epoch, owners));
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#config.onFatal(error as Error);
    }
  }

  async #joinAgain(admin: KafkaAdmin): Promise<void> {
    try {
      await this.#assign([]);
      if (!this.#abort.signal.aborted) await this.#join(admin);
    } catch (error) {
      this.#config.onFatal(error as Error);
    }
  }

  async #assign(partitions: readonly number[], memberId?: string): Promise<void> {
    const context = this.#context;
    if (context === undefined || this.#abort.signal.aborted) return;
    const lost = [...this.#runners.values()].filter((runner) => !partitions.includes(runner.partition));
    await Promise.all(lost.map((runner) => runner.drop()));
    for (const runner of lost) this.#runners.delete(runner.partition);
    for (const partition of partitions) {
      if (this.#runners.has(partition)) continue;
      const runner = new SlotRunner(context, partition, this.#standbys?.take(partition));
      this.#runners.set(partition, runner);
      runner.start();
    }
    void this.#standbys?.follow(memberId);
  }

  async #poll(reader: KafkaReader): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        for (const fetched of await reader.poll(POLL_MS)) this.#runners.get(fetched.partition)?.enqueue(fetched);
      } catch (error) {
        if (!(error instanceof SluiceError)) return this.#config.onFatal(error as Error);
        if (error instanceof TaskCorruptedError && error.code === 'SLC_TASK_OFFSET_OUT_OF_RANGE') {
          if ([...this.#runners.values()].some((runner) => runner.loses(error))) continue;
        } else if (!(error instanceof RetriableError)) return this.#config.onFatal(error);
        this.#config.logger.warn({ code: error.code }, `reading: ${error.message}; trying again`);
        await this.#clock.sleep(START_BACKOFF_MS, this.#abort.signal);
      }
    }
  }

  /** Repartition topics are read once: what is committed goes, or they would grow for ever. */
  async #trim(admin: KafkaAdmin, intervalMs: number): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      await this.#clock.sleep(intervalMs, signal);
      if (signal.aborted) return;
      const before = [...this.#runners.values()].flatMap((runner) => runner.takeTrimmable());
      await admin.deleteRecords(before).catch((error: unknown) => {
        // The next commits bring newer positions.
        this.#config.logger.warn({ reason: String(error) }, 'repartition topics could not be trimmed');
      });
    }
  }

  /** Again and again, with a word about it, until it works; only for what may be away. */
  async #until<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    for (let nth = 1; ; nth++) {
      try {
        return await attempt();
      } catch (error) {
        // Processes that start together fence each other while they bring the roster up to date.
        const mayPass = error instanceof RetriableError || error instanceof TaskMigratedError;
        if (!mayPass || this.#abort.signal.aborted) throw error;
        this.#config.logger.warn({ code: error.code, attempt: nth }, `waiting for ${what}: ${error.message}`);
        const delay = Math.min(5_000, START_BACKOFF_MS * nth) * (0.5 + Math.random() / 2);
        await this.#clock.sleep(delay, this.#abort.signal);
      }
    }
  }

  stats(): ReturnType<StreamApp['stats']> {
    const runners = [...this.#runners.values()];
    const slots = runners.flatMap((runner) => runner.slot ?? []);
    return {
      stages: stageStats(this.#config.topology, slots, this.#ledger?.hints),
      slots: runners.map((runner) => runner.partition),
      restored: runners.reduce((sum, runner) => sum + runner.restored, 0),
      commits: this.#commits(),
      commitMs: sumOfDurations(runners.map((runner) => runner.commitMs.read())),
      restoring: sumOfRestores(runners.map((runner) => runner.restoring)),
      standbys: this.#standbys?.read() ?? [],
      globalTables: this.#globalTables?.read() ?? [],
      waits: this.#context?.skew?.waits() ?? [],
      state: this.#state && budgetsOf(this.#state),
      ready: this.#membership !== undefined && slots.length === runners.length,
    };
  }

  #commits(): number {
    return [...this.#runners.values()].reduce((sum, runner) => sum + runner.commits, 0);
  }

  inputs(): InputProgress[] {
    return inputProgress([...this.#runners.values()].flatMap((runner) => runner.slot ?? []));
  }

  async settled(): Promise<boolean> {
    const hasAll = (): boolean => this.#runners.size >= slotCount(this.#config.topology);
    return hasAll() && (await this.settledHere()) !== undefined && hasAll();
  }

  /** Whatever was written is read, then every slot looked and found nothing to say, then still nothing was written: a fixed point. */
  async settledHere(): Promise<number | undefined> {
    const context = this.#context;
    if (context === undefined) return undefined;
    const runners = [...this.#runners.values()];
    const drained = (): Promise<boolean> => isDrained(context, runners);
    if (!(await drained())) return undefined;
    const commits = this.#commits();
    const looked = new Map(runners.map((runner) => [runner, runner.quietRounds + 2] as const));
    while (runners.some((runner) => runner.quietRounds < (looked.get(runner) ?? 0))) {
      if (this.#abort.signal.aborted || this.#commits() !== commits) return undefined;
      for (const runner of runners) runner.wake();
      await this.#clock.sleep(context.options.minCommitIntervalMs, this.#abort.signal);
    }
    const same = (await drained()) && runners.every((runner) => this.#runners.get(runner.partition) === runner);
    return same && runners.length === this.#runners.size && this.#commits() === commits ? commits : undefined;
  }

  table(store: string): ReadOnlyTable {
    return queryTable(this.#config.topology, store, {
      tasks: () => [...this.#runners.values()].flatMap(({ slot }) => slot?.tasks ?? []),
      globalTable: (name) => this.#context?.wiring.globalTables.get(name),
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#changes;
    await Promise.all([...this.#runners.values()].map((runner) => runner.stop()));
    await this.#membership?.leave();
    await this.#polling;
    await this.#standbys?.stop();
    await this.#globalTables?.stop();
    await this.#context?.reader.close();
    await this.#ledger?.stop();
    await this.#context?.admin.close();
  }
}

/** A replay lives on memory, whatever its stages say live. */
function stateOf({ topology, state, feed }: StreamAppConfig): StateSettings | undefined {
  if (state !== undefined) return stateSettings(topology, state);
  if (feed === undefined) refuseOnDisk(topology);
  return undefined;
}

/** After an upgrade: a person must know what the numbers that follow are made of. */
function tellChanges(logger: Logger, { kept, fresh, gone }: StoreChanges): void {
  logger.info({ kept, fresh, gone }, `the topology has changed; state that goes on: ${kept.join(', ') || 'none'}`);
  if (gone.length > 0) logger.info({ gone }, `no longer used, their changelogs stay: ${gone.join(', ')}`);
  if (fresh.length === 0) return;
  logger.warn({ fresh }, `begin empty, what was read before is not in them until a replay: ${fresh.join(', ')}`);
}
