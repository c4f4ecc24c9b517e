/** Reads an output topic, live or of a replay, as rows that can be compared: a hash each, and where it lies in event time. */
import { createHash } from 'node:crypto';
import {
  coordinateOf,
  isErasure,
  isTimeHeader,
  type KafkaAdmin,
  type KafkaClient,
  type RecordCursor,
  TIME_HEADER,
  type TopicPartition,
  watermarkOf,
  windowOfCoordinate,
} from '#topology';
import { rangesOf, readTopics } from '../read-topics.ts';

/** A row without its content. Times are ms since the epoch. */
export interface OutputRow {
  /** Of all that is compared. */
  readonly hash: string;
  /** What names it among others: its key, and for a final its window. */
  readonly identity: string;
  /** Origin watermark: the stage's promise says up to which one everything is out; for a window of a table, its end + the delay of its closing. */
  readonly complete: number;
  /** The replay must have it, whatever its promise says. */
  readonly decided?: boolean;
  /** The earliest instant that it depends on. */
  readonly earliest: number;
  /** Where it was read: `<partition>@<offset>`. */
  readonly at: string;
  /** A table's deleted key. */
  readonly deleted: boolean;
  readonly key: string;
}

/** A topic as rows; `trimmed`: its first records are gone. */
export interface OutputRows {
  readonly rows: OutputRow[];
  readonly trimmed: boolean;
  readonly schemaIds: readonly number[];
  /** Keys that were ended because somebody was erased. */
  readonly erased: ReadonlySet<string>;
}

const FRAME_BYTES = 5;
const NEVER = Number.POSITIVE_INFINITY;

/** How the rows of a topic are read. `lastPerKey`: Kafka may have compacted it, so only the newest of each key is there for sure. */
export interface ReadOutput {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly topic: string;
  readonly kind: 'records' | 'table';
  readonly lastPerKey: boolean;
  readonly closeDelayMs: number;
  /** ms since the epoch. */
  readonly deadline: number;
}

/** Every committed record of the topic, or the last of each key. SluiceError SLC_VERIFY_DEADLINE when it is not read in time. */
export async function readOutput(options: ReadOutput): Promise<OutputRows> {
  const { client, admin, topic, lastPerKey, deadline } = options;
  const ranges = await rangesOf(admin, [topic]);
  const rows: OutputRow[] = [];
  const last = new Map<string, OutputRow>();
  const schemaIds = new Set<number>();
  const erased = new Set<string>();
  await readTopics(client, ranges, deadline, (tp, cursor) => {
    const row = rowOf(options, tp, cursor);
    if (isErasure(cursor)) erased.add(row.key);
    const value = cursor.valueBytes();
    if (isFramed(value)) schemaIds.add(value.readInt32BE(1));
    if (lastPerKey) last.set(row.key, row);
    else rows.push(row);
    return undefined;
  });
  const found = lastPerKey ? [...last.values()].filter(({ deleted }) => !deleted) : rows;
  return {
    rows: found,
    trimmed: !lastPerKey && ranges.some(({ start }) => start > 0n),
    schemaIds: [...schemaIds].sort((a, b) => a - b),
    erased,
  };
}

/** Both sides without the keys that were ended on either; `erased`: how many rows these were, of the side that had more. */
export function withoutErased(
  live: OutputRows,
  replay: OutputRows,
): { readonly live: OutputRows; readonly replay: OutputRows; readonly erased: number } {
  const keys = live.erased.union(replay.erased);
  if (keys.size === 0) return { live, replay, erased: 0 };
  const left = (of: OutputRows): OutputRows => ({ ...of, rows: of.rows.filter(({ key }) => !keys.has(key)) });
  const [ours, theirs] = [left(live), left(replay)];
  const rows = (of: OutputRows): number => of.rows.filter(({ deleted }) => !deleted).length;
  return { live: ours, replay: theirs, erased: Math.max(rows(live) - rows(ours), rows(replay) - rows(theirs)) };
}

function rowOf({ kind, closeDelayMs }: ReadOutput, { partition }: TopicPartition, cursor: RecordCursor): OutputRow {
  const key = cursor.keyBytes();
  const value = cursor.valueBytes();
  const header = cursor.header(TIME_HEADER);
  const time = isTimeHeader(header) ? header : undefined;
  const window = time === undefined ? undefined : windowOfCoordinate(coordinateOf(time));
  const table = window === undefined ? NEVER : window.end + closeDelayMs;
  return {
    // When updates leave is a matter of commits, so their watermark is none of their content.
    hash: hashOf([key, String(cursor.timestamp), unframed(value), ...(kind === 'records' ? [time ?? null] : [])]),
    identity: `key ${key?.toString('utf8') ?? 'none'}`,
    complete: kind === 'table' ? table : time === undefined ? NEVER : watermarkOf(time),
    earliest: window?.start ?? cursor.timestamp,
    at: `${partition}@${cursor.offset}`,
    deleted: value === null,
    key: key?.toString('latin1') ?? '',
  };
}

function isFramed(value: Buffer | null): value is Buffer {
  return value !== null && value.length >= FRAME_BYTES && value[0] === 0;
}

/** The id of its schema is none of a value's content. */
export function unframed(value: Buffer | null): Buffer | null {
  return isFramed(value) ? value.subarray(FRAME_BYTES) : value;
}

/** Of parts that cannot run into each other. */
export function hashOf(parts: readonly (Buffer | string | null)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(part === null ? 'null;' : `${Buffer.byteLength(part)};`);
    if (part !== null) hash.update(part);
  }
  return hash.digest('base64');
}
