/** Runs become medians, ratios to the peer, and a table. */
import { cpus, totalmem } from 'node:os';
import type { RunResult } from './measure.ts';

/** A number over several runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

type Measure = 'wallSeconds' | 'cpuSeconds' | 'brokerCpuSeconds' | 'peakRssMb' | 'outputRows';

/** How many times better than the peer (`rss`: share of the peer's memory), from medians; `spread` pairs the runs that alternated. */
export interface Ratios {
  readonly cpu: number;
  readonly wall: number;
  readonly rss: number;
  readonly spread: { readonly cpu: Spread; readonly wall: Spread; readonly rss: Spread };
}

/** One workload with all its runs. */
export interface WorkloadReport {
  readonly title: string;
  readonly records: number;
  readonly checksumOk: boolean;
  readonly ratio: Ratios;
  readonly runs: readonly RunResult[];
}

/** What --json writes. */
export interface BenchReport {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGb: number; readonly node: string };
  readonly at: string;
  readonly dataset: string;
  readonly workers: number;
  readonly workloads: Readonly<Record<string, WorkloadReport>>;
}

/** The machine, as a table should name it. */
export function machine(): BenchReport['machine'] {
  const all = cpus();
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  return { cpu: all[0]?.model.trim() ?? 'unknown', cores: all.length, memoryGb, node: process.version };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2;
  return { median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** `runs`: of both engines, in the order in which they alternated. */
export function reportOf(title: string, records: number, runs: readonly RunResult[]): WorkloadReport {
  const ours = runs.filter(({ engine }) => engine === 'sluice');
  const theirs = runs.filter(({ engine }) => engine !== 'sluice');
  const median = (of: readonly RunResult[], what: Measure): number => spreadOf(of.map((run) => run[what])).median;
  const pairs = (what: Measure, invert: boolean): Spread =>
    spreadOf(
      ours.map((run, i) => (invert ? run[what] / (theirs[i]?.[what] ?? 0) : (theirs[i]?.[what] ?? 0) / run[what])),
    );
  return {
    title,
    records,
    checksumOk: runs.every(({ checksumOk }) => checksumOk),
    ratio: {
      cpu: median(theirs, 'cpuSeconds') / median(ours, 'cpuSeconds'),
      wall: median(theirs, 'wallSeconds') / median(ours, 'wallSeconds'),
      rss: median(ours, 'peakRssMb') / median(theirs, 'peakRssMb'),
      spread: { cpu: pairs('cpuSeconds', false), wall: pairs('wallSeconds', false), rss: pairs('peakRssMb', true) },
    },
    runs,
  };
}

const HEAD =
  '| workload | engine | runs | wall s | CPU-s | records per CPU-s | peak RSS MB | broker CPU-s | output rows | load | result |\n' +
  '|---|---|---|---|---|---|---|---|---|---|---|\n';

/** The report for people, as a table in Markdown: medians, in parentheses the least and the most. */
export function tableOf({ machine: { cpu, cores, memoryGb, node }, ...report }: BenchReport): string {
  const rows = Object.entries(report.workloads).flatMap(([name, workload]) => rowsOf(name, workload));
  const ratios = Object.entries(report.workloads).map(([name, { ratio }]) => {
    const { spread } = ratio;
    return `${name}: ${times(ratio.cpu, spread.cpu)} the records per CPU-second, ${times(ratio.wall, spread.wall)} the speed by wall clock, ${times(ratio.rss, spread.rss)} the memory`;
  });
  const where = `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}, data set ${report.dataset}, ${report.workers} worker(s)`;
  return `${where}\n\n${HEAD}${rows.join('\n')}\n\nSluice to Kafka Streams (median, least and most of the pairs):\n${ratios.join('\n')}\n`;
}

function rowsOf(name: string, { title, records, runs }: WorkloadReport): string[] {
  return [...Map.groupBy(runs, ({ engine }) => engine)].map(([engine, of]) => {
    const numbers = (what: Measure, digits: number): string => {
      const { median, min, max } = spreadOf(of.map((run) => run[what]));
      return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
    };
    const perCpu = Math.round(records / spreadOf(of.map((run) => run.cpuSeconds)).median);
    const load = of.map((run) => run.load.map((each) => each.toFixed(1)).join('-')).join(', ');
    const result = of.every(({ checksumOk }) => checksumOk) ? 'right' : 'WRONG';
    const cells = [`${name} ${title}`, engine, of.length, numbers('wallSeconds', 1), numbers('cpuSeconds', 1), perCpu];
    return `| ${[...cells, numbers('peakRssMb', 0), numbers('brokerCpuSeconds', 1), numbers('outputRows', 0), load, result].join(' | ')} |`;
  });
}

const times = (ratio: number, { min, max }: Spread): string =>
  `${ratio.toFixed(2)} x (${min.toFixed(2)}-${max.toFixed(2)})`;
