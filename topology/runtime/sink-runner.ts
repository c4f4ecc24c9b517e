/**
 * Runs a sink stage: a consumer group of its own whose positions are in the target. Kafka's group only shares the partitions out; no offset is
 * committed to it, since two positions can differ and the target's is the one that is in the same transaction as the rows.
 */
import { type Clock, systemClock } from '../clock.ts';
import { ConfigError, InvariantError, RetriableError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { TopicPartition } from '../record.ts';
import { type SerdeFactory, type Serde, textSerde } from '../serde.ts';
import type { GroupMembership, KafkaAdmin, KafkaClient, KafkaReader } from './kafka-client.ts';
import type { SinkBatchLimits, SinkSource } from './sink-batch.ts';
import { sinkDeadLetterTopicOf, SinkDeadLetters } from './sink-dead-letters.ts';
import type { SinkStage, SinkTopic } from './sink-stage.ts';
import { SinkTask, type SinkTaskContext } from './sink-task.ts';
import { SinkTrouble } from './sink-trouble.ts';
import { topicConfig, type TopicLimits } from './topic-config.ts';

/** Limits of a sink stage. */
export interface SinkRunnerLimits extends SinkBatchLimits {
  /** Fetched and not yet written, per partition: above it, reading pauses until half of it is written. */
  readonly maxQueuedBytes: number;
  readonly sessionTimeoutMs: number;
}

/** Limits that suit a database. */
export const DEFAULT_SINK_LIMITS: SinkRunnerLimits = {
  maxRecords: 5_000,
  maxBytes: 4 * 2 ** 20,
  lingerMs: 200,
  positionMs: 1_000,
  maxQueuedBytes: 2 * 2 ** 20,
  sessionTimeoutMs: 10_000,
};

/** What a runner needs. */
export interface SinkRunnerOptions {
  readonly client: KafkaClient;
  readonly app: string;
  readonly stage: SinkStage;
  readonly serdes: SerdeFactory;
  readonly logger: Logger;
  readonly limits?: Partial<SinkRunnerLimits>;
  /** Of the dead-letter topic that it creates. */
  readonly topicLimits?: TopicLimits;
  readonly clock?: Clock;
  /** In [0, 1): jitter of waits. */
  readonly random?: () => number;
}

/** How a stage is doing. `waitingFor`: why it stands still, undefined when it does not. */
export interface SinkStats {
  readonly name: string;
  readonly rows: number;
  /** Offsets not yet in the target. */
  readonly lagRecords: number;
  /** How far the newest event time in the target is behind now, ms, of the partition where that is largest; 0 when nothing is left to write. */
  readonly lagMs: number;
  readonly partitions: number;
  readonly waitingFor: string | undefined;
}

/** A running sink stage. */
export interface SinkRunner {
  /** Of its stage. */
  readonly topics: readonly string[];
  /**
   * Resolves when the target is open and the group is joined: waits, saying for what, while Kafka, the registry, the target or a topic is away.
   * Rejects with ConfigError only.
   */
  start(): Promise<void>;
  stats(): SinkStats;
  /** First offset that the target does not hold, of each partition that this process carries. */
  written(): (TopicPartition & { readonly offset: bigint })[];
  /** Ends within 4 s: a write under way may finish, the group is left. The sink stays open: it is the caller's. */
  stop(): Promise<void>;
}

const POLL_MS = 100;
const STOP_MS = 4_000;

/** A runner for one stage in this process. Any number of processes may run the same stage. */
export function createSinkRunner(options: SinkRunnerOptions): SinkRunner {
  return new Runner(options);
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

class Runner implements SinkRunner {
  readonly #options: SinkRunnerOptions;
  readonly #limits: SinkRunnerLimits;
  readonly #clock: Clock;
  readonly #trouble: SinkTrouble;
  readonly #deadLetters: SinkDeadLetters;
  readonly #abort = new AbortController();
  readonly #tasks = new Map<string, SinkTask>();
  /** What to tell the reader, between two polls: so whatever a poll hands over was asked for after all that was told before. */
  #commands: ((reader: KafkaReader) => void)[] = [];
  readonly #reading = new Set<string>();
  readonly #paused = new Set<string>();
  #sources: SinkSource[] = [];
  #admin: KafkaAdmin | undefined;
  #membership: GroupMembership | undefined;
  #polling: Promise<void> = Promise.resolve();
  #rows = 0;

  constructor(options: SinkRunnerOptions) {
    const { stage, client, logger } = options;
    this.#options = options;
    this.#limits = { ...DEFAULT_SINK_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#trouble = new SinkTrouble(stage.name, this.#clock, logger, options.random ?? Math.random);
    this.#deadLetters = new SinkDeadLetters(client, stage.name);
  }

  get topics(): readonly string[] {
    return this.#options.stage.topics.map(({ name }) => name);
  }

  async start(): Promise<void> {
    const { client, stage } = this.#options;
    const admin = await this.#until(() => client.admin());
    this.#admin = admin;
    await this.#until(() => stage.sink.open());
    await this.#until(() => this.#topicsExist());
    const partitions = Math.max(...stage.topics.map((topic) => topic.partitions));
    const deadLetters = {
      name: sinkDeadLetterTopicOf(stage.name),
      partitions,
      config: topicConfig('dlq', this.#options.topicLimits),
    };
    await this.#until(() => admin?.ensureTopics([deadLetters]) ?? Promise.resolve());
    this.#sources = (await this.#until(() => Promise.all(stage.topics.map((topic) => this.#source(topic))))) ?? [];
    const reader = await this.#until(() => client.reader({ committed: true, maxBytesPerPartition: 2 ** 20 }));
    if (reader === undefined) return;
    this.#polling = this.#poll(reader);
    await this.#join();
  }

  stats(): SinkStats {
    let rows = this.#rows;
    let lag = 0n;
    let lagMs = 0;
    const now = this.#clock.now();
    for (const task of this.#tasks.values()) {
      rows += task.rows;
      lag += task.lag ?? 0n;
      lagMs = Math.max(lagMs, now - (task.reached ?? now));
    }
    const { name } = this.#options.stage;
    const { waitingFor } = this.#trouble;
    return { name, rows, lagRecords: Number(lag), lagMs, partitions: this.#tasks.size, waitingFor };
  }

  written(): (TopicPartition & { readonly offset: bigint })[] {
    return [...this.#tasks.values()].flatMap(({ tp, written }) =>
      written === undefined ? [] : [{ ...tp, offset: written }],
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    const limit = new AbortController();
    const all = async (): Promise<void> => {
      const tasks = [...this.#tasks.values()].map((task) => task.stop());
      await this.#membership?.leave().catch(() => undefined);
      await Promise.all(tasks);
      await this.#polling;
      await this.#deadLetters.close().catch(() => undefined);
      await this.#admin?.close().catch(() => undefined);
      limit.abort();
    };
    await Promise.race([all(), this.#clock.sleep(STOP_MS, limit.signal)]);
  }

  /** Tries until it works; undefined when the runner is stopped meanwhile. */
  async #until<T>(work: () => Promise<T>): Promise<T | undefined> {
    const who = 'start';
    while (!this.#abort.signal.aborted) {
      try {
        const result = await work();
        this.#trouble.passed(who);
        return result;
      } catch (error) {
        if (error instanceof ConfigError) throw error;
        await this.#trouble.wait(who, error, this.#abort.signal);
      }
    }
    return undefined;
  }

  async #topicsExist(): Promise<void> {
    const { topics } = this.#options.stage;
    const names = topics.map((topic) => topic.name);
    const counts = (await this.#admin?.partitionCounts(names)) ?? new Map<string, number>();
    const missing = names.filter((name) => !counts.has(name));
    if (missing.length === 0) return;
    throw new RetriableError('SLC_SINK_TOPIC', `topics that do not exist yet: ${missing.join(', ')}`, {
      hint: 'the stages that write them make them: start them',
    });
  }

  async #source(topic: SinkTopic): Promise<SinkSource> {
    const { serdes } = this.#options;
    const use = { write: false };
    const keySerde: Serde<unknown> =
      topic.key === 'text' ? textSerde : await serdes.open(`${topic.name}-key`, topic.key, use);
    return { topic: topic.name, keySerde, valueSerde: await serdes.open(`${topic.name}-value`, topic.value, use) };
  }

  async #join(): Promise<void> {
    const { client, app, stage } = this.#options;
    this.#membership = await this.#until(() =>
      client.join({
        group: `${app}.sink.${stage.name}`,
        topics: stage.topics.map((topic) => topic.name),
        epoch: stage.topics.map((topic) => `${topic.name}:${topic.partitions}`).join(),
        sessionTimeoutMs: this.#limits.sessionTimeoutMs,
        onAssigned: (partitions) => this.#assign(partitions),
        onLost: (lost) => void this.#joinAgain(lost),
      }),
    );
    if (this.#abort.signal.aborted) await this.#membership?.leave();
  }

  async #joinAgain(lost: Error): Promise<void> {
    const { logger, stage } = this.#options;
    if (this.#abort.signal.aborted) return;
    logger.warn({ stage: stage.name, reason: lost.message }, 'the group was lost; joining again');
    this.#assign([]);
    await this.#join().catch((error: unknown) => {
      logger.error({ stage: stage.name, reason: String(error) }, 'joining again failed: the sink stands still');
    });
  }

  /** Partitions kept go on as they are: their claim says whether anybody had them meanwhile. */
  #assign(partitions: readonly number[]): void {
    for (const [key, task] of this.#tasks) {
      if (partitions.includes(task.tp.partition)) continue;
      this.#tasks.delete(key);
      // Its last write may still count.
      const before = task.rows;
      this.#rows += before;
      void task.stop().then(() => (this.#rows += task.rows - before));
    }
    if (this.#abort.signal.aborted) return;
    for (const [index, source] of this.#sources.entries()) {
      const count = this.#options.stage.topics[index]?.partitions ?? 0;
      for (const partition of partitions) {
        const key = keyOf({ topic: source.topic, partition });
        if (partition >= count || this.#tasks.has(key)) continue;
        const task = new SinkTask(this.#context(), source, partition);
        this.#tasks.set(key, task);
        task.start();
      }
    }
  }

  #context(): SinkTaskContext {
    return {
      sink: this.#options.stage.sink,
      clock: this.#clock,
      limits: this.#limits,
      deadLetters: this.#deadLetters,
      trouble: this.#trouble,
      range: async (partition) => {
        const [range] = (await this.#admin?.offsets([partition], { committed: true })) ?? [];
        if (range === undefined) throw new InvariantError('SLC_BUG_SINK_RANGE', `no offsets of ${keyOf(partition)}`);
        return range;
      },
      read: (partition, offset, begin) => {
        this.#commands.push((reader) => {
          reader.seek(partition, offset);
          reader.resume(partition);
          this.#paused.delete(keyOf(partition));
          this.#reading.add(keyOf(partition));
          begin();
        });
      },
      remove: (partition) => {
        this.#commands.push((reader) => {
          if (this.#reading.delete(keyOf(partition))) reader.remove(partition);
          this.#paused.delete(keyOf(partition));
        });
      },
    };
  }

  async #poll(reader: KafkaReader): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const commands = this.#commands;
      this.#commands = [];
      for (const command of commands) command(reader);
      this.#regulate(reader);
      if (this.#reading.size === 0) {
        await this.#clock.sleep(POLL_MS / 4, signal);
        continue;
      }
      try {
        for (const fetched of await reader.poll(POLL_MS)) this.#tasks.get(keyOf(fetched))?.offer(fetched);
        this.#trouble.passed('reader');
      } catch (error) {
        // Everything but an absent broker needs new positions: each task takes its own from the target.
        if (!(error instanceof RetriableError)) {
          for (const task of this.#tasks.values())
            task.interrupt(error instanceof Error ? error : new Error(String(error)));
        }
        await this.#trouble.wait('reader', error, signal);
      }
    }
    await reader.close().catch(() => undefined);
  }

  /** Back pressure: a partition whose queue is above its budget is not read until half of it has been written. */
  #regulate(reader: KafkaReader): void {
    const { maxQueuedBytes } = this.#limits;
    for (const key of this.#reading) {
      const task = this.#tasks.get(key);
      if (task === undefined) continue;
      if (!this.#paused.has(key) && task.queuedBytes > maxQueuedBytes) {
        this.#paused.add(key);
        reader.pause(task.tp);
      } else if (this.#paused.has(key) && task.queuedBytes <= maxQueuedBytes / 2) {
        this.#paused.delete(key);
        reader.resume(task.tp);
      }
    }
  }
}
