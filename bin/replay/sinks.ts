/** Where a replay's outputs go besides Kafka: tables of shadow schemas, a lake of its own below the live one. PostHog hears nothing of a replay. */
import { join } from 'node:path';
import {
  createSinkRunner,
  InvariantError,
  type KafkaAdmin,
  type KafkaClient,
  type Logger,
  replayAppOf,
  replayNameOf,
  type ReplayPlan,
  type SerdeFactory,
  type Sink,
  type SinkRunner,
  type SinkRunnerLimits,
  type TopicLimits,
} from '#topology';
import { createParquetSink } from '../../connectors/parquet/index.ts';
import { createPostgresSink } from '../../connectors/postgres/sink.ts';
import { lakeTopics } from '../../processors/sinks/lake.ts';
import { warehouseTopics } from '../../processors/sinks/warehouse.ts';

/** Addresses; '' for a target that is not there. */
export interface ReplayTargets {
  readonly postgres: string;
  readonly lake: string;
}

/** A topic of the live application that a sink carries. */
type CarriedTopic = (typeof warehouseTopics)[number] | (typeof lakeTopics)['silver' | 'gold'][number];

const WAREHOUSE_LIMITS: Partial<SinkRunnerLimits> = { positionMs: 300 };
/** As those of `sluice sinks`: a file per partition, hour and write. */
const LAKE_LIMITS: Partial<SinkRunnerLimits> = { maxRecords: 20_000, lingerMs: 1_000, positionMs: 500 };
const POLL_MS = 200;

/** The shadow of table gold.x of replay v2 is gold_v2.x. */
export function shadowTable(topic: string, id: string): { schema: string; name: string } {
  const [schema = 'public', name = topic] = topic.split('.', 2);
  return { schema: `${schema}_${id}`, name };
}

/** The folder of a replay's lake. */
export const shadowLake = (lake: string, id: string): string => join(lake, 'replays', id);

/** Names of the sink stages of a replay. */
export const sinkStagesOf = (id: string): string[] => [`warehouse.${id}`, `lake.${id}`];

/** Live names of the tables that a replay of these topics writes. */
export function shadowTopics(written: ReadonlySet<string>): string[] {
  return warehouseTopics.map(({ name }) => name).filter((name) => written.has(name));
}

/** The sinks of one replay, while it runs. */
export class ReplaySinks {
  readonly #runners: SinkRunner[] = [];
  readonly #sinks: Sink[] = [];
  readonly #admin: KafkaAdmin;

  constructor(
    options: {
      readonly client: KafkaClient;
      readonly admin: KafkaAdmin;
      readonly serdes: SerdeFactory;
      readonly logger: Logger;
      readonly topicLimits: TopicLimits;
    },
    plan: ReplayPlan,
    written: ReadonlySet<string>,
    targets: ReplayTargets,
  ) {
    this.#admin = options.admin;
    const { id } = plan;
    const app = replayAppOf(plan.app, id);
    const [warehouseName = '', lakeName = ''] = sinkStagesOf(id);
    const add = (
      name: string,
      topics: readonly CarriedTopic[],
      sink: Sink,
      limits: Partial<SinkRunnerLimits>,
    ): void => {
      const renamed = topics.map((topic) => ({ ...topic, name: replayNameOf(topic.name, id) }));
      this.#sinks.push(sink);
      this.#runners.push(createSinkRunner({ ...options, app, stage: { name, topics: renamed, sink }, limits }));
    };
    const tables = warehouseTopics.filter(({ name }) => written.has(name));
    if (targets.postgres !== '' && tables.length > 0)
      add(warehouseName, tables, warehouse(app, id, tables, targets.postgres, options.logger), WAREHOUSE_LIMITS);
    const files = [...lakeTopics.silver, ...lakeTopics.gold].filter(({ name }) => written.has(name));
    if (targets.lake !== '' && files.length > 0)
      add(lakeName, files, lake(id, files, targets.lake, options.logger), LAKE_LIMITS);
  }

  async start(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.start()));
  }

  /** Resolves with true when the targets hold all that lies in the topics; with false when `signal` aborts before. */
  async done(
    partitions: readonly { readonly topic: string; readonly partition: number }[],
    signal: AbortSignal,
  ): Promise<boolean> {
    while (!signal.aborted) {
      if (await this.#holdAll(partitions)) return true;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return false;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#runners.map((runner) => runner.stop()));
    await Promise.all(this.#sinks.map((sink) => sink.close()));
  }

  /** Why a sink stands still, for people. */
  waitingFor(): string | undefined {
    return this.#runners.map((runner) => runner.stats().waitingFor).find((reason) => reason !== undefined);
  }

  async #holdAll(partitions: readonly { readonly topic: string; readonly partition: number }[]): Promise<boolean> {
    for (const runner of this.#runners) {
      const written = new Map(
        runner.written().map(({ topic, partition, offset }) => [`${topic}|${partition}`, offset]),
      );
      const carried = new Set(runner.topics);
      const mine = partitions.filter(({ topic }) => carried.has(topic));
      const ends = await this.#admin.offsets(mine, { committed: true });
      if (
        !mine.every(({ topic, partition }, i) => (written.get(`${topic}|${partition}`) ?? -1n) >= (ends[i]?.end ?? 0n))
      )
        return false;
    }
    return true;
  }
}

function warehouse(
  application: string,
  id: string,
  topics: readonly CarriedTopic[],
  connectionString: string,
  logger: Logger,
): Sink {
  const sources = new Map(
    topics.map(({ name, value }) => [
      replayNameOf(name, id),
      { schema: value.definition, table: shadowTable(name, id) },
    ]),
  );
  const schemaFor = (topic: string): { schema: unknown; table: { schema: string; name: string } } =>
    found(sources, topic);
  return createPostgresSink({ connectionString, application, topics: [...sources.keys()], schemaFor, logger });
}

function lake(id: string, topics: readonly CarriedTopic[], root: string, logger: Logger): Sink {
  const sources = new Map(
    topics.map(({ name, key, value }) => [
      replayNameOf(name, id),
      { schema: value.definition, key: key === 'text' ? ('text' as const) : key.definition },
    ]),
  );
  const schemaFor = (topic: string): { schema: unknown; key: unknown } => found(sources, topic);
  return createParquetSink({ root: shadowLake(root, id), topics: [...sources.keys()], schemaFor, logger });
}

function found<T>(sources: ReadonlyMap<string, T>, topic: string): T {
  const source = sources.get(topic);
  if (source !== undefined) return source;
  throw new InvariantError('SLC_BUG_REPLAY_SINK', `a sink asks for ${topic}, which it was not given`);
}
