/** Role `sluice dashboard`: a page that shows what runs. */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { ConfigError, type Logger } from '#topology';
import { createWarehouseProbe, type Dashboard, shopViews, startDashboard } from '../../dashboard/index.ts';
import { topologyJson } from '../../dev/inspect/describe.ts';
import { findInstallation, type Installation } from '../../dev/inspect/installation.ts';
import { postHogTopics } from '../../processors/sinks/posthog.ts';
import {
  KafkaConnection,
  shopTopology,
  type ShownSink,
  sinksProbe,
  streamsProbe,
  topologyOf,
} from '../dashboard/streams.ts';
import { dashboardHealth, dashboardMetrics, tellMetrics } from '../role-metrics.ts';
import { sinkTargets } from '../sink-targets.ts';

export const help = `sluice dashboard [--port N] [--app NAME]
  A page on 127.0.0.1:N (SLUICE_DASHBOARD_PORT, 9080; 0 or one that is taken: any free one; SLUICE_DASHBOARD_HOST): the topology with live rates, lag,
  watermarks and who holds them back, late records and dead letters, the gold tables. It reads Kafka, PostgreSQL and the lake, and changes nothing.
  Shows what npm start runs in this clone, or what SLUICE_KAFKA (and SLUICE_POSTGRES, SLUICE_LAKE, SLUICE_POSTHOG_KEY) name. Stop it with SIGTERM.`;

const DEFAULT_PORT = '9080';

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { port: { type: 'string' }, app: { type: 'string', default: 'shop' } },
  });
  const port = portOf(values.port ?? (process.env['SLUICE_DASHBOARD_PORT'] || DEFAULT_PORT));
  const installation = findInstallation(process.env);
  const logger = pino({ name: 'dashboard', level: process.env['SLUICE_LOG'] ?? 'info' });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  const dashboard = await start(values.app, installation, port, logger);
  const metrics = await tellMetrics({
    metrics: () => dashboardMetrics(dashboard.parts(), dashboard.clients()),
    health: () => dashboardHealth(dashboard.parts()),
  });
  logger.info({ url: dashboard.url, looksInto: installation.from }, 'the dashboard listens');
  if (process.send === undefined) process.stdout.write(`dashboard: ${dashboard.url}\n`);
  process.send?.({ type: 'ready', address: dashboard.url });
  await stopped;
  await metrics?.close();
  await dashboard.stop();
  return 0;
}

async function start(app: string, installation: Installation, port: number, logger: Logger): Promise<Dashboard> {
  const brokers = installation.kafka.split(',');
  // What the driver says of a broker that is away is said by the page.
  const quiet = pino({ level: 'silent' });
  const shop = shopTopology(app);
  const sinks = sinksOf(app, installation);
  const topology = topologyOf(shop.topology, shop.catalogue, sinks);
  const { postgres } = installation;
  return await startDashboard({
    topology,
    description: topologyJson(shop.topology, undefined),
    probes: {
      streams: streamsProbe(new KafkaConnection(brokers, quiet), shop, topology),
      sinks: sinks.length === 0 ? undefined : sinksProbe(new KafkaConnection(brokers, quiet), app, sinks),
      gold: postgres === undefined ? undefined : createWarehouseProbe({ connectionString: postgres, views: shopViews }),
    },
    host: process.env['SLUICE_DASHBOARD_HOST'] || '127.0.0.1',
    port,
    names: (process.env['SLUICE_DASHBOARD_NAMES'] ?? '').split(',').filter((name) => name !== ''),
    logger,
  });
}

function sinksOf(app: string, installation: Installation): ShownSink[] {
  const targets = sinkTargets(installation, app).map((target): ShownSink => ({ ...target, target }));
  if ((process.env['SLUICE_POSTHOG_KEY'] ?? '') === '') return targets;
  const postHog = { name: 'posthog', topics: postHogTopics, target: undefined };
  return [...targets, postHog];
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (port <= 65_535) return port;
  throw new ConfigError('SLC_CONFIG_OPTION', `the dashboard's port ${JSON.stringify(text)} is none`, {
    hint: '--port or SLUICE_DASHBOARD_PORT: a number from 1 to 65535, or 0 for any free one',
  });
}
