/** Role `sluice run`: the stages of the shop, as one application in one or more processes. Start it on more machines to share the slots. */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  applicationsOf,
  ConfigError,
  createKafkaClient,
  SluiceError,
  startStreamApp,
  type StreamApp,
  type Topology,
  TopologyError,
} from '#topology';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { boundGarbage } from '../garbage.ts';
import { maxSkew, persistentState, required, standbyCount, topicLimits } from '../environment.ts';
import { stageHealth, stageMetrics, tellMetrics } from '../role-metrics.ts';
import { workerCount } from '../workers/worker-count.ts';
import { WorkerPool } from '../workers/worker-pool.ts';
import { shopApplication, shopProject } from '../project.ts';
import { type RoleLogger, roleLogger } from '../role-logger.ts';

export const help = `sluice run [--app NAME] [--only STAGES] [--workers N] [--standby N] [--max-skew SPAN]
  Runs the stages: reads and writes Kafka (SLUICE_KAFKA), registers schemas (SLUICE_REGISTRY). Stop it with SIGTERM.
  SLUICE_STATE_DIR: state may be larger than memory (SLUICE_STATE_BUDGET, 256MB by default), and a restart reads changelogs from a checkpoint on.
  SLUICE_METRICS_PORT: GET /metrics, /healthz, /readyz there; of several workers each has the next port.
  --only A,B: the application NAME.<name> that SLUICE_APPS="<name>=A,B;..." declares for just these stages (or --only <name>); without, what is left.
  --workers N: N processes that share the slots; one that dies is started again. On several machines: the same command on each.
  --standby N (SLUICE_STANDBY): N more processes keep the state of each slot (on disk: those of other machines), so that one that dies is replaced soon.
  --max-skew SPAN (SLUICE_MAX_SKEW): a partition waits when it is further ahead, in event time, of one that has unread records; 1d by default, or off.`;

const STATS_MS = 2_000;
/** Less than those who wait for it have: what is not committed then is done again by whoever has the slot next. */
const STOP_MS = 8_000;
const SAME_PRESS_MS = 500;
const EXIT = { ok: 0, failed: 1, refused: 2, forced: 130 } as const;
const MAIN = join(import.meta.dirname, '..', 'main.ts');

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      app: { type: 'string', default: 'shop' },
      only: { type: 'string' },
      workers: { type: 'string' },
      standby: { type: 'string' },
      'max-skew': { type: 'string' },
    },
  });
  const options = { standby: standbyCount(values.standby), maxSkewMs: maxSkew(values['max-skew']) };
  const worker = Number(process.env['SLUICE_WORKER'] ?? '');
  const logger = roleLogger('run', worker > 0 ? { base: { worker } } : {});
  const project = shopProject(values.app);
  const topology = shopApplication(project, values.only);
  tellOthers(project, topology, logger);
  if (values.workers === undefined) return await runStages(topology, options, logger);
  const count = workerCount(values.workers);
  const partitions = Math.max(...topology.subTopologies.map((sub) => sub.partitions));
  if (count > partitions) {
    logger.warn({ partitions }, `${count} workers, but ${partitions} partitions: ${count - partitions} will be idle`);
  }
  const skew = values['max-skew'] === undefined ? [] : ['--max-skew', values['max-skew']];
  const only = values.only === undefined ? [] : ['--only', values.only];
  const workerArgs = ['--app', values.app, ...only, '--standby', String(options.standby), ...skew];
  return await superviseWorkers(workerArgs, count, logger);
}

/** Whoever starts one application of several is told what it does not run. */
function tellOthers(project: Topology, { app }: Topology, logger: RoleLogger): void {
  const others = applicationsOf(project).filter((each) => each !== app);
  if (others.length > 0)
    logger.info({ app, others }, `${app} is one of several applications; ${others.join(', ')} run the other stages`);
}

/** The first signal ends the workers in order, the second at once. */
async function superviseWorkers(args: readonly string[], count: number, logger: RoleLogger): Promise<number> {
  const pool = new WorkerPool({
    count,
    file: MAIN,
    args: ['run', ...args],
    logger,
    onReady: () => process.send?.({ type: 'ready' }),
    onStats: (stats) => process.send?.({ type: 'stats', ...stats }),
  });
  let pressedAt: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // One Ctrl-C may come twice: from the terminal and from npm.
      if (pressedAt !== undefined && performance.now() - pressedAt < SAME_PRESS_MS) return;
      if (pressedAt === undefined) pool.stop();
      else {
        pool.kill();
        process.exit(EXIT.forced);
      }
      pressedAt = performance.now();
    });
  }
  logger.info({ workers: count }, `${count} workers`);
  return await pool.run();
}

interface Options {
  readonly standby: number;
  readonly maxSkewMs: number;
}

async function runStages(topology: Topology, options: Options, logger: RoleLogger): Promise<number> {
  const { standby, maxSkewMs } = options;
  const brokers = required('SLUICE_KAFKA').split(',');
  const registryUrl = required('SLUICE_REGISTRY');
  const state = persistentState();
  if (state !== undefined) boundGarbage();
  const client = createKafkaClient({ brokers, clientId: `${topology.app}-run`, logger });
  const serdes = createAvroSerdes({ registryUrl });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });
  let running: StreamApp | undefined;
  const metrics = await tellMetrics({
    metrics: () => stageMetrics(running?.stats()),
    health: () => stageHealth(running?.stats()),
  });
  const starting = startStreamApp({
    client,
    topology,
    serdes,
    logger,
    topicLimits: topicLimits(),
    ...(state !== undefined && { state }),
    standby,
    options: { maxSkewMs },
    onFatal: (error) => end(logger, error),
  });
  const app = await Promise.race([starting, stopped.then(() => undefined)]);
  if (app === undefined) {
    // It waits for the broker or the registry: nothing is processed yet.
    starting.catch(() => undefined);
    await metrics?.close();
    return EXIT.ok;
  }
  running = app;
  process.send?.({ type: 'ready' });
  logger.info({ epoch: topology.epoch }, 'running');
  const timer = setInterval(() => process.send?.({ type: 'stats', ...app.stats() }), STATS_MS);
  await stopped;
  clearInterval(timer);
  await metrics?.close();
  const inTime = await within(STOP_MS, stop(app, client));
  if (!inTime) logger.warn(`not stopped within ${STOP_MS / 1_000} s; what is not committed will be done again`);
  return EXIT.ok;
}

async function stop(app: StreamApp, client: { close(): Promise<void> }): Promise<void> {
  await app.stop();
  await client.close();
}

async function within(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is processed but not committed must stay so: no orderly stop. */
function end(logger: RoleLogger, error: Error): never {
  const { code, hint } = error instanceof SluiceError ? error : { code: 'SLC_BUG', hint: undefined };
  logger.fatal({ code, hint, err: error }, error.message);
  // What a person must mend is the same for the next process: it is not started again.
  process.exit(error instanceof ConfigError || error instanceof TopologyError ? EXIT.refused : EXIT.failed);
}
