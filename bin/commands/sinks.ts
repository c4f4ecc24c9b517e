/** Role `sluice sinks`: carries topics to their targets. Start it on more machines to share the partitions. */
import { parseArgs } from 'node:util';
import {
  checkSinks,
  ConfigError,
  createKafkaClient,
  createSinkPositions,
  createSinkRunner,
  type KafkaClient,
  type Logger,
  type Sink,
  type SinkRunner,
  type SinkRunnerLimits,
  type SinkStage,
} from '#topology';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { createParquetSink, type LakeSource, type ParquetWriterName } from '../../connectors/parquet/index.ts';
import { createPostHogSink } from '../../connectors/posthog/index.ts';
import { createPostgresSink, type TableSource } from '../../connectors/postgres/sink.ts';
import { lakeSinks, lakeTopics } from '../../processors/sinks/lake.ts';
import { postHogSink, postHogTopics, productEventOf } from '../../processors/sinks/posthog.ts';
import { warehouseSink, warehouseTopics } from '../../processors/sinks/warehouse.ts';
import { durationOf, required, topicLimits } from '../environment.ts';
import { sinkHealth, sinkMetrics, tellMetrics } from '../role-metrics.ts';
import { shopProject } from '../project.ts';
import { roleLogger } from '../role-logger.ts';

export const help = `sluice sinks [--app NAME]
  Writes silver and gold tables to PostgreSQL (SLUICE_POSTGRES) from Kafka (SLUICE_KAFKA, SLUICE_REGISTRY), exactly once.
  With SLUICE_LAKE, a folder: every record of bronze, silver and gold to Parquet files there, exactly once
  (SLUICE_LAKE_WRITER: hyparquet-writer, or parquetjs-lite for topics that it can hold; SLUICE_LAKE_LINGER: 8s, how long a file waits for more).
  With SLUICE_POSTHOG_KEY: app events and summaries to PostHog at SLUICE_POSTHOG_HOST (https://us.i.posthog.com), each at least once and merged there.
  SLUICE_METRICS_PORT: GET /metrics, /healthz, /readyz there. Stop it with SIGTERM.`;

/**
 * A write is a file per partition and hour of event time. So large ones, seldom: by size while there is much to catch up with, else by time
 * (docs/decisions/0005). A position that moved over markers only is worth an entry in the log once a minute.
 */
const LAKE_LIMITS: Partial<SinkRunnerLimits> = { maxRecords: 20_000, maxBytes: 4 * 2 ** 20, positionMs: 60_000 };
const LAKE_LINGER = '8s';
/** An event per record, a request per write. */
const POSTHOG_LIMITS: Partial<SinkRunnerLimits> = { maxRecords: 500, maxBytes: 2 ** 20, lingerMs: 500 };
const STATS_MS = 2_000;
/** The supervisor ends what has not ended 5 s after SIGTERM. */
const STOP_MS = 4_500;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { app: { type: 'string', default: 'shop' } } });
  const brokers = required('SLUICE_KAFKA').split(',');
  const registryUrl = required('SLUICE_REGISTRY');
  const logger = roleLogger('sinks');
  const warehouse = warehouseOf(values.app, required('SLUICE_POSTGRES'), logger);
  const client = createKafkaClient({ brokers, clientId: `${values.app}-sinks`, logger });
  const serdes = createAvroSerdes({ registryUrl });
  const lingerMs = durationOf('SLUICE_LAKE_LINGER', LAKE_LINGER);
  const lake = lakeOf(process.env['SLUICE_LAKE'] ?? '', logger);
  const postHog = postHogOf(values.app, client, logger);
  const runner = (stage: SinkStage, limits: Partial<SinkRunnerLimits> = {}): SinkRunner =>
    createSinkRunner({ client, app: values.app, stage, serdes, logger, limits, topicLimits: topicLimits() });
  const stages = {
    warehouse: [warehouseSink(warehouse)],
    lake: lake === undefined ? [] : lakeSinks(lake),
    postHog: postHog === undefined ? [] : [postHogSink(postHog)],
  };
  checkSinks(shopProject(values.app), Object.values(stages).flat());
  const runners = [
    ...stages.warehouse.map((stage) => runner(stage)),
    ...stages.lake.map((stage) => runner(stage, { ...LAKE_LIMITS, lingerMs })),
    ...stages.postHog.map((stage) => runner(stage, POSTHOG_LIMITS)),
  ];

  let isStarted = false;
  const metrics = await tellMetrics({
    metrics: () => sinkMetrics(runners.map((each) => each.stats())),
    health: () =>
      sinkHealth(
        runners.map((each) => each.stats()),
        isStarted,
      ),
  });
  const stopped = onStop();
  const timer = setInterval(() => process.send?.({ type: 'stats', sinks: statsOf(runners) }), STATS_MS);
  const started = Promise.all(runners.map((runner) => runner.start())).then(() => {
    isStarted = true;
    process.send?.({ type: 'ready' });
    logger.info({ sinks: runners.map((runner) => runner.stats().name) }, 'running');
    return stopped;
  });
  try {
    await Promise.race([started, stopped]);
  } finally {
    clearInterval(timer);
    await within(STOP_MS, async () => {
      await metrics?.close();
      await Promise.all(runners.map((runner) => runner.stop()));
      await Promise.all([warehouse.close(), lake?.close(), postHog?.close()]);
      await client.close().catch(() => undefined);
    });
    process.send?.({ type: 'stats', sinks: statsOf(runners) });
  }
  return 0;
}

/** silver.users goes to table silver.users. */
function warehouseOf(application: string, connectionString: string, logger: Logger): Sink {
  const tables = new Map<string, TableSource>(
    warehouseTopics.map((topic) => {
      const [schema = 'public', name = topic.name] = topic.name.split('.', 2);
      return [topic.name, { schema: topic.value.definition, table: { schema, name } }];
    }),
  );
  return createPostgresSink({
    connectionString,
    application,
    topics: [...tables.keys()],
    schemaFor(topic) {
      const table = tables.get(topic);
      if (table !== undefined) return table;
      throw new ConfigError('SLC_CONFIG_POSTGRES', `topic ${topic} has no table`, { where: topic });
    },
    logger,
  });
}

/** None without a folder. */
function lakeOf(root: string, logger: Logger): Sink | undefined {
  if (root === '') return undefined;
  const sources = new Map<string, LakeSource>(
    Object.values(lakeTopics)
      .flat()
      .map((topic) => [
        topic.name,
        { schema: topic.value.definition, key: topic.key === 'text' ? 'text' : topic.key.definition },
      ]),
  );
  const writer = process.env['SLUICE_LAKE_WRITER'] ?? '';
  return createParquetSink({
    root,
    topics: [...sources.keys()],
    schemaFor(topic) {
      const source = sources.get(topic);
      if (source !== undefined) return source;
      throw new ConfigError('SLC_CONFIG_PARQUET', `topic ${topic} has no schema`, { where: topic });
    },
    logger,
    ...(writer !== '' && { writer: writer as ParquetWriterName }),
  });
}

/** None without a key. */
function postHogOf(app: string, client: KafkaClient, logger: Logger): Sink | undefined {
  const key = process.env['SLUICE_POSTHOG_KEY'] ?? '';
  if (key === '') return undefined;
  return createPostHogSink({
    host: process.env['SLUICE_POSTHOG_HOST'] || 'https://us.i.posthog.com',
    key,
    topics: postHogTopics.map((topic) => topic.name),
    eventOf: productEventOf,
    positions: createSinkPositions({ client, app, stage: 'posthog' }),
    logger,
  });
}

function statsOf(runners: readonly SinkRunner[]): object[] {
  return runners.map((runner) => runner.stats());
}

function onStop(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
}

async function within(ms: number, work: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work(), limit]);
  clearTimeout(timer);
}
