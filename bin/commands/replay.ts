/** `sluice replay`: a batch is a replay of topics through the same stages, beside live. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  ConfigError,
  createKafkaClient,
  type KafkaAdmin,
  type KafkaClient,
  planToText,
  PlanStore,
  replayNameOf,
  type ReplayConfig,
  type ReplayPlan,
  type ReplayRun,
  type SerdeFactory,
  SluiceError,
  startReplay,
  type Topology,
} from '#topology';
import { schemas } from '#schemas';
import { createAvroSerdes } from '../../connectors/avro/index.ts';
import { findInstallation } from '../../dev/inspect/installation.ts';
import { eraseInReplay } from '../../dev/erase/erase-replay.ts';
import { confirmed } from '../confirmed.ts';
import { openAdmin } from '../reachable.ts';
import { maxSkew, required, topicLimits } from '../environment.ts';
import { erasableTopics } from './erase.ts';
import { dropReplay, topicsOfReplay, writtenTopics } from '../replay/drop.ts';
import { requestOf } from '../replay/options.ts';
import { type ProgressLine, ProgressMeter, progressText } from '../replay/progress.ts';
import { startInWorkers, workOn } from '../replay/workers.ts';
import { workerCount } from '../workers/worker-count.ts';
import { type ReplayTargets, ReplaySinks } from '../replay/sinks.ts';
import { shopProject } from '../project.ts';
import { type RoleLogger, roleLogger } from '../role-logger.ts';

export const help = `sluice replay <stage[,stage]|all> --into NAME [--from TIME|OFFSET|earliest] [--to TIME|OFFSET|now] [--workers N] [--app NAME] [--json] [--dir FOLDER]
  Runs stages again over what they have read, beside live: topics <topic>.NAME, tables <schema>_NAME.<table> (SLUICE_POSTGRES), files below
  <lake>/replays/NAME (SLUICE_LAKE). Ends when all is out. After Ctrl-C or a kill, the same command goes on. --workers N: in N processes.
  Who was erased in live (sluice erase) is erased from it at its end; SLUICE_ERASURE_KEY as there.
sluice replay --list            the replays that there are
sluice replay --drop NAME       removes all that a replay has made, after asking; --yes: without
  FOLDER (.sluice/replays): plans and certificates. sluice verify --replay NAME compares with live.`;

const ROOT = join(import.meta.dirname, '..', '..');
const PROGRESS_MS = 1_000;
/** A killed process gives its slots back after this. */
const SESSION_MS = 6_000;
/** To find the rows of who was erased. */
const ERASE_MS = 10 * 60_000;
const STOPPED = 1;

/** What it tells: a line each. */
type Line = ProgressLine | { readonly type: string; readonly [field: string]: unknown };

interface Context {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly live: Topology;
  readonly logger: RoleLogger;
  /** '' when there is none. */
  readonly registry: string;
  readonly targets: ReplayTargets;
  readonly folder: string;
  readonly json: boolean;
}

export async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      app: { type: 'string', default: 'shop' },
      from: { type: 'string', default: 'earliest' },
      to: { type: 'string', default: 'now' },
      into: { type: 'string' },
      dir: { type: 'string', default: join(ROOT, '.sluice', 'replays') },
      list: { type: 'boolean', default: false },
      drop: { type: 'string' },
      workers: { type: 'string' },
      yes: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const { kafka, registry = '', postgres = '', lake = '' } = findInstallation(process.env);
  const logger = roleLogger('replay', { level: 'warn', output: 2 });
  const brokers = kafka.split(',');
  const client = createKafkaClient({ brokers, clientId: `${values.app}-replay`, logger });
  const admin = await openAdmin(client, brokers);
  const live = shopProject(values.app);
  const context = {
    client,
    admin,
    live,
    logger,
    registry,
    targets: { postgres, lake },
    folder: values.dir,
    json: values.json,
  };
  try {
    if (values.list) return await list(context);
    if (values.drop !== undefined) return await drop(context, values.drop, values.yes);
    const [stage, ...more] = positionals;
    if (stage === undefined || more.length > 0 || values.into === undefined) {
      throw new ConfigError('SLC_CONFIG_OPTION', 'which stage, and under which name?', {
        hint: 'as in: sluice replay all --into v2',
      });
    }
    return await replay(context, stage, { ...values, into: values.into });
  } finally {
    await admin.close().catch(() => undefined);
    await client.close().catch(() => undefined);
  }
}

async function list({ client, admin, live, json }: Context): Promise<number> {
  const plans = [...(await new PlanStore(client, admin, live.app).read()).values()];
  if (plans.length === 0 && !json) console.log('there is no replay');
  for (const { id, request, createdAt, finishedAt } of plans) {
    const [began, ended] = [createdAt, finishedAt].map((at) => (at === null ? null : new Date(at).toISOString()));
    if (json) console.log(JSON.stringify({ id, request, frozenAt: began, finishedAt: ended }));
    else console.log(`${id}  ${request}  frozen ${began}  ${ended === null ? 'not finished' : `finished ${ended}`}`);
  }
  return 0;
}

async function drop(context: Context, id: string, isSure: boolean): Promise<number> {
  const { client, admin, live } = context;
  const plan = (await new PlanStore(client, admin, live.app).read()).get(id);
  if (plan === undefined) {
    throw new SluiceError('SLC_REPLAY_UNKNOWN', `there is no replay ${id}`, {
      hint: 'sluice replay --list shows them',
    });
  }
  const topics = await topicsOfReplay({ admin, live, plan });
  if (!isSure && !(await confirmed(`Remove replay ${id}: ${topics.length} topics, its tables and files? [y/N] `))) {
    console.log(`nothing removed${process.stdin.isTTY ? '' : ': nobody to ask here; --yes removes without'}`);
    return STOPPED;
  }
  await dropReplay({ ...context, plan });
  console.log(`replay ${id} is gone: ${topics.length} topics, its tables and files`);
  return 0;
}

async function replay(
  context: Context,
  stage: string,
  options: { from: string; to: string; into: string; app: string; workers?: string | undefined },
): Promise<number> {
  const { client, admin, live, logger, registry, targets } = context;
  const request = requestOf(stage, options);
  const serdes = createAvroSerdes({ registryUrl: registry === '' ? required('SLUICE_REGISTRY') : registry });
  const stop = stopSignal();
  const topics = topicLimits();
  const config: ReplayConfig = {
    client,
    live,
    request,
    serdes,
    logger,
    topicLimits: topics,
    sessionTimeoutMs: SESSION_MS,
    options: { maxSkewMs: maxSkew() },
    onFatal: (error) => end(logger, error),
  };
  if (process.env['SLUICE_WORKER'] !== undefined) return await workOn(config, stop);
  const { from, to, into, app, workers } = options;
  const args = ['replay', stage, '--into', into, '--from', from, '--to', to, '--app', app];
  const starting = workers === undefined ? startReplay(config) : startInWorkers(config, workerCount(workers), args);
  const run = await Promise.race([starting, onAbort(stop)]);
  if (run === false) return STOPPED;
  await keepPlan(context, run.plan);
  const written = writtenTopics(live, run.plan);
  const sinks = new ReplaySinks(
    { client, admin, serdes, logger, topicLimits: topics },
    run.plan,
    new Set(written),
    targets,
  );
  const carrying = sinks.start();
  const meter = new ProgressMeter();
  const began = performance.now();
  meter.take(run.progress(), Date.now());
  tell(context, { type: 'started', id: request.id, request: run.plan.request, total: run.progress().total });
  const timer = setInterval(() => tell(context, meter.take(run.progress(), Date.now())), PROGRESS_MS);
  try {
    const isDone = await Promise.race([run.done, onAbort(stop)]);
    if (!isDone) return await interrupted(context, run);
    tell(context, meter.take(run.progress(), Date.now()));
    await eraseAgain(context, run.plan, serdes);
    await Promise.race([carrying, onAbort(stop)]);
    if (!(await sinks.done(partitionsOf(live, written, request.id), stop))) return await interrupted(context, run);
    await keepPlan(context, run.plan);
    const { processed } = run.progress();
    const seconds = (performance.now() - began) / 1_000;
    const rate = Math.round(processed / seconds);
    tell(context, {
      type: 'done',
      id: request.id,
      processed,
      seconds: Number(seconds.toFixed(1)),
      recordsPerSecond: rate,
    });
    return 0;
  } finally {
    clearInterval(timer);
    await Promise.all([run.stop(), sinks.stop()]);
  }
}

/** What bronze still has of users who were erased has come out again. */
async function eraseAgain(context: Context, plan: ReplayPlan, serdes: SerdeFactory): Promise<void> {
  const { client, admin } = context;
  const secret = process.env['SLUICE_ERASURE_KEY'] ?? '';
  const deadline = Date.now() + ERASE_MS;
  const topics = erasableTopics();
  const keys = await eraseInReplay({ client, admin, serdes, schemas, plan, topics, secret, deadline });
  if (keys > 0) tell(context, { type: 'erased', id: plan.id, keys });
}

async function interrupted(context: Context, run: ReplayRun): Promise<number> {
  await run.stop();
  tell(context, { type: 'stopped', id: run.plan.id, hint: 'the same command goes on from here' });
  return STOPPED;
}

/** A copy for people; the one that counts is in Kafka. */
async function keepPlan({ folder }: Context, plan: ReplayPlan): Promise<void> {
  await mkdir(join(folder, plan.id), { recursive: true });
  await writeFile(join(folder, plan.id, 'plan.json'), `${planToText(plan)}\n`);
}

function tell({ json }: Context, line: Line): void {
  process.send?.({ ...line });
  if (json) console.log(JSON.stringify(line));
  else console.log(textOf(line));
}

function textOf(line: Line): string {
  if (isProgress(line)) return progressText(line);
  const { type, ...rest } = line;
  return `replay ${type}: ${Object.entries(rest)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ')}`;
}

function isProgress(line: Line): line is ProgressLine {
  return line.type === 'progress';
}

function partitionsOf(live: Topology, written: readonly string[], id: string): { topic: string; partition: number }[] {
  const sinks = live.subTopologies.flatMap((sub) =>
    sub.sinks.map(({ topic }) => [topic.name, topic.partitions] as const),
  );
  const counts = new Map(sinks);
  return written.flatMap((topic) =>
    Array.from({ length: counts.get(topic) ?? 0 }, (_, partition) => ({ topic: replayNameOf(topic, id), partition })),
  );
}

function stopSignal(): AbortSignal {
  const abort = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => abort.abort());
  return abort.signal;
}

function onAbort(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    signal.addEventListener('abort', () => resolve(false), { once: true });
  });
}

/** What is processed but not committed must stay so: no orderly stop. */
function end(logger: RoleLogger, error: Error): never {
  const { code, hint } = error instanceof SluiceError ? error : { code: 'SLC_BUG', hint: undefined };
  logger.fatal({ code, hint, err: error }, error.message);
  process.exit(1);
}
