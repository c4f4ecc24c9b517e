/** What becomes of records per CPU-second and memory as something grows, as a table. */
import type { RunResult } from './measure.ts';
import { type BenchReport, spreadOf, type Spread } from './report.ts';

/** One size of the work, of the workers, or of the topics. */
export interface GrowthCase {
  readonly name: string;
  readonly records: number;
  readonly hotItems: number;
  readonly partitions: number;
  readonly workers: number;
}

/** One case with all its runs. */
export interface GrowthResult extends GrowthCase {
  readonly checksumOk: boolean;
  readonly recordsPerCpuSecond: Spread;
  readonly peakRssMb: Spread;
  readonly wallSeconds: Spread;
  /** Records per CPU-second, as a share of the first case's; memory likewise. From medians. */
  readonly toFirst: { readonly recordsPerCpuSecond: number; readonly peakRss: number };
  readonly runs: readonly RunResult[];
}

/** What --json writes. */
export interface GrowthReport {
  readonly machine: BenchReport['machine'];
  readonly at: string;
  readonly checksumOk: boolean;
  readonly cases: readonly GrowthResult[];
}

/** Runs become spreads; the first case is what the others are compared with. */
export function growthOf(runs: readonly (readonly [GrowthCase, readonly RunResult[]])[]): GrowthResult[] {
  const bare = runs.map(([size, of]) => ({
    ...size,
    checksumOk: of.length > 0 && of.every(({ checksumOk }) => checksumOk),
    recordsPerCpuSecond: spreadOf(of.map(({ cpuSeconds }) => size.records / cpuSeconds)),
    peakRssMb: spreadOf(of.map(({ peakRssMb }) => peakRssMb)),
    wallSeconds: spreadOf(of.map(({ wallSeconds }) => wallSeconds)),
    runs: of,
  }));
  return bare.map((one) => {
    const first = bare[0] ?? one;
    const recordsPerCpuSecond = one.recordsPerCpuSecond.median / first.recordsPerCpuSecond.median;
    const peakRss = one.peakRssMb.median / first.peakRssMb.median;
    return { ...one, toFirst: { recordsPerCpuSecond, peakRss } };
  });
}

const HEAD =
  '| case | records | items | partitions | workers | runs | records per CPU-s | to the first | peak RSS MB | to the first | wall s | load | result |\n' +
  '|---|---|---|---|---|---|---|---|---|---|---|---|---|\n';

/** The report for people, in Markdown: medians, in parentheses the least and the most. Memory is that of all workers together. */
export function growthTable({ machine: { cpu, cores, memoryGb, node }, cases }: GrowthReport): string {
  const rows = cases.map((one) => {
    const { recordsPerCpuSecond, peakRss } = one.toFirst;
    const size = [one.name, one.records, one.hotItems, one.partitions, one.workers, one.runs.length];
    const perCpu = [spread(one.recordsPerCpuSecond, 0), `${recordsPerCpuSecond.toFixed(2)} x`];
    const used = [spread(one.peakRssMb, 0), `${peakRss.toFixed(2)} x`, spread(one.wallSeconds, 1)];
    const load = one.runs.map((run) => run.load.map((each) => each.toFixed(1)).join('-')).join(', ');
    const cells = [...size, ...perCpu, ...used, load, one.checksumOk ? 'right' : 'WRONG'];
    return `| ${cells.join(' | ')} |`;
  });
  return `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}; R2 (exactly-once), Sluice only\n\n${HEAD}${rows.join('\n')}\n`;
}

const spread = ({ median, min, max }: Spread, digits: number): string =>
  `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
