/** Role `sluice sources`: what comes in. Captures the shop's MySQL and collects app events over HTTP. */
import { parseArgs } from 'node:util';
import { ConfigError, ConnectorError, createKafkaClient, type Logger, type OriginClock } from '#topology';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { type ClockSource, createHttpCollector, type HttpCollector } from '../../connectors/http-events/index.ts';
import { createMysqlCdc, type MysqlCdc } from '../../connectors/mysql-cdc/index.ts';
import { topics } from '../../processors/topics.ts';
import { required, topicLimits } from '../environment.ts';
import { sourceHealth, sourceMetrics, type SourcesStats, tellMetrics } from '../role-metrics.ts';
import { roleLogger } from '../role-logger.ts';

export const help = `sluice sources [--only cdc|collector]
  Captures the shop's database (SLUICE_MYSQL) and takes app events on SLUICE_COLLECTOR_HOST:SLUICE_COLLECTOR_PORT (127.0.0.1:8080; port 0: any free
  one) into Kafka (SLUICE_KAFKA, SLUICE_REGISTRY). --only: one of the two. SLUICE_COLLECTOR_KEYS: keys that senders present, commas between (dev).
  SLUICE_CLOCK: wall or sender. SLUICE_CDC_SNAPSHOT=again takes a new snapshot of the database. SLUICE_METRICS_PORT: GET /metrics, /healthz,
  /readyz there. Stop it with SIGTERM.`;

const STATS_MS = 2_000;
/** The supervisor ends what has not ended 5 s after SIGTERM. */
const STOP_MS = 4_700;
const UNKNOWN_EVENTS = 'bronze.app.events.dlq';

/** A source that a person has to mend; the others go on. */
type Ended = Map<string, string>;

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { only: { type: 'string' } } });
  const { only } = values;
  if (only !== undefined && only !== 'cdc' && only !== 'collector') {
    throw new ConfigError('SLC_CONFIG_OPTION', `--only ${only}: cdc or collector`);
  }
  const logger = roleLogger('sources');
  const kafka = createKafkaClient({ brokers: required('SLUICE_KAFKA').split(','), clientId: 'sluice-sources', logger });
  const stopped = onStop();
  const ended: Ended = new Map();
  const broken = Promise.withResolvers<never>();
  const onFatal = (name: string) => (error: Error) => {
    if (error instanceof ConnectorError || error instanceof ConfigError) ended.set(name, `a person (${error.code})`);
    else broken.reject(error);
  };
  const collector = only === 'cdc' ? undefined : collectorOf(kafka, logger, onFatal('collector'));
  const cdc = only === 'collector' ? undefined : captureOf(kafka, logger, onFatal('cdc.shop'));
  const all = (): SourcesStats => ({ cdc: cdc?.stats(), collector: collector?.stats(), ended });
  let isStarted = false;
  const metrics = await tellMetrics({
    metrics: () => sourceMetrics(all()),
    health: () => sourceHealth(all(), isStarted),
  });
  const say = (): void => void process.send?.({ type: 'stats', sources: statsOf(cdc, collector, ended) });
  const timer = setInterval(say, STATS_MS);
  const running = Promise.all([collector?.start(), cdc?.start()]).then(() => {
    const address = collector === undefined ? undefined : `http://127.0.0.1:${collector.port ?? 0}`;
    isStarted = true;
    process.send?.({ type: 'ready', address });
    logger.info({ address }, 'running');
    return stopped;
  });
  try {
    await Promise.race([running, stopped, broken.promise]);
  } finally {
    clearInterval(timer);
    await within(STOP_MS, async () => {
      await metrics?.close();
      await Promise.all([collector?.stop(), cdc?.stop()]);
      await kafka.close();
    });
    say();
  }
  return 0;
}

function collectorOf(kafka: Kafka, logger: Logger, onFatal: (error: Error) => void): HttpCollector {
  const { app, ops } = topics.bronze;
  return createHttpCollector({
    kafka,
    serdes: createAvroSerdes({ registryUrl: required('SLUICE_REGISTRY') }),
    events: {
      pageview: app.pageviews,
      cart: app.cartEvents,
      registration: app.registrations,
      login: app.logins,
      purchase: app.purchaseEvents,
      recording: app.sessionRecordings,
      system_load: ops.systemLoad,
    },
    unknownEventsTopic: UNKNOWN_EVENTS,
    keys: (process.env['SLUICE_COLLECTOR_KEYS'] || 'dev').split(',').map((key) => key.trim()),
    host: process.env['SLUICE_COLLECTOR_HOST'] || '127.0.0.1',
    port: portOf(process.env['SLUICE_COLLECTOR_PORT'] || '8080'),
    clock: clockOf(process.env['SLUICE_CLOCK'] || 'wall'),
    topicLimits: topicLimits(),
    logger,
    onFatal,
  });
}

function captureOf(kafka: Kafka, logger: Logger, onFatal: (error: Error) => void): MysqlCdc {
  const { shop } = topics.bronze;
  const again = process.env['SLUICE_CDC_SNAPSHOT'] === 'again';
  return createMysqlCdc({
    mysqlUrl: required('SLUICE_MYSQL'),
    kafka,
    registryUrl: required('SLUICE_REGISTRY'),
    tables: Object.values(shop).map(({ name }) => name.slice('bronze.shop.'.length)),
    topicPrefix: 'bronze',
    topicLimits: topicLimits(),
    database: 'shop',
    name: 'cdc.shop',
    // One clock for all tables of a database: the slowest allows for the others.
    outOfOrdernessMs: Math.max(...Object.values(shop).map(({ origin }) => outOfOrdernessOf(origin))),
    ...(again && { snapshot: 'again' as const }),
    logger,
    onFatal,
  });
}

type Kafka = ReturnType<typeof createKafkaClient>;

function outOfOrdernessOf(origin: Pick<OriginClock<never>, 'outOfOrdernessMs'> | undefined): number {
  return origin?.outOfOrdernessMs ?? 0;
}

function statsOf(cdc: MysqlCdc | undefined, collector: HttpCollector | undefined, ended: Ended): object[] {
  const captured = cdc?.stats();
  const collected = collector?.stats();
  const stats: object[] = [];
  if (captured !== undefined) {
    const waitingFor = ended.get('cdc.shop') ?? captured.waitingFor;
    stats.push({ name: 'cdc.shop', records: captured.records, waitingFor });
  }
  if (collected !== undefined) {
    const records = Object.values(collected.accepted).reduce((sum, count) => sum + count, 0);
    stats.push({ name: 'collector', records, waitingFor: ended.get('collector') ?? collected.waitingFor });
  }
  return stats;
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new ConfigError('SLC_CONFIG_COLLECTOR', `SLUICE_COLLECTOR_PORT is ${JSON.stringify(text)}, which is no port`, {
    hint: 'a number from 1 to 65535, or 0 for any free port',
  });
}

function clockOf(text: string): ClockSource {
  if (text === 'wall' || text === 'sender') return text;
  throw new ConfigError('SLC_CONFIG_COLLECTOR', `SLUICE_CLOCK is ${JSON.stringify(text)}`, { hint: 'wall or sender' });
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
