/**
 * Words shared by the builder, the operators and the runtime: what a node is known to do before any record flows (NodeSpec), and what it does
 * with records (Processor). A record's time (origin watermark and origin coordinate, TIME.md rule 4) is not part of StreamRecord: pipelines are
 * synchronous, so the task holds it while a record is processed, and what a node emits meanwhile inherits it.
 */
import type { AnyRecord } from '../record.ts';
import type { StateStore, StoreSpec } from '../state/store.ts';
import type { RecordTime } from '../time/record-time.ts';
import type { StreamClock } from '../time/stream-clock.ts';
import type { TimePolicy } from '../time/time-policy.ts';
import type { Contract } from './contract.ts';
import type { Windows } from './windows.ts';

/** What a stateful node does with results: every change of a key, or once per closed window. */
export type Emit = 'updates' | 'final';

/** A row of a table, and the timestamp (ms) of its last change. */
export interface QueriedRow {
  readonly value: unknown;
  readonly timestamp: number;
}

/** A global table as a join sees it. */
export interface GlobalRows {
  /** The value of a key as it is now; undefined when there is none. */
  get(key: unknown): unknown;
}

/** What is known of a node before any record. */
export interface NodeSpec {
  /** The operator, as the user wrote it: 'keyBy', 'count', ... */
  readonly kind: string;
  /** For people, in describe(). */
  readonly detail?: string;
  /** The node's own store. Its name is mandatory and unique in the stage. */
  readonly store?: StoreSpec;
  /** How a row of the store is read from outside; absent: nobody may. */
  readonly query?: (row: never) => QueriedRow | undefined;
  /** Further stores of the node, for user code. */
  readonly stores?: readonly StoreSpec[];
  /** Behind it records carry another key: a keyed node after it needs a repartition topic. */
  readonly changesKey?: boolean;
  /** Needs all records of a key in one task. */
  readonly keyed?: boolean;
  /** windowedBy: an aggregation must follow. */
  readonly windows?: Windows;
  /** An aggregation: may follow windowedBy; without a window, or with emit 'updates', it ends the pipe as a table. */
  readonly aggregates?: boolean;
  readonly emits?: Emit;
  /** What comes out are the changes of a table, whatever the operator is. */
  readonly table?: boolean;
  /** An aggregation that folds in an order, which only a window can give: without one it is refused. */
  readonly ordered?: boolean;
  /** An aggregation that can make one accumulator of two: sessions need it under stream-time. */
  readonly merges?: boolean;
  /** Its accumulators are added, which cannot fail: windows may be kept in panes. */
  readonly isSum?: boolean;
  /** Depends on the order of its input, and takes that of the log: one partition of an origin topic, or sorted() before it. */
  readonly inLogOrder?: boolean;
  /** Event time before a record on which what becomes of it may depend, besides windows and tables, ms. */
  readonly reachMs?: number;
  /** What the rows that pass promise. */
  readonly contract?: Contract<object>;
  /** Marks what is no function of the log (`latest` joins, wall-clock punctuation, mapAsync): shown by describe(). */
  readonly nondeterministic?: string;
}

/** What a node sees of its task. */
export interface NodeContext {
  /** `<stage>/<partition>`: the name of the task as a writer. */
  readonly taskName: string;
  readonly partition: number;
  /** The number of the node's store in the roster: what makes the coordinates of its finals unique. */
  readonly storeNumber: number;
  /** The windows of the windowedBy before an aggregation. */
  readonly windows: Windows | undefined;
  /** The node's store, or that of a table it reads. */
  store<S extends StateStore>(name: string): S;
  /** A global table that the node looks into, complete before the first record of a process: by the name of its store. The same for all tasks. */
  globalTable(store: string): GlobalRows;
  readonly policy: TimePolicy;
  /**
   * Kept with the node's store: under stream-time its clock (see arrive), under watermark free for the node's own use, to remember across restarts up to
   * where it has let results out.
   */
  readonly clock: StreamClock;
  /**
   * Takes the record being processed in and gives the time (ms) that decides whether it is late: its origin watermark; under stream-time the largest
   * timestamp that the node has taken, this record's included. Call it once per record, after what is dropped by definition has gone.
   */
  arrive(record: AnyRecord): number;
  /**
   * Event time is complete up to here, ms: the minimum over the output watermarks of the node's parents; under stream-time the largest timestamp that
   * the node has taken. -Infinity at first; never goes back.
   */
  watermark(): number;
  /** Output watermark of the n-th parent (joins); under stream-time there is but one clock. */
  watermarkOf(parent: number): number;
  /** Time of the record being processed. Only valid inside process(); keep a copy (`keep()`) of what outlives it. */
  readonly time: RecordTime;
  /** Emits under another time than that of the record being processed: for operators that wait. */
  emitAt(record: AnyRecord, time: RecordTime): void;
  /** Hands a record to the late topic. */
  late(record: AnyRecord, late: LateDetail): void;
  /** A record that failed outside process() (a waiting operator): it goes to the dead-letter topic, the stage goes on. */
  failed(record: AnyRecord, time: RecordTime, error: unknown): void;
  /** Counts a record that is dropped by the operator's definition (null key, null value), as Kafka Streams does. */
  dropped(record: AnyRecord, reason: string): void;
}

/** Why a record is late. Window bounds in ms; lateness = how far the record's origin watermark is beyond what would have been accepted, ms. */
export interface LateDetail {
  readonly reason: string;
  readonly latenessMs: number;
  readonly windowStart?: number;
  readonly windowEnd?: number;
}

/** A node at work, one instance per task. */
export interface Processor<I> {
  /** One input. `parent` = which parent it comes from (0 unless the node has several). All that is emitted for it is emitted when this returns. */
  process(input: I, parent: number): void;
  /**
   * The minimum of the parents' output watermarks has moved to `watermark`. May emit (emitAt). Called after everything that the parents emitted; under
   * stream-time after each record that the node has processed.
   */
  advance?(watermark: number): void;
  /**
   * The promise that all this node will ever emit from now on has an origin watermark >= the result (TIME.md rule 7); asked after advance().
   * Absent: the input watermark itself.
   */
  outputWatermark?(): number;
  /**
   * Before each commit: emits what was held back only to be coalesced (updates of a key that changed several times). Under stream-time after each record,
   * before advance(): every update leaves.
   */
  flush?(): void;
  /**
   * Before each commit: a promise while there is work that the commit must not leave behind; undefined when there is none. When it resolves, flush() emits
   * what is done, and drain() is asked again.
   */
  drain?(): Promise<void> | undefined;
  /** Now and then, at least every 250 ms: the wall clock, ms. What is done with it is no function of the log: mark the node. */
  tick?(now: number): void;
}

/** Makes the Processor of a node for one task. `emit` passes a record on under the time of the record being processed. */
export type CreateProcessor<I, O> = (context: NodeContext, emit: (output: O) => void) => Processor<I>;
