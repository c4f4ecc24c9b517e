/** How much of what is to be counted an engine keeps when a day is read back. */
import { type BenchReport, spreadOf, type Spread } from './report.ts';

/** One run of one engine. */
export interface LateRun {
  readonly engine: 'sluice' | 'kafka-streams';
  /** Sum of the final counts. */
  readonly kept: number;
  /** Window updates that it says it dropped; undefined when it does not say. */
  readonly dropped: number | undefined;
  /** Sluice: every count is right. The peer: what it kept and what it says it dropped are together all that there was. */
  readonly right: boolean;
  readonly wallSeconds: number;
  /** Load average of the machine when it began and ended. */
  readonly load: readonly [number, number];
  readonly log: string;
}

/** What --json writes. */
export interface LateReport {
  readonly machine: BenchReport['machine'];
  readonly at: string;
  readonly records: number;
  /** All that is to be counted. */
  readonly counts: number;
  /** Share of the counts that were kept, 0 to 1, per engine. */
  readonly kept: Readonly<Record<string, Spread>>;
  /** Sluice kept every count in every run, and what the peer did not keep is accounted for. */
  readonly checksumOk: boolean;
  readonly runs: readonly LateRun[];
}

/** The middle part of `count:sum:checksum`. NaN of another text. */
export const sumOf = (checksum: string): number => Number(checksum.split(':')[1]);

/** What the peer says as it stops. Undefined when it said nothing. */
export function droppedIn(log: string): number | undefined {
  const said = log.match(/^dropped-records-total (\d+)$/m)?.[1];
  return said === undefined ? undefined : Number(said);
}

/**
 * Whether the peer's loss may be reported: `updates` is what there would be to count if nothing was ever late. Without this, output that is not
 * complete would look like late records.
 */
export const isAccountedFor = (kept: number, dropped: number | undefined, updates: number): boolean =>
  dropped !== undefined && kept + dropped === updates;

/** Shares of the counts per engine. */
export function sharesOf(runs: readonly LateRun[], counts: number): Record<string, Spread> {
  const groups = [...Map.groupBy(runs, ({ engine }) => engine)];
  return Object.fromEntries(groups.map(([engine, of]) => [engine, spreadOf(of.map(({ kept }) => kept / counts))]));
}

/** The report for people, in Markdown. */
export function lateTable({
  machine: { cpu, cores, memoryGb, node },
  counts,
  runs,
  kept,
  records,
}: LateReport): string {
  const rows = [...Map.groupBy(runs, ({ engine }) => engine)].map(([engine, of]) => {
    const { median, min, max } = kept[engine] ?? spreadOf([]);
    const sums = spreadOf(of.map((run) => run.kept));
    const load = of.map((run) => run.load.map((each) => each.toFixed(1)).join('-')).join(', ');
    const share = `${percent(median)} (${percent(min)}-${percent(max)})`;
    return `| ${[engine, of.length, sums.median, share, load, of.every(({ right }) => right) ? 'right' : 'WRONG'].join(' | ')} |`;
  });
  return (
    `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}; ${records} records of 24 h, a grace of 5 min, ${counts} counts to keep\n\n` +
    `| engine | runs | counts kept | share | load | accounts |\n|---|---|---|---|---|---|\n${rows.join('\n')}\n`
  );
}

/** Rounded down: 100 % is said of all only. */
export const percent = (share: number): string => `${(Math.floor(share * 10_000) / 100).toFixed(2)} %`;
