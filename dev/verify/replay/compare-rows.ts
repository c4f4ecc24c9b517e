/** Rows of a replay against those of live: which must be equal is a matter of two bounds (docs/SEMANTICS.md, "A replay and live"). */
import { createHash } from 'node:crypto';
import type { DifferingColumn } from './differing-columns.ts';
import type { OutputRow } from './output-rows.ts';

/** What decides which rows are compared. Event times, ms. */
export interface Bounds {
  /** The replay's promise: what live has below it, the replay has too. 'all': live stands where the replay ended, so there is nothing beyond. */
  readonly upper: number | 'all';
  /** Rows that reach back to here or before are left out on both sides. */
  readonly lower: number;
}

/** A row that is wrong. */
export interface WrongRow {
  readonly what: 'missing' | 'extra' | 'differs';
  readonly identity: string;
  /** `<partition>@<offset>`. */
  readonly live: string | undefined;
  readonly replay: string | undefined;
  /** Of a row that differs, as far as both could be read again. */
  readonly columns?: readonly DifferingColumn[];
}

/** What came of one topic. */
export interface RowsComparison {
  /** Rows that live demands of the replay, each of them compared. */
  readonly rows: number;
  /** Rows of the replay that live must have. */
  readonly replayRows: number;
  readonly missing: number;
  readonly extra: number;
  readonly differing: number;
  /** Of live: not decided by the replay's input, and not in the replay. */
  readonly beyond: number;
  /** Of live and replay: they reach back before the replay's start. */
  readonly before: number;
  /** Over the rows within both bounds, whatever their order and partitions. */
  readonly liveHash: string;
  readonly replayHash: string;
  /** The first few. */
  readonly wrong: readonly WrongRow[];
}

const EXAMPLES = 5;
const HASH_BITS = 256;

/**
 * Each row of the replay must be one of live's: what it read, live has read. Each row of live that is complete below the upper bound must be one
 * of the replay's. Of a table a row is compared when it cannot change any more.
 */
export function compareReplay(
  live: readonly OutputRow[],
  replay: readonly OutputRow[],
  bounds: Bounds,
  kind: 'records' | 'table',
): RowsComparison {
  const { upper, lower } = bounds;
  const isDecided = (row: OutputRow): boolean =>
    upper === 'all' || row.decided === true || row.complete < upper || (kind === 'table' && row.complete === upper);
  const isAfter = (row: OutputRow): boolean => lower === -Infinity || row.earliest > lower;
  const ours = replay.filter((row) => isAfter(row) && (kind === 'records' || isDecided(row)));
  const theirs = live.filter((row) => isAfter(row) && (kind === 'records' || isDecided(row)));
  const found = Map.groupBy(ours, (row) => row.hash);
  const take = (row: OutputRow): boolean => found.get(row.hash)?.pop() !== undefined;
  const decided = theirs.filter(isDecided);
  const missing = decided.filter((row) => !take(row));
  const undecided = theirs.filter((row) => !isDecided(row));
  const beyond = undecided.filter((row) => !take(row));
  const extra = [...found.values()].flat();
  const { wrong, differing } = pair(missing, extra);
  const skipped = live.length - theirs.length;
  const beforeLive = live.filter((row) => !isAfter(row)).length;
  return {
    rows: decided.length,
    replayRows: ours.length,
    missing: missing.length - differing,
    extra: extra.length - differing,
    differing,
    beyond: beyond.length + skipped - beforeLive,
    before: beforeLive + replay.filter((row) => !isAfter(row)).length,
    liveHash: sumOf(decided),
    replayHash: sumOf(ours.filter(isDecided)),
    wrong,
  };
}

/** True when every row that can be compared is equal. */
export function isEqual({ missing, extra, differing }: RowsComparison): boolean {
  return missing + extra + differing === 0;
}

/** A missing and an extra row of one identity are one row that differs: of several those of the same instant. */
function pair(missing: readonly OutputRow[], extra: readonly OutputRow[]): { wrong: WrongRow[]; differing: number } {
  const partners = partnersOf(missing, extra);
  const left = new Set(extra).difference(new Set(partners.values()));
  const wrong = [
    ...missing.map((row): WrongRow => {
      const other = partners.get(row);
      const what = other === undefined ? 'missing' : 'differs';
      return { what, identity: row.identity, live: row.at, replay: other?.at };
    }),
    ...[...left].map(({ identity, at }): WrongRow => ({ what: 'extra', identity, live: undefined, replay: at })),
  ];
  return { wrong: wrong.slice(0, EXAMPLES), differing: partners.size };
}

/** Those of one instant find each other first, then those that are left. */
function partnersOf(missing: readonly OutputRow[], extra: readonly OutputRow[]): Map<OutputRow, OutputRow> {
  const partners = new Map<OutputRow, OutputRow>();
  const taken = new Set<OutputRow>();
  for (const nameOf of [
    ({ identity, earliest }: OutputRow): string => `${earliest} ${identity}`,
    ({ identity }: OutputRow): string => identity,
  ]) {
    const byName = Map.groupBy(
      extra.filter((row) => !taken.has(row)),
      nameOf,
    );
    for (const row of missing) {
      const other = partners.has(row) ? undefined : byName.get(nameOf(row))?.pop();
      if (other === undefined) continue;
      partners.set(row, other);
      taken.add(other);
    }
  }
  return partners;
}

/** The sum of the rows' hashes: a set of rows has one, in whatever order they come. */
function sumOf(rows: readonly OutputRow[]): string {
  let sum = 0n;
  for (const { hash } of rows) {
    const digest = createHash('sha256').update(hash).digest('hex');
    sum = BigInt.asUintN(HASH_BITS, sum + BigInt(`0x${digest}`));
  }
  return sum.toString(16).padStart(HASH_BITS / 4, '0');
}
