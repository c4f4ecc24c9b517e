/**
 * Where the capture stands, as a record in the compacted topic `sluice.<name>.offsets` (key: the name), written in the same Kafka transaction as the changes
 * before it. Read after fencing only: a live predecessor could still commit.
 */
import { ConnectorError, type KafkaClient, RecordCursor } from '#topology';
import type { SourcePosition } from './types.ts';

/** A stored position. */
export interface StoredOffset extends SourcePosition {
  /** Rows of captured tables already published of the transaction after `gtid`. */
  readonly skip: number;
  /** The GTID of that transaction; null while `skip` is 0. */
  readonly partial: string | null;
  /** 'running': a snapshot was begun and not finished. */
  readonly snapshot: 'running' | 'done';
  /** True once any snapshot has been finished: the next one is a repetition. */
  readonly completed: boolean;
  readonly tables: readonly string[];
  /** What table sluice_clock said at this position, ms; null = wall clock. */
  readonly clock: number | null;
}

/** Name of the offsets topic of a source. */
export function offsetsTopic(name: string): string {
  return `sluice.${name}.offsets`;
}

/** The offset record's value. */
export function encodeOffset(offset: StoredOffset): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, ...offset }));
}

/** Reads what `encodeOffset` wrote; undefined for a tombstone. Throws ConnectorError SLC_CDC_OFFSETS for anything else. */
export function parseOffset(bytes: Uint8Array | null): StoredOffset | undefined {
  if (bytes === null) return undefined;
  try {
    const parsed = JSON.parse(Buffer.from(bytes).toString('utf8')) as StoredOffset & { v: number };
    const { v, gtid, skip, file, pos, snapshot, tables } = parsed;
    const sound = v === 1 && typeof gtid === 'string' && Number.isInteger(skip) && typeof file === 'string';
    if (sound && typeof pos === 'number' && Array.isArray(tables) && (snapshot === 'running' || snapshot === 'done')) {
      return parsed;
    }
  } catch {
    // no JSON: refused below
  }
  throw new ConnectorError('SLC_CDC_OFFSETS', 'the stored position of the capture cannot be read', {
    hint: 'it was written by something else or by a newer version; write a tombstone for its key, and a new snapshot is taken',
  });
}

const POLL_MS = 500;
/** The offsets topic is small; a broker that answers this slowly is away. */
const READ_LIMIT_MS = 60_000;

/** The newest committed position of the source, undefined when there is none. */
export async function readOffset(
  kafka: KafkaClient,
  name: string,
  signal: AbortSignal,
): Promise<StoredOffset | undefined> {
  const topic = offsetsTopic(name);
  let newest: Uint8Array | null = null;
  await readToEnd(kafka, topic, 1, signal, READ_LIMIT_MS, (key, value) => {
    if (key !== null && Buffer.from(key).toString('utf8') === name) newest = value === null ? null : Buffer.from(value);
  });
  return parseOffset(newest);
}

/** Hands over every committed record of a topic from its start to its present end, per partition in order. */
export async function readToEnd(
  kafka: KafkaClient,
  topic: string,
  partitions: number,
  signal: AbortSignal,
  limitMs: number,
  take: (key: Uint8Array | null, value: Uint8Array | null) => void,
): Promise<void> {
  const reader = await kafka.reader({ committed: true });
  const cursor = new RecordCursor();
  const open = new Set(Array.from({ length: partitions }, (_, partition) => partition));
  try {
    for (const partition of open) reader.seek({ topic, partition }, 'earliest');
    const deadline = Date.now() + limitMs;
    while (open.size > 0) {
      signal.throwIfAborted();
      if (Date.now() > deadline) {
        throw new ConnectorError('SLC_CDC_OFFSETS', `reading ${topic} to its end took longer than ${limitMs} ms`);
      }
      for (const fetched of await reader.poll(POLL_MS)) {
        for (const batch of fetched.batches) {
          cursor.open(batch);
          while (cursor.next()) take(cursor.keyBytes(), cursor.valueBytes());
        }
        if (fetched.nextOffset < fetched.endOffset) continue;
        open.delete(fetched.partition);
        reader.remove(fetched);
      }
    }
  } finally {
    await reader.close();
  }
}
