/** Reads partitions between two offsets, or on and on, within a time, and stops as soon as it has enough. Reads what is committed, without a group. */
import {
  type FetchedRecords,
  type KafkaClient,
  type KafkaReader,
  NotReadyError,
  type RecordBatch,
  RecordCursor,
  TaskCorruptedError,
  type TopicPartition,
} from '#topology';

/** What to read of a partition. `end` undefined: on and on. */
export interface ScanRange extends TopicPartition {
  readonly start: bigint;
  readonly end: bigint | undefined;
}

/** What a record was worth: 'enough' = no more of its partition, 'stop' = no more at all. */
export type Taken = 'enough' | 'stop' | undefined;

/** Options of `scan`. */
export interface ScanOptions {
  readonly client: KafkaClient;
  readonly ranges: readonly ScanRange[];
  /** Wall clock, ms; Infinity = none. */
  readonly deadline: number;
  readonly signal?: AbortSignal | undefined;
  /** Of one fetch and partition. */
  readonly bytesPerPartition?: number;
  /** The cursor is valid until it returns. When it throws NotReadyError it is called again with the same record once that is ready. */
  take(at: TopicPartition, cursor: RecordCursor): Taken;
}

const POLL_MS = 200;
const FETCH_BYTES = 8 * 2 ** 20;
const PARTITION_BYTES = 512 * 1024;

/** True when all was read that was asked for; false when the time ran out or the signal came before. */
export async function scan(options: ScanOptions): Promise<boolean> {
  const open = new Map(
    options.ranges.filter(({ start, end }) => end === undefined || end > start).map((range) => [keyOf(range), range]),
  );
  if (open.size === 0) return true;
  const reader = await options.client.reader({
    committed: true,
    maxBytes: FETCH_BYTES,
    maxBytesPerPartition: options.bytesPerPartition ?? PARTITION_BYTES,
  });
  const cursor = new RecordCursor();
  try {
    const positions = new Map([...open].map(([key, range]) => [key, { range, next: range.start }]));
    for (const range of open.values()) reader.seek(range, range.start);
    while (open.size > 0) {
      if (Date.now() > options.deadline || options.signal?.aborted === true) return false;
      for (const fetched of await poll(reader, positions)) {
        const range = open.get(keyOf(fetched));
        if (range === undefined) continue;
        positions.set(keyOf(fetched), { range, next: fetched.nextOffset });
        const taken = await walk(options, range, fetched.batches, cursor);
        if (taken === 'stop') return true;
        if (taken === undefined && (range.end === undefined || fetched.nextOffset < range.end)) continue;
        open.delete(keyOf(fetched));
        positions.delete(keyOf(fetched));
        reader.remove(fetched);
      }
    }
    return true;
  } finally {
    await reader.close();
  }
}

/** What comes. Of a log that is trimmed while it is read, as repartition topics are, what is left. */
async function poll(
  reader: KafkaReader,
  positions: ReadonlyMap<string, { readonly range: TopicPartition; readonly next: bigint }>,
): Promise<FetchedRecords[]> {
  try {
    return await reader.poll(POLL_MS);
  } catch (error) {
    if (!(error instanceof TaskCorruptedError) || error.code !== 'SLC_TASK_OFFSET_OUT_OF_RANGE') throw error;
    const isLost = ({ topic, partition }: TopicPartition): boolean => error.where === `${topic}-${partition}`;
    const all = [...positions.values()];
    if (!all.some(({ range }) => isLost(range))) throw error;
    // What else came with the error is fetched again.
    for (const { range, next } of all) reader.seek(range, isLost(range) ? 'earliest' : next);
    return [];
  }
}

async function walk(
  options: ScanOptions,
  range: ScanRange,
  batches: readonly RecordBatch[],
  cursor: RecordCursor,
): Promise<Taken> {
  for (const batch of batches) {
    cursor.open(batch);
    while (cursor.next()) {
      if (range.end !== undefined && BigInt(cursor.offset) >= range.end) return undefined;
      const taken = await whenReady(() => options.take(range, cursor));
      if (taken !== undefined) return taken;
      if (options.signal?.aborted === true) return 'stop';
    }
  }
  return undefined;
}

async function whenReady<T>(work: () => T): Promise<T> {
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof NotReadyError)) throw error;
      await error.ready;
    }
  }
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;
