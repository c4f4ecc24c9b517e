/** `npm run bench`: Sluice and Kafka Streams on the same broker, in turn. */
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildTopology, ConfigError, createKafkaClient, type SerdeFactory, startStreamApp } from '#topology';
import { MemoryRegistry, testSerdes } from '../../connectors/avro/testing.ts';
import { bench, type WorkloadName, WORKLOADS } from '../../dev/bench/bench.ts';
import { benchOperators, operatorTable } from '../../dev/bench/operators.ts';
import { tableOf } from '../../dev/bench/report.ts';
import { benchRestore, type RestoreBenchOptions } from '../../dev/bench/restore.ts';
import { enrichedViews, itemViews } from '../../dev/bench/stages.ts';
import { countTopic, enrichedTopic, itemTopic, pageviewTopic, SCHEMAS } from '../../dev/bench/topics.ts';
import { required } from '../environment.ts';
import { roleLogger } from '../role-logger.ts';

export const help = `sluice bench [--workload R1,R2,R3,R3-eos] [--small] [--workers N] [--runs N] [--json FILE] [--no-peer]
  Runs Kafka Streams and Sluice in turn on the same topics of a broker of its own, checks every result, prints what they used. Exits 1 when a result
  is wrong. SLUICE_BENCH_NODE: flags for Sluice's Node, as in --cpu-prof. --small: 200,000 records in the place of 2,000,000. --no-peer: Sluice only. Needs Linux, Java 17 with javac, Maven.
sluice bench --operators [--only TEXT] [--records N] [--runs N]
  CPU time per record and operator through the whole engine, without a broker. --only: those whose name contains it.
sluice bench --restore [--records N] [--runs N]
  Restores the state of a slot with so many keys (1,000,000), and has a worker with a standby copy take over from one that is killed, on a broker of its own.`;

const root = dirname(dirname(import.meta.dirname));

export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    allowNegative: true,
    options: {
      workload: { type: 'string', default: Object.keys(WORKLOADS).join(',') },
      small: { type: 'boolean', default: false },
      workers: { type: 'string', default: '1' },
      runs: { type: 'string', default: '3' },
      json: { type: 'string' },
      peer: { type: 'boolean', default: true },
      operators: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      records: { type: 'string' },
      restore: { type: 'boolean', default: false },
      /** The process that is measured. */
      engine: { type: 'boolean', default: false },
    },
  });
  if (values.engine) return await engine();
  if (values.operators) {
    const sizes = { records: countOf('--records', values.records ?? '100000'), runs: countOf('--runs', values.runs) };
    const costs = await benchOperators({ ...sizes, only: values.only, serdes: fixedSerdes });
    process.stdout.write(operatorTable(costs));
    return 0;
  }
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => abort.abort());
  if (values.restore) {
    const keys = countOf('--records', values.records ?? '1000000');
    await benchRestore({ ...folders('bench-restore', abort.signal), keys, runs: countOf('--runs', values.runs) });
    return 0;
  }
  const node = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    ...(process.env['SLUICE_BENCH_NODE'] ?? '').split(' '),
  ];
  const report = await bench({
    workloads: workloadsOf(values.workload),
    dataset: values.small ? 'small' : 'full',
    workers: countOf('--workers', values.workers),
    runs: countOf('--runs', values.runs),
    sluice: [...node.filter((flag) => flag !== ''), join(root, 'bin', 'main.ts'), 'bench', '--engine'],
    peer: values.peer,
    ...folders('bench', abort.signal),
  });
  process.stdout.write(`\n${tableOf(report)}`);
  if (values.json !== undefined) {
    await mkdir(dirname(values.json), { recursive: true });
    await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  return Object.values(report.workloads).every(({ checksumOk }) => checksumOk) ? 0 : 1;
}

/** What a benchmark with a broker of its own needs. */
function folders(name: string, signal: AbortSignal): Omit<RestoreBenchOptions, 'keys' | 'runs'> {
  return {
    folder: join(root, '.sluice', name),
    cacheDir: join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice'),
    signal,
    progress: (text) => process.stderr.write(`${text}\n`),
  };
}

/** Sluice on a workload: the stages of dev/bench/stages.ts, all settings the defaults. Schemas have fixed ids, as the peer's have. */
async function engine(): Promise<number> {
  const app = required('APP_ID');
  const pageviews = pageviewTopic(required('INPUT'));
  const output = required('OUTPUT');
  const stage =
    required('WORKLOAD') === 'r1'
      ? itemViews(pageviews, countTopic(output))
      : enrichedViews(pageviews, itemTopic(required('ITEMS')), enrichedTopic(output));
  const logger = roleLogger('bench');
  const client = createKafkaClient({ brokers: [required('BOOTSTRAP')], clientId: app, logger });
  const stopped = new Promise<void>((resolve) => process.once('SIGTERM', () => resolve()));
  const running = await startStreamApp({
    client,
    topology: buildTopology([stage], { app }),
    serdes: await fixedSerdes(),
    logger,
    onFatal: (error) => {
      logger.fatal({ err: error }, error.message);
      process.exit(1);
    },
  });
  await stopped;
  logger.info(running.stats(), 'stops');
  await running.stop();
  await client.close();
  return 0;
}

/** Ids as in SCHEMA_IDS, and no registry to ask. */
async function fixedSerdes(): Promise<SerdeFactory> {
  const registry = new MemoryRegistry();
  for (const schema of SCHEMAS) await registry.register('', schema);
  return testSerdes(registry);
}

function workloadsOf(text: string): WorkloadName[] {
  return text.split(',').map((name) => {
    const known = (Object.keys(WORKLOADS) as WorkloadName[]).find((each) => each === name);
    if (known !== undefined) return known;
    throw new ConfigError('SLC_BENCH_OPTION', `there is no workload ${JSON.stringify(name)}`, {
      hint: `there are ${Object.keys(WORKLOADS).join(', ')}`,
    });
  });
}

function countOf(option: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 2_000_000) return count;
  throw new ConfigError('SLC_BENCH_OPTION', `${option} is no count from 1 to 2000000: ${JSON.stringify(text)}`);
}
