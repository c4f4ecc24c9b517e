/**
 * The words of the executable specification of event time (policy `watermark`, docs/SEMANTICS.md): does a replay equal live under EVERY schedule?
 * The model has topics with partitions and offsets, slots that take random batches and commit outputs, ledger, positions and state atomically, crash, abort
 * and read the ledger late. It shares no code with the engine. Whole numbers are event-time milliseconds; an event "hour" is 10.
 */

/** The rules under test. Each variant of `variants.ts` breaks exactly one of them. */
export interface Rules {
  /** stream-time = Kafka Streams' clock per task. */
  readonly policy: 'watermark' | 'stream-time';
  /** An advance by idleness is fixed at an offset, or read from a ledger whenever it is seen. */
  readonly heartbeat: 'pinned' | 'raced';
  /** Timestamp of a final: the last instant of its window, or the largest of its records. */
  readonly finalTs: 'end' | 'max';
  /** ow of a final: the last instant of its window, end + grace, or that of the record that came last. */
  readonly finalOw: 'end' | 'close' | 'trigger';
  /** A writer's promise is held back by what its operators may still emit. */
  readonly hold: boolean;
  /** A promise counts once its end offset is passed. */
  readonly endOffset: boolean;
  /** A writer without an entry counts as -inf. */
  readonly roster: boolean;
  /** A session accepts ow <= t + grace, or ow <= t + gap + grace. */
  readonly session: 'point' | 'window';
  /** ow of a pair: the larger of both, or that of the side that came second. */
  readonly pairOw: 'max' | 'trigger';
  /** The far side of a join is kept until M > t + reach + grace, or without the grace. */
  readonly joinKeep: boolean;
  /** A stream-table join waits for the table's watermark, or reads the table as it is. */
  readonly asOf: 'buffered' | 'arrival';
  /** Order of the records of a window, and of dedupe. */
  readonly order: 'canonical' | 'arrival';
  /** What compacts pins: (topic, partition, offset), or (topic, partition). */
  readonly pins: 'by offset' | 'by partition';
  /** A partition that is added starts its clock at the floor found at its join entry. */
  readonly floor: boolean;
  /** The join entry has a key of its own, or is compacted away by the writer's next entry. */
  readonly joinEntry: 'kept' | 'compacted';
  /** The tasks of a slot that read a topic share its position. */
  readonly readers: 'one position' | 'own positions';
  /** A row of a first snapshot takes the clock as it is, moves it as any row, or has ow -inf. */
  readonly snapshot: 'still' | 'moves' | '-inf';
  /** An outer join holds back max(before, after) + grace, or after + grace as a left one. */
  readonly outerHold: boolean;
  /** An outer join keeps the right side for `before`, or both sides for `after`. */
  readonly outerKeep: boolean;
  /** What a record must not be far ahead of: the receive time in the log, or the clock on the wall of whoever reads it. */
  readonly ahead: 'log' | 'reader';
  /** No partition is read on that is further ahead than this of one of its topic that has unread records. */
  readonly maxSkew: number;
  /** It waits for partitions that have unread records, or for those too that have none. */
  readonly waits: 'for unread' | 'for all';
  /** A promise is rounded down to this, and written when it has moved. */
  readonly tick: number;
}

/** THE RULES. */
export const RULES: Rules = {
  policy: 'watermark',
  heartbeat: 'pinned',
  finalTs: 'end',
  finalOw: 'end',
  hold: true,
  endOffset: true,
  roster: true,
  session: 'point',
  pairOw: 'max',
  joinKeep: true,
  asOf: 'buffered',
  order: 'canonical',
  pins: 'by offset',
  floor: true,
  joinEntry: 'kept',
  readers: 'one position',
  snapshot: 'still',
  outerHold: true,
  outerKeep: true,
  ahead: 'log',
  maxSkew: Infinity,
  waits: 'for unread',
  tick: 1,
};

/** A record of any topic. `co` = origin coordinate, `writer` = the task that wrote it. */
export interface Rec {
  readonly key: string;
  readonly ts: number;
  readonly val: string;
  readonly ow: number;
  readonly co: string;
  readonly writer?: string;
  /** A row of a first snapshot. */
  readonly snap?: boolean;
}

/** "From offset `at` on, the clock of the partition is at least `m`." */
export interface Pin {
  readonly topic: string;
  readonly p: number;
  readonly at: number;
  readonly m: number;
  /** The slot's own clock, once per event hour: changes nothing. */
  readonly own?: true;
}

/** "All that I write from end[q] on has ow >= m." */
export interface Entry {
  readonly writer: string;
  readonly topic: string;
  readonly m: number;
  readonly end: readonly number[];
  readonly join?: true;
}

/** A record of an origin log: its offset is its place. */
export interface OriginRecord {
  readonly ts: number;
  readonly key: string;
  readonly val: string;
  readonly snap?: boolean;
  /** When it was received, of a record that is far ahead of that. */
  readonly received?: number;
}

/** What a source says: "up to `m` everything is there" once offset `end` is reached. */
export interface Hint {
  readonly p: number;
  readonly end: number;
  readonly m: number;
}

/** An origin topic: its logs and what its source says. */
export interface Origin {
  readonly name: string;
  /** outOfOrderness */
  readonly ooo: number;
  readonly parts: readonly (readonly OriginRecord[])[];
  readonly hints: readonly Hint[];
}

/** Partitions of origin topics. */
export const P = 3;
/** Partitions of what is repartitioned. */
export const Q = 2;
export const HOUR = 10;
/** A record further ahead of its receive time moves no clock and is a dead letter (RULE 2). */
export const MAX_AHEAD = 500;
/** Every key of the data. */
export const KEYS = ['a', 'b', 'c'] as const;

/** The partition of a key. */
export const partitionOf = (key: string): number => key.charCodeAt(key.length - 1) % Q;
export const pad = (n: number): string => String(n).padStart(5, '0');

/** Canonical order: (timestamp, coordinate). */
export const byTime = (a: Rec, b: Rec): number => a.ts - b.ts || (a.co < b.co ? -1 : a.co > b.co ? 1 : 0);
export const textOf = (records: readonly Rec[]): string => records.map((r) => r.val).join(',');
export const countOf = (records: readonly Rec[]): string =>
  String(records.reduce((sum, r) => sum + r.val.split(',').length, 0));

/** Text by code units. */
export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
