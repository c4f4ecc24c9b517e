import type { CreateProcessor, NodeContext, NodeSpec, Processor } from '../dsl/node.ts';
import { type Windows } from '../dsl/windows.ts';
import { type Duration, parseDuration } from '../duration.ts';
import { InvariantError, TopologyError } from '../errors.ts';
import type { AnyRecord, WindowKey } from '../record.ts';
import { isWindowKey, keyBytes } from '../state/key-codec.ts';
import type { MemorySuppressStore, SuppressedChange } from '../state/suppress-store.ts';
import { finalCoordinate } from '../time/coordinate.ts';

/** How much may wait, in each task. Bytes are those of the changelog. Without a limit: as much as there is. */
export interface SuppressBuffer {
  readonly maxRecords?: number;
  readonly maxBytes?: number;
}

/** What lets changes through; made by untilWindowCloses() and untilTimeLimit(). */
export interface Suppressed<in K> {
  readonly takes?: (key: K) => void;
  readonly text: string;
  /** undefined: until the window closes. Infinity: only the limits of the buffer let changes through. */
  readonly limitMs: number | undefined;
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly whenFull: 'emit' | 'stop';
}

/** `store` names the buffer of the changes that wait. */
export interface SuppressOptions<in K> {
  readonly store: string;
  readonly until: Suppressed<K>;
}

/**
 * Lets one change per window through: its last value, when the window closes; deleted rows give none. When more waits than the buffer may hold the task
 * stops with InvariantError SLC_STAGE_SUPPRESS_FULL: it could not keep its word.
 */
export function untilWindowCloses(buffer: SuppressBuffer = {}): Suppressed<WindowKey<unknown>> {
  return {
    ...limitsOf(buffer),
    text: `until the window closes${textOf(buffer)}`,
    limitMs: undefined,
    whenFull: 'stop',
  };
}

/**
 * Holds a row's changes back for `limit` of event time, from the first of them on, and then lets the last one through; 'none': until the buffer is full.
 * When more waits than the buffer may hold the earliest leave before their time; with `whenFull: 'stop'` the task stops with InvariantError
 * SLC_STAGE_SUPPRESS_FULL.
 */
export function untilTimeLimit(
  limit: Duration | 'none',
  buffer: SuppressBuffer & { readonly whenFull?: 'emit' | 'stop' } = {},
): Suppressed<unknown> {
  return {
    ...limitsOf(buffer),
    text: `until time limit ${limit}${textOf(buffer)}`,
    limitMs: limit === 'none' ? Infinity : parseDuration(limit),
    whenFull: buffer.whenFull ?? 'emit',
  };
}

function limitsOf({ maxRecords = Infinity, maxBytes = Infinity }: SuppressBuffer): {
  maxRecords: number;
  maxBytes: number;
} {
  for (const limit of [maxRecords, maxBytes]) {
    if (limit > 0) continue;
    throw new TopologyError('SLC_STAGE_SUPPRESS', `a buffer of ${limit} can hold nothing back`, {
      hint: 'maxRecords and maxBytes must be above 0',
    });
  }
  return { maxRecords, maxBytes };
}

function textOf({ maxRecords, maxBytes }: SuppressBuffer): string {
  const records = maxRecords === undefined ? '' : `, ${maxRecords} records`;
  return maxBytes === undefined ? records : `${records}, ${maxBytes} bytes`;
}

/** The node of KTable.suppress. */
export function suppressNode<K>(
  { store, until }: SuppressOptions<K>,
  windows: Windows | undefined,
  stage: string,
): { readonly spec: NodeSpec; readonly create: CreateProcessor<AnyRecord, unknown> } {
  const closes = until.limitMs === undefined;
  if (closes && windows === undefined) {
    throw new TopologyError('SLC_STAGE_SUPPRESS', `${stage}: ${store} waits for windows, but its table has none`, {
      hint: 'use untilTimeLimit(), or put windowedBy() before the aggregation',
    });
  }
  const spec: NodeSpec = {
    kind: 'suppress',
    detail: until.text,
    keyed: true,
    table: true,
    emits: closes ? 'final' : 'updates',
    store: { name: store, kind: 'suppress' },
  };
  return { spec, create: (context) => new Suppress(until, windows, context, store) };
}

class Suppress implements Processor<AnyRecord> {
  readonly #until: Suppressed<never>;
  readonly #windows: Windows | undefined;
  readonly #context: NodeContext;
  readonly #store: MemorySuppressStore;

  constructor(until: Suppressed<never>, windows: Windows | undefined, context: NodeContext, store: string) {
    this.#until = until;
    this.#windows = until.limitMs === undefined ? windows : undefined;
    this.#context = context;
    this.#store = context.store<MemorySuppressStore>(store);
  }

  process(record: AnyRecord): void {
    this.#context.arrive(record);
    const { key, value, timestamp } = record;
    const dueTime = this.#windows !== undefined && isWindowKey(key) ? key.end : timestamp;
    // A window that is no more has nothing to wait for; which ones there were between two commits is no function of the log.
    const isGone = this.#windows !== undefined && (value === null || value === undefined);
    if (isGone && this.#context.policy.isCanonical) return this.#store.remove(key);
    this.#store.put({ key, value: value ?? null, timestamp, dueTime });
    // Under stream-time what is due leaves first: only what still waits can be too much.
    if (!this.#context.policy.isCanonical) this.#release(this.#context.watermark());
    while (this.#isFull()) this.#full();
  }

  advance(watermark: number): void {
    this.#release(watermark);
  }

  /** What a window emits when it closes lies before what is promised; other changes leave with the watermark that there is when they leave. */
  outputWatermark(): number {
    return this.#context.watermark() - (this.#windows?.closeDelayMs ?? 0);
  }

  #release(watermark: number): void {
    const due = this.#windows?.closedUpTo(watermark) ?? watermark - (this.#until.limitMs ?? 0);
    // Kafka Streams' suppress lets the inclusive end of a session or sliding window go one instant before the window itself closes.
    const last = this.#context.policy.isCanonical ? due : watermark - this.#delayMs;
    const leaving: SuppressedChange[] = [];
    for (let next = this.#store.first; next !== undefined && next.dueTime <= last; next = this.#store.first) {
      this.#store.removeFirst();
      leaving.push(next);
    }
    // Finals leave in (end, start, key) order, so that their log is the same in every run.
    if (this.#windows !== undefined && this.#context.policy.isCanonical) leaving.sort(byEndAndStart);
    for (const change of leaving) this.#emit(change);
  }

  get #delayMs(): number {
    return this.#windows?.closeDelayMs ?? this.#until.limitMs ?? 0;
  }

  #isFull(): boolean {
    return this.#store.size > this.#until.maxRecords || this.#store.bytes > this.#until.maxBytes;
  }

  #full(): void {
    const first = this.#store.first;
    if (this.#until.whenFull === 'stop' || first === undefined) {
      throw new InvariantError(
        'SLC_STAGE_SUPPRESS_FULL',
        `${this.#context.taskName}: ${this.#store.size} changes of ${this.#store.bytes} bytes wait in ${this.#store.name}, more than it may hold`,
        { hint: 'give suppress() a larger buffer, or windows a shorter grace' },
      );
    }
    this.#store.removeFirst();
    this.#emit(first);
  }

  #emit({ key, value, timestamp, dueTime }: SuppressedChange): void {
    const { policy, storeNumber } = this.#context;
    if (this.#windows === undefined || !isWindowKey(key)) {
      // Raised to the watermark that there is: nothing behind updates asks when a record came.
      const originWatermark = Math.max(timestamp, this.#context.watermark());
      const coordinate = finalCoordinate(storeNumber, timestamp, dueTime, keyBytes(isWindowKey(key) ? key.key : key));
      return this.#context.emitAt({ key, value, timestamp }, { originWatermark, coordinate });
    }
    if (value === null) return;
    const last = this.#windows.lastInstant(key.end);
    const coordinate = finalCoordinate(storeNumber, key.start, key.end, keyBytes(key.key));
    const time = policy.resultTimestamp(last, timestamp);
    this.#context.emitAt({ key, value, timestamp: time }, { originWatermark: last, coordinate });
  }
}

function byEndAndStart(a: SuppressedChange, b: SuppressedChange): number {
  if (!isWindowKey(a.key) || !isWindowKey(b.key)) return 0;
  return a.key.end - b.key.end || a.key.start - b.key.start;
}
