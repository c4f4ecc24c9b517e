/** Rebuilds the stores of a slot's tasks from their changelogs, before the first record (DESIGN section 5). */
import type { Clock } from '../clock.ts';
import { RecordCursor } from '../record-batch.ts';
import type { FetchedRecords, KafkaAdmin, KafkaClient } from './kafka-client.ts';

/** What takes the changes that a topic holds. */
export interface Restorable {
  readonly topic: string;
  /** Where to begin in a log from `start` to `end`: behind what is here already. By default at its start. */
  begin?(range: { readonly start: bigint; readonly end: bigint }): bigint;
  restore(key: Uint8Array, value: Uint8Array | null): void;
  /** All before `offset` was handed over. */
  reached?(offset: bigint): void;
}

/** How far a restore has come, in offsets of changelogs. */
export interface RestoreProgress {
  /** Behind the checkpoints: what is to be read. */
  total: number;
  done: number;
  /** Offsets per second since it began; 0 before that is known. */
  perSecond: number;
  /** Until it is done, at that speed, ms; undefined before that is known. */
  etaMs: number | undefined;
}

/** Nothing to restore. */
export function noProgress(): RestoreProgress {
  return { total: 0, done: 0, perSecond: 0, etaMs: 0 };
}

/** Of the slots of a process: they restore side by side. */
export function sumOfRestores(all: readonly RestoreProgress[]): RestoreProgress {
  const sum = noProgress();
  for (const { total, done, perSecond, etaMs } of all) {
    sum.total += total;
    sum.done += done;
    if (done < total) sum.perSecond += perSecond;
    sum.etaMs = sum.etaMs === undefined || etaMs === undefined ? undefined : Math.max(sum.etaMs, etaMs);
  }
  return sum;
}

/** What a restore needs. `onProgress` is called now and then, with what was read since. */
export interface RestoreOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly clock: Clock;
  readonly partition: number;
  readonly stores: readonly Restorable[];
  readonly signal: AbortSignal;
  readonly progress: RestoreProgress;
  onProgress?(progress: RestoreProgress): void;
}

interface Waiting {
  readonly store: Restorable;
  at: bigint;
  readonly end: bigint;
}

const POLL_MS = 250;
const TELL_MS = 2_000;

/**
 * Reads each changelog partition from where the store's own copy ends to its committed end. Call it after fencing, so that no predecessor can still
 * commit. Returns how many changelog records were applied.
 */
export async function restoreStores(options: RestoreOptions): Promise<number> {
  const { client, admin, clock, partition, stores, signal, progress } = options;
  const partitions = stores.map(({ topic }) => ({ topic, partition }));
  if (partitions.length === 0) return 0;
  const ranges = await admin.offsets(partitions, { committed: true });
  const waiting = new Map<string, Waiting>();
  if (stores.length > 0) progress.etaMs = undefined;
  for (const [i, store] of stores.entries()) {
    const range = ranges[i] ?? { start: 0n, end: 0n };
    const at = store.begin?.(range) ?? range.start;
    if (range.end <= at) continue;
    waiting.set(store.topic, { store, at, end: range.end });
    progress.total += Number(range.end - at);
  }
  if (waiting.size === 0) {
    progress.etaMs = 0;
    return 0;
  }
  const reader = await client.reader({ committed: true, maxBytes: 32 * 2 ** 20, maxBytesPerPartition: 4 * 2 ** 20 });
  const begun = clock.now();
  let told = begun;
  let restored = 0;
  try {
    for (const [topic, { at }] of waiting) reader.seek({ topic, partition }, at);
    const cursor = new RecordCursor();
    while (waiting.size > 0 && !signal.aborted) {
      for (const fetched of await reader.poll(POLL_MS)) {
        const target = waiting.get(fetched.topic);
        if (target === undefined) continue;
        restored += apply(fetched, target.store, cursor);
        progress.done += Number(fetched.nextOffset - target.at);
        target.at = fetched.nextOffset;
        target.store.reached?.(fetched.nextOffset);
        if (fetched.nextOffset < target.end) continue;
        waiting.delete(fetched.topic);
        reader.remove({ topic: fetched.topic, partition });
      }
      const now = clock.now();
      estimateEnd(progress, now - begun);
      if (now - told < TELL_MS || waiting.size === 0) continue;
      told = now;
      options.onProgress?.(progress);
    }
  } finally {
    await reader.close();
  }
  return restored;
}

function apply({ batches }: FetchedRecords, store: Restorable, cursor: RecordCursor): number {
  let count = 0;
  for (const batch of batches) {
    cursor.open(batch);
    while (cursor.next()) {
      const key = cursor.keyBytes();
      if (key !== null) store.restore(key, cursor.valueBytes());
      count++;
    }
  }
  return count;
}

function estimateEnd(progress: RestoreProgress, elapsedMs: number): void {
  if (progress.done >= progress.total) progress.etaMs = 0;
  if (elapsedMs <= 0 || progress.done === 0) return;
  progress.perSecond = (progress.done / elapsedMs) * 1_000;
  // More may have come than was there at the start.
  progress.etaMs = (Math.max(0, progress.total - progress.done) / progress.perSecond) * 1_000;
}
