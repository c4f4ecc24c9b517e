/** `sluice inspect`: records of a topic, decoded. */
import {
  type KafkaAdmin,
  type KafkaClient,
  ledgerTopicOf,
  parseLedgerRecord,
  partitionFor,
  type RecordCursor,
  TIME_HEADER,
  type TopicPartition,
} from '#topology';
import type { Bound } from './bounds.ts';
import type { CatalogueEntry } from './catalogue.ts';
import { scan, type ScanRange } from './scan.ts';
import { type ByteViewer, type Shown, showHeaders } from './show-bytes.ts';

/** A record as it is shown. `timestamp`: event time, ms. A null value is a tombstone. */
export interface InspectedRecord extends TopicPartition {
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Shown;
  readonly value: Shown;
  readonly headers: Readonly<Record<string, unknown>>;
}

/**
 * Which records. With `from` the first `limit` of each partition from there on, without it the newest ones of each: of all those the `limit` that
 * come first, or last, by event time.
 */
export interface InspectQuery {
  readonly from: Bound | undefined;
  readonly to: Bound | undefined;
  readonly partition: number | undefined;
  /** The key as text, or as JSON; of a key record with one field that field's value will do. */
  readonly key: string | undefined;
  readonly limit: number;
}

/** What reading needs. */
export interface InspectTools {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly viewer: ByteViewer;
  readonly entry: CatalogueEntry;
  readonly app: string;
  /** Wall clock, ms. */
  readonly deadline: number;
}

type Range = ScanRange & { readonly end: bigint };

/** Of the newest records: read backwards in windows of this many offsets per partition, each larger than the one before. */
const FIRST_WINDOW = 64n;
const WINDOW_GROWTH = 8n;
const ROSTER_MS = 3_000;

/** Records in order of event time, then partition, then offset. `complete` false: the time ran out. */
export async function inspectTopic(
  tools: InspectTools,
  query: InspectQuery,
): Promise<{ records: InspectedRecord[]; complete: boolean }> {
  const ranges = await rangesOf(tools, query);
  const reader = new RecordReader(tools, query);
  const { records, complete } =
    query.from === undefined ? await newest(tools, query, ranges, reader) : await first(tools, query, ranges, reader);
  return { records: await reader.finish(records), complete };
}

/** Hands over records as they come, from `from` or else from the end on, until the signal or the limit. */
export async function tailTopic(
  tools: InspectTools,
  query: InspectQuery,
  signal: AbortSignal,
  show: (record: InspectedRecord) => void,
): Promise<void> {
  const ranges = await rangesOf(tools, query);
  const reader = new RecordReader(tools, query);
  await reader.readRoster();
  let count = 0;
  await scan({
    client: tools.client,
    deadline: Infinity,
    signal,
    ranges: ranges.map((range) => ({
      ...range,
      start: query.from === undefined ? range.end : range.start,
      end: undefined,
    })),
    take(at, cursor) {
      const record = reader.read(at, cursor);
      if (record === undefined) return undefined;
      show(reader.shown(record));
      count++;
      return count >= query.limit ? 'stop' : undefined;
    },
  });
}

async function rangesOf({ admin, entry }: InspectTools, query: InspectQuery): Promise<Range[]> {
  const count = (await admin.partitionCounts([entry.name])).get(entry.name) ?? 0;
  const { partition, key, from, to } = query;
  const only =
    partition ?? (key !== undefined && entry.spreadByText ? partitionFor(Buffer.from(key), count) : undefined);
  const partitions = Array.from({ length: count }, (_, p) => ({ topic: entry.name, partition: p })).filter(
    (each) => only === undefined || each.partition === only,
  );
  const kept = await admin.offsets(partitions, { committed: true });
  const since = from?.kind === 'time' ? await admin.offsetsAt(partitions, from.ms) : [];
  return partitions.map((each, i) => {
    const { start = 0n, end = 0n } = kept[i] ?? {};
    const last = to?.kind === 'offset' && to.offset < end ? to.offset : end;
    if (from?.kind === 'offset') return { ...each, start: from.offset > start ? from.offset : start, end: last };
    if (from?.kind === 'time') return { ...each, start: since[i] ?? end, end: last };
    return { ...each, start: from?.kind === 'latest' ? end : start, end: last };
  });
}

async function first(
  { client, deadline }: InspectTools,
  { limit }: InspectQuery,
  ranges: readonly Range[],
  reader: RecordReader,
): Promise<{ records: RawRecord[]; complete: boolean }> {
  const found = new Map<number, RawRecord[]>();
  const complete = await scan({
    client,
    ranges,
    deadline,
    take(at, cursor) {
      const record = reader.read(at, cursor);
      if (record === undefined) return undefined;
      let own = found.get(at.partition);
      if (own === undefined) found.set(at.partition, (own = []));
      own.push(record);
      return own.length >= limit ? 'enough' : undefined;
    },
  });
  return { records: [...found.values()].flat().toSorted(byTime).slice(0, limit), complete };
}

async function newest(
  { client, deadline }: InspectTools,
  { limit }: InspectQuery,
  ranges: readonly Range[],
  reader: RecordReader,
): Promise<{ records: RawRecord[]; complete: boolean }> {
  let records: RawRecord[] = [];
  let window = FIRST_WINDOW + 2n * BigInt(limit);
  let left = ranges.filter(({ start, end }) => start < end);
  while (left.length > 0) {
    const windows = left.map((range) => ({
      ...range,
      start: range.end - window > range.start ? range.end - window : range.start,
    }));
    const found: RawRecord[] = [];
    const complete = await scan({
      client,
      ranges: windows,
      deadline,
      take(at, cursor) {
        const record = reader.read(at, cursor);
        if (record !== undefined) found.push(record);
        return undefined;
      },
    });
    records = [...records, ...found].toSorted(byTime).slice(-limit);
    if (!complete) return { records, complete };
    if (records.length >= limit) break;
    left = left.flatMap((range, i) => {
      const end = windows[i]?.start ?? range.start;
      return end > range.start ? [{ ...range, end }] : [];
    });
    window *= WINDOW_GROWTH;
  }
  return { records, complete: true };
}

interface RawRecord extends Omit<InspectedRecord, 'headers'> {
  readonly headers: [string, Buffer | null][];
}

/** Decodes and selects. Headers are shown last: the roster, which names topics in coordinates, is read only when one is there. */
class RecordReader {
  readonly #tools: InspectTools;
  readonly #query: InspectQuery;
  #roster: readonly string[] = [];

  constructor(tools: InspectTools, query: InspectQuery) {
    this.#tools = tools;
    this.#query = query;
  }

  /** The record under the cursor, when it is wanted. Throws NotReadyError. */
  read({ topic, partition }: TopicPartition, cursor: RecordCursor): RawRecord | undefined {
    const { viewer, entry } = this.#tools;
    const { from, to, key: wanted } = this.#query;
    const { timestamp, offset } = cursor;
    if (from?.kind === 'time' && timestamp < from.ms) return undefined;
    if (to?.kind === 'time' && timestamp >= to.ms) return undefined;
    const otherwise = entry.kind === 'changelog' || entry.kind === 'repartition' ? 'never' : 'may';
    const key = viewer.show(cursor.keyBytes(), entry.avroKey ? 'must' : otherwise);
    if (wanted !== undefined && !isKey(key, wanted)) return undefined;
    // Values that cross a repartition topic unchanged are as in the topic that they come from.
    const value = viewer.show(
      cursor.valueBytes(),
      entry.avro ? 'must' : entry.kind === 'repartition' ? 'may' : otherwise,
    );
    const headers = cursor
      .headers()
      .map(([name, bytes]): [string, Buffer | null] => [name, bytes && Buffer.from(bytes)]);
    return { topic, partition, offset, timestamp, key, value, headers };
  }

  async finish(records: readonly RawRecord[]): Promise<InspectedRecord[]> {
    if (records.some(({ headers }) => headers.some(([name]) => name === TIME_HEADER))) await this.readRoster();
    return records.map((record) => this.shown(record));
  }

  shown(record: RawRecord): InspectedRecord {
    return { ...record, headers: showHeaders(record.headers, this.#roster) };
  }

  /** What cannot be read in a short time is left out: then coordinates have numbers. */
  async readRoster(): Promise<void> {
    const { client, app, deadline } = this.#tools;
    this.#roster = await rosterTopics(client, this.#tools.admin, app, Math.min(deadline, Date.now() + ROSTER_MS));
  }
}

/** The topics of an application's roster, in the order of their numbers. */
async function rosterTopics(
  client: KafkaClient,
  admin: KafkaAdmin,
  app: string,
  deadline: number,
): Promise<readonly string[]> {
  const at = { topic: ledgerTopicOf(app), partition: 0 };
  if (!(await admin.partitionCounts([at.topic])).has(at.topic)) return [];
  const [range] = await admin.offsets([at], { committed: true });
  let topics: readonly string[] = [];
  await scan({
    client,
    ranges: [{ ...at, start: range?.start ?? 0n, end: range?.end ?? 0n }],
    deadline,
    take(_at, cursor) {
      const key = cursor.keyBytes();
      if (key?.subarray(0, 7).toString('latin1') !== 'roster|') return undefined;
      const record = parseLedgerRecord(key, cursor.valueBytes());
      if (record?.kind === 'roster') topics = record.topics;
      return undefined;
    },
  });
  return topics;
}

function isKey(key: Shown, wanted: string): boolean {
  if (key.form === 'none') return false;
  if (typeof key.value !== 'object' || key.value === null) return String(key.value) === wanted;
  const values: unknown[] = Object.values(key.value);
  if (values.length === 1 && String(values[0]) === wanted) return true;
  try {
    return JSON.stringify(key.value) === JSON.stringify(JSON.parse(wanted));
  } catch {
    return false;
  }
}

function byTime(a: RawRecord, b: RawRecord): number {
  return a.timestamp - b.timestamp || a.partition - b.partition || a.offset - b.offset;
}
