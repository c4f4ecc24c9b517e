/** `npm run bench` and its like: Sluice and Kafka Streams on the same broker, in turn. */
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError } from '#topology';
import { bench, DEFAULT_WORKLOADS, type WorkloadName, WORKLOADS } from '../../dev/bench/bench.ts';
import { benchCompare } from '../../dev/bench/compare.ts';
import { compareTable } from '../../dev/bench/compare-report.ts';
import { benchGrowth } from '../../dev/bench/growth.ts';
import { growthTable } from '../../dev/bench/growth-report.ts';
import { benchLate } from '../../dev/bench/late.ts';
import { lateTable } from '../../dev/bench/late-report.ts';
import { benchLatency } from '../../dev/bench/latency.ts';
import { latencyTable } from '../../dev/bench/latency-report.ts';
import { benchOperators, operatorTable } from '../../dev/bench/operators.ts';
import { tableOf } from '../../dev/bench/report.ts';
import { benchRestore } from '../../dev/bench/restore.ts';
import { NODE_FLAGS } from '../../dev/supervisor/local-run.ts';
import { fixedSerdes, runEngine } from '../bench/engine.ts';

export const help = `sluice bench [--workload R1,R2,R3,R3-eos] [--small] [--workers N] [--runs N] [--json FILE] [--no-peer]
  Runs Kafka Streams and Sluice in turn on the same topics of a broker of its own, checks every result, prints what they used. A further workload, R3-as-of:
  Sluice's as-of join over a repartition topic beside the peer's join with a global table, which is less work. Exits 1 when a result
  is wrong. SLUICE_BENCH_NODE: flags for Sluice's Node, as in --cpu-prof. --small: 200,000 records in the place of 2,000,000. --no-peer: Sluice only. Needs Linux, Java 17 with javac, Maven.
sluice bench --latency [--small] [--runs N] [--json FILE] [--no-peer]
  5,000 records/s of R3 exactly-once, each from the moment it is due until a read_committed reader has it: p50, p99, max of both engines in turn.
  30 s after 10 s of warm-up; --small: 5 s after 3 s. Exits 1 when a row is missing or wrong.
sluice bench --late [--small] [--runs N] [--json FILE] [--no-peer]
  24 h of event time read back at once with a grace of 5 min in the windows: the share of the counts that each engine keeps. Exits 1 when Sluice keeps
  less than all, or when what Kafka Streams kept and what it says it dropped are not all that there was.
sluice bench --compare [--workload R2] [--small] [--workers N] [--runs N] [--json FILE] A B
  Two commits of this repository, in git worktrees, in turn on one workload: ratio of CPU and wall time with its spread. Exits 1 when a result is wrong.
sluice bench --growth [--only TEXT] [--small] [--runs N] [--json FILE]
  R2 with 10 x the keys, 10 x the records, 2 and 4 workers, 24 partitions: records per CPU-second and peak memory of each. --only: those whose name
  contains it, with the first. --small: from 20,000 records in the place of 2,000,000. Exits 1 when a result is wrong.
sluice bench --restore [--records N] [--runs N] [--json FILE]
  Restores the state of a slot with so many keys (1,000,000), and has a worker with a standby copy take over from one that is killed, on a broker of its own.
sluice bench --operators [--only TEXT] [--records N] [--runs N] [--json FILE]
  CPU time per record and operator through the whole engine, without a broker. --only: those whose name contains it.`;

const root = dirname(dirname(import.meta.dirname));
const MODES = ['latency', 'late', 'compare', 'growth', 'restore', 'operators'] as const;
/** Base of --growth. */
const GROWTH_RECORDS = { full: 2_000_000, small: 20_000 } as const;

/** What a benchmark ends with. */
interface Outcome {
  /** What --json writes. */
  readonly report: object;
  readonly table: string;
  readonly ok: boolean;
}

const parse = (args: string[]) =>
  parseArgs({
    args,
    allowNegative: true,
    allowPositionals: true,
    options: {
      workload: { type: 'string' },
      small: { type: 'boolean', default: false },
      workers: { type: 'string', default: '1' },
      runs: { type: 'string', default: '3' },
      json: { type: 'string' },
      peer: { type: 'boolean', default: true },
      latency: { type: 'boolean', default: false },
      late: { type: 'boolean', default: false },
      compare: { type: 'boolean', default: false },
      growth: { type: 'boolean', default: false },
      restore: { type: 'boolean', default: false },
      operators: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      records: { type: 'string' },
      /** The process that is measured. */
      engine: { type: 'boolean', default: false },
    },
  });
type Parsed = ReturnType<typeof parse>;

export async function run(args: string[]): Promise<number> {
  const parsed = parse(args);
  const { values } = parsed;
  if (values.engine) return await runEngine();
  const { report, table, ok } = await measured(parsed);
  process.stdout.write(`\n${table}`);
  if (values.json !== undefined) {
    await mkdir(dirname(values.json), { recursive: true });
    await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  return ok ? 0 : 1;
}

async function measured({ values, positionals }: Parsed): Promise<Outcome> {
  const modes = MODES.filter((mode) => values[mode]);
  if (modes.length > 1) throw refused(`--${modes.join(' and --')} are not for one run`);
  const [mode] = modes;
  const wanted = mode === 'compare' ? 2 : 0;
  if (positionals.length !== wanted) {
    throw refused(wanted === 2 ? '--compare takes two commits' : `${positionals.join(' ')} is not understood`);
  }
  const runs = countOf('--runs', values.runs);
  const dataset = values.small ? 'small' : 'full';
  const context = contextOf();
  if (mode === 'operators') return await operators(values, runs);
  if (mode === 'restore') {
    const keys = countOf('--records', values.records ?? '1000000');
    // It says what it finds as it goes.
    return { report: await benchRestore({ ...context, keys, runs }), table: '', ok: true };
  }
  if (mode === 'latency') {
    const report = await benchLatency({ ...context, small: values.small, runs, peer: values.peer });
    return { report, table: latencyTable(report), ok: report.checksumOk };
  }
  if (mode === 'late') {
    const report = await benchLate({ ...context, dataset, runs, peer: values.peer });
    return { report, table: lateTable(report), ok: report.checksumOk };
  }
  if (mode === 'growth') {
    const report = await benchGrowth({ ...context, records: GROWTH_RECORDS[dataset], runs, only: values.only });
    return { report, table: growthTable(report), ok: report.checksumOk };
  }
  const workers = countOf('--workers', values.workers);
  const workloads = workloadsOf(values.workload ?? (mode === 'compare' ? 'R2' : DEFAULT_WORKLOADS.join(',')));
  if (mode === 'compare') {
    const [workload = 'R2', ...more] = workloads;
    if (more.length > 0) throw refused('--compare takes one workload');
    const [a = '', b = ''] = positionals;
    const report = await benchCompare({ ...context, root, commits: [a, b], workload, dataset, workers, runs });
    return { report, table: compareTable(report), ok: report.checksumOk };
  }
  const report = await bench({ ...context, workloads, dataset, workers, runs, peer: values.peer });
  return { report, table: tableOf(report), ok: Object.values(report.workloads).every(({ checksumOk }) => checksumOk) };
}

async function operators({ records, only }: Parsed['values'], runs: number): Promise<Outcome> {
  const costs = await benchOperators({
    records: countOf('--records', records ?? '100000'),
    runs,
    only,
    serdes: fixedSerdes,
  });
  return { report: { at: new Date().toISOString(), costs }, table: operatorTable(costs), ok: true };
}

function contextOf() {
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => abort.abort());
  const flags = (process.env['SLUICE_BENCH_NODE'] ?? '').split(' ').filter((flag) => flag !== '');
  const node = [process.execPath, ...NODE_FLAGS, ...flags];
  return {
    node,
    sluice: [...node, join(root, 'bin', 'main.ts'), 'bench', '--engine'],
    folder: join(root, '.sluice', 'bench'),
    cacheDir: join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'sluice'),
    signal: abort.signal,
    progress: (text: string): void => void process.stderr.write(`${text}\n`),
  };
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
  throw refused(`${option} is no count from 1 to 2000000: ${JSON.stringify(text)}`);
}

const refused = (message: string): ConfigError =>
  new ConfigError('SLC_BENCH_OPTION', message, { hint: 'sluice bench --help tells what there is' });
