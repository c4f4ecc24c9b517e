/** Times on the way become percentiles, ratios to the peer, and a table. */
import { type BenchReport, spreadOf, type Spread } from './report.ts';

/** Times between sent and seen of one run, ms. */
export interface Latencies {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** One run of one engine. */
export interface LatencyRun extends Latencies {
  readonly engine: 'sluice' | 'kafka-streams';
  /** Records whose time counts: those behind the warm-up. */
  readonly measured: number;
  /** Of them, those that were never seen: their time does not count, and the run is wrong. */
  readonly missing: number;
  /** Records per second that were really sent. */
  readonly rate: number;
  /** Of the engine's processes while records came at that rate, warm-up included. */
  readonly cpuSeconds: number;
  /** Of all rows, read back in the end. */
  readonly checksum: string;
  readonly checksumOk: boolean;
  /** Load average of the machine when it began and ended. */
  readonly load: readonly [number, number];
  readonly log: string;
}

/** A share of the peer's time: below 1 is faster. From medians; `spread` pairs the runs that alternated. */
export interface LatencyRatio {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly spread: { readonly p50: Spread; readonly p99: Spread; readonly max: Spread };
}

/** What --json writes. */
export interface LatencyReport {
  readonly machine: BenchReport['machine'];
  readonly at: string;
  readonly rate: number;
  readonly warmupSeconds: number;
  readonly measuredSeconds: number;
  readonly checksumOk: boolean;
  /** Absent without the peer. */
  readonly ratio?: LatencyRatio;
  readonly runs: readonly LatencyRun[];
}

/** The least value that at least `share` of them do not exceed (nearest rank). NaN of nothing. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Times from sent to seen; what was not seen (NaN) is counted apart. */
export function latenciesOf(
  sent: Float64Array,
  seen: Float64Array,
  from: number,
): Latencies & Pick<LatencyRun, 'measured' | 'missing'> {
  const times = seen
    .subarray(from)
    .map((at, i) => at - (sent[from + i] ?? Number.NaN))
    .filter((ms) => !Number.isNaN(ms))
    .toSorted();
  const measured = seen.length - from;
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(times, share));
  return { p50: p50 ?? 0, p99: p99 ?? 0, max: max ?? 0, measured, missing: measured - times.length };
}

/** Whether a run may be believed: every record seen, every row right. */
export const isRight = ({ checksumOk, missing }: LatencyRun): boolean => checksumOk && missing === 0;

/** Sluice's share of the peer's times. Undefined when one of them has no run. */
export function latencyRatio(runs: readonly LatencyRun[]): LatencyRatio | undefined {
  const ours = runs.filter(({ engine }) => engine === 'sluice');
  const theirs = runs.filter(({ engine }) => engine !== 'sluice');
  if (ours.length === 0 || theirs.length === 0) return undefined;
  const median = (of: readonly LatencyRun[], what: keyof Latencies): number =>
    spreadOf(of.map((run) => run[what])).median;
  const ratio = (what: keyof Latencies): number => median(ours, what) / median(theirs, what);
  const pairs = (what: keyof Latencies): Spread =>
    spreadOf(ours.slice(0, theirs.length).map((run, i) => run[what] / (theirs[i]?.[what] ?? 0)));
  return {
    p50: ratio('p50'),
    p99: ratio('p99'),
    max: ratio('max'),
    spread: { p50: pairs('p50'), p99: pairs('p99'), max: pairs('max') },
  };
}

/** The report for people, in Markdown. */
export function latencyTable({ machine: { cpu, cores, memoryGb, node }, ratio, ...report }: LatencyReport): string {
  const rows = [...Map.groupBy(report.runs, ({ engine }) => engine)].map(([engine, of]) => {
    const numbers = (what: keyof Latencies | 'rate' | 'cpuSeconds', digits = 0): string => {
      const { median, min, max } = spreadOf(of.map((run) => run[what]));
      return `${median.toFixed(digits)} (${min.toFixed(digits)}-${max.toFixed(digits)})`;
    };
    const load = of.map((run) => run.load.map((each) => each.toFixed(1)).join('-')).join(', ');
    const cells = [
      engine,
      of.length,
      numbers('p50'),
      numbers('p99'),
      numbers('max'),
      numbers('rate'),
      numbers('cpuSeconds', 1),
      load,
    ];
    return `| ${[...cells, of.every(isRight) ? 'right' : 'WRONG'].join(' | ')} |`;
  });
  const times =
    ratio === undefined
      ? ''
      : `\nSluice's share of Kafka Streams' time (median, least and most of the pairs): ${(
          ['p50', 'p99', 'max'] as const
        )
          .map((what) => `${what} ${share(ratio[what], ratio.spread[what])}`)
          .join(', ')}\n`;
  return (
    `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}; R3, both exactly-once, a commit every 100 ms, ${report.rate} records/s for ` +
    `${report.measuredSeconds} s after ${report.warmupSeconds} s of warm-up\n\n` +
    '| engine | runs | p50 ms | p99 ms | max ms | sent per s | CPU-s | load | result |\n|---|---|---|---|---|---|---|---|---|\n' +
    `${rows.join('\n')}\n${times}`
  );
}

const share = (ratio: number, { min, max }: Spread): string =>
  `${ratio.toFixed(2)} x (${min.toFixed(2)}-${max.toFixed(2)})`;
