/** Finds a user's rows in topics: by the column that the topic is marked with, whatever its key is. */
import { isErasure, RecordError, TIME_HEADER, type RecordCursor, type TopicPartition } from '#topology';
import { decode, openSerdes, type TopicSerdes } from '../verify/dump.ts';
import { idOf, type Range, rangesOf, readTopics } from '../verify/read-topics.ts';
import type { PersonalTopic, RowSearch } from './types.ts';

/** A key whose newest row is about the user. Bytes are copies. */
export interface FoundKey extends TopicPartition {
  readonly key: Buffer;
  /** Of the row, ms. */
  readonly timestamp: number;
  /** Header `sluice-time` of the row. */
  readonly time: Buffer | null;
}

/** What a topic holds of the user. */
export interface TopicRows {
  readonly topic: PersonalTopic;
  /** By key and partition. */
  readonly keys: ReadonlyMap<string, FoundKey>;
  /** Keys with a row that no writer of the topic has ended: what was only erased counts. */
  readonly there: ReadonlySet<string>;
  /** Rows in the log about the user, former versions of a row too. */
  readonly records: number;
}

interface Rows {
  readonly topic: PersonalTopic;
  readonly serdes: TopicSerdes;
  readonly keys: Map<string, FoundKey>;
  readonly there: Set<string>;
  records: number;
}

/** Reads the topics once, and from there on what has come since. */
export class RowFinder {
  readonly #options: RowSearch;
  readonly #rows: ReadonlyMap<string, Rows>;
  readonly #next = new Map<string, bigint>();
  readonly #last = new Map<string, TopicPartition & { readonly offset: bigint }>();

  private constructor(options: RowSearch, rows: ReadonlyMap<string, Rows>) {
    this.#options = options;
    this.#rows = rows;
  }

  /** Of those of the topics that exist. */
  static async open(options: RowSearch): Promise<RowFinder> {
    const there = await options.admin.partitionCounts(options.topics.map(({ name }) => name));
    const rows = new Map<string, Rows>();
    const from = { ...options, app: options.topology.app };
    for (const topic of options.topics) {
      if (!there.has(topic.name)) continue;
      const serdes = await openSerdes(from, topic.name);
      rows.set(topic.name, { topic, serdes, keys: new Map(), there: new Set(), records: 0 });
    }
    return new RowFinder(options, rows);
  }

  get rows(): readonly TopicRows[] {
    return [...this.#rows.values()];
  }

  /** The last record of each partition that was read; markers are none. */
  get last(): readonly (TopicPartition & { readonly offset: bigint })[] {
    return [...this.#last.values()];
  }

  /** Up to the ends as they are now. RecordError SLC_RECORD_DECODE when a row cannot be read: whose it is cannot be told then. */
  async read(): Promise<void> {
    const { client, admin, deadline } = this.#options;
    const ranges = (await rangesOf(admin, [...this.#rows.keys()])).map((range): Range => {
      return { ...range, start: this.#next.get(idOf(range)) ?? range.start };
    });
    await readTopics(client, ranges, deadline, (at, cursor) => this.#take(at, cursor));
    for (const range of ranges) this.#next.set(idOf(range), range.end);
  }

  #take({ topic, partition }: TopicPartition, cursor: RecordCursor): Promise<void> | undefined {
    const rows = this.#rows.get(topic);
    if (rows === undefined) return undefined;
    const at = { topic, partition };
    const decoded = decode(rows.serdes, cursor);
    if (decoded instanceof Promise) return decoded;
    if (decoded === undefined) {
      throw new RecordError(
        'SLC_RECORD_DECODE',
        `${idOf(at)}@${cursor.offset} does not decode: nobody can tell whose it is`,
      );
    }
    this.#last.set(idOf(at), { ...at, offset: BigInt(cursor.offset) });
    const key = cursor.keyBytes();
    const id = `${partition}|${key?.toString('base64') ?? ''}`;
    const column = (decoded.value as Readonly<Record<string, unknown>> | null)?.[rows.topic.column];
    const isId = typeof column === 'number' || typeof column === 'bigint' || typeof column === 'string';
    const isOfUser = isId && this.#options.isOf(String(column));
    if (isOfUser) rows.records++;
    if (isOfUser) rows.there.add(id);
    else if (!isErasure(cursor)) rows.there.delete(id);
    if (!isOfUser || key === null) rows.keys.delete(id);
    else {
      const time = cursor.header(TIME_HEADER);
      rows.keys.set(id, { ...at, key: Buffer.from(key), timestamp: cursor.timestamp, time: time && Buffer.from(time) });
    }
    return undefined;
  }
}
