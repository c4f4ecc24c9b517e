/** Two commits on one workload become ratios with their spread, and a table. */
import type { RunResult } from './measure.ts';
import { type BenchReport, spreadOf, type Spread } from './report.ts';

/** The runs of one commit, in the order in which they alternated with the other's. */
export interface CommitRuns {
  /** As it was asked for. */
  readonly name: string;
  readonly commit: string;
  readonly runs: readonly RunResult[];
}

/** How many times better the second commit is than the first. */
export interface CompareRatio {
  /** Of the medians. */
  readonly ratio: number;
  /** Of the pairs: what ran next to each other. */
  readonly pairs: Spread;
  /** Whether every pair says the same: all above 1, or all below. At least three pairs. */
  readonly shown: boolean;
}

/** What --json writes. */
export interface CompareReport {
  readonly machine: BenchReport['machine'];
  readonly at: string;
  readonly workload: string;
  readonly dataset: string;
  readonly workers: number;
  readonly checksumOk: boolean;
  readonly ratio: { readonly cpu: CompareRatio; readonly wall: CompareRatio };
  readonly commits: readonly [a: CommitRuns, b: CommitRuns];
}

const ENOUGH_PAIRS = 3;

/** What the first needed over what the second needed: above 1 the second is better. */
export function compareRatio(a: readonly number[], b: readonly number[]): CompareRatio {
  const each = b.slice(0, a.length).map((value, i) => (a[i] ?? 0) / value);
  const pairs = spreadOf(each);
  const shown = each.length >= ENOUGH_PAIRS && (pairs.min > 1 || pairs.max < 1);
  return { ratio: spreadOf(a).median / spreadOf(b).median, pairs, shown };
}

/** Both ratios of two commits. */
export function compareRatios([a, b]: CompareReport['commits']): CompareReport['ratio'] {
  const of = (what: 'cpuSeconds' | 'wallSeconds'): CompareRatio =>
    compareRatio(
      a.runs.map((run) => run[what]),
      b.runs.map((run) => run[what]),
    );
  return { cpu: of('cpuSeconds'), wall: of('wallSeconds') };
}

/** The report for people, in Markdown. */
export function compareTable({ machine: { cpu, cores, memoryGb, node }, ratio, ...report }: CompareReport): string {
  const rows = report.commits.map(({ name, commit, runs }) => {
    const numbers = (what: 'cpuSeconds' | 'wallSeconds' | 'peakRssMb', digits: number): string => {
      const { median, min, max } = spreadOf(runs.map((run) => run[what]));
      return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
    };
    const load = runs.map((run) => run.load.map((each) => each.toFixed(1)).join('-')).join(', ');
    const cells = [`${name} (${commit.slice(0, 7)})`, runs.length, numbers('cpuSeconds', 2), numbers('wallSeconds', 2)];
    const result = runs.every(({ checksumOk }) => checksumOk) ? 'right' : 'WRONG';
    return `| ${[...cells, numbers('peakRssMb', 0), load, result].join(' | ')} |`;
  });
  const [a, b] = report.commits.map(({ name }) => name);
  return (
    `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}; ${report.workload}, data set ${report.dataset}, ${report.workers} worker(s)\n\n` +
    `| commit | runs | CPU-s | wall s | peak RSS MB | load | result |\n|---|---|---|---|---|---|---|\n${rows.join('\n')}\n\n` +
    `${b} to ${a} (medians; least and most of the pairs): ${textOf(ratio.cpu)} the records per CPU-second, ${textOf(ratio.wall)} the speed by wall clock\n`
  );
}

const textOf = ({ ratio, pairs: { min, max }, shown }: CompareRatio): string =>
  `${ratio.toFixed(3)} x (${min.toFixed(3)}-${max.toFixed(3)}${shown ? '' : ': no difference shown'})`;
