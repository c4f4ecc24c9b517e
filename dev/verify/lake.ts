/** The lake against the topics: how far it has come, bronze for the oracles, and every row of every topic. */
import { SluiceError, type TopicPartition } from '#topology';
import { decode, type DumpOptions, openSerdes } from './dump.ts';
import { compareLakeTopic, LakeTable, type LakeTopicResult } from './lake-table.ts';
import type { OracleDatabase } from './oracle-database.ts';
import { some } from './progress.ts';
import { idOf, type Range, readTopics } from './read-topics.ts';

/** What a partition of a topic holds by its log. */
export interface LakePartitionView {
  readonly partition: number;
  /** The first offset that is not in the lake; null: none is. */
  readonly nextOffset: bigint | null;
  readonly files: readonly string[];
  /** As the log says. */
  readonly rows: number;
}

/** A lake as verify sees it; handed in by the composition root. */
export interface LakeView {
  /** `cleanup`: of a compacted topic Kafka keeps the newest record of a key, the lake all. */
  readonly topics: readonly { readonly name: string; readonly cleanup: 'delete' | 'compact' }[];
  /** Dead-letter topics of the sinks that write it. */
  readonly deadLetters: readonly string[];
  /** A topic's partitions by their logs, as they are now. */
  read(topic: string): Promise<readonly LakePartitionView[]>;
}

/** Compares a lake. For one run of verify. */
export class Lake {
  readonly #view: LakeView;
  readonly #options: DumpOptions;
  /** Per partition the offset of the last record below an end, -1 when there is none at or behind where the lake was: markers are no records. */
  readonly #last = new Map<string, { readonly end: bigint; readonly offset: bigint }>();

  constructor(view: LakeView, options: DumpOptions) {
    this.#view = view;
    this.#options = options;
  }

  get topics(): readonly string[] {
    return this.#view.topics.map(({ name }) => name);
  }

  get deadLetters(): readonly string[] {
    return this.#view.deadLetters;
  }

  /** Whether the lake holds every record of the ranges; else what it lacks, for people. */
  async behind(ranges: readonly Range[]): Promise<string | undefined> {
    const positions = await this.#positions(ranges);
    const at = (range: Range): bigint => {
      const next = positions.get(idOf(range)) ?? range.start;
      return next > range.start ? next : range.start;
    };
    const unsure = ranges.filter((range) => at(range) < range.end && this.#last.get(idOf(range))?.end !== range.end);
    for (const range of unsure) this.#last.set(idOf(range), { end: range.end, offset: -1n });
    // From where the lake is: what lies before does not matter.
    const tails = unsure.map((range) => ({ ...range, start: at(range) }));
    await readTopics(this.#options.client, tails, this.#options.deadline, (tp, { offset }) => {
      const known = this.#last.get(idOf(tp));
      if (known !== undefined) this.#last.set(idOf(tp), { ...known, offset: BigInt(offset) });
      return undefined;
    }).catch((error: unknown) => {
      // Half a tail must not pass for the whole.
      for (const range of unsure) this.#last.delete(idOf(range));
      throw error;
    });
    const lagging = ranges.flatMap((range) => {
      const last = this.#last.get(idOf(range))?.offset ?? -1n;
      return at(range) >= range.end || at(range) > last ? [] : [`${idOf(range)} at ${at(range)} of ${last + 1n}`];
    });
    return lagging.length === 0 ? undefined : `the lake is behind in ${some(lagging)}`;
  }

  /** Bronze for the oracles, from the files that the logs name. */
  async load(topics: readonly string[], into: OracleDatabase): Promise<void> {
    for (const topic of topics) {
      if (!this.topics.includes(topic))
        throw new SluiceError('SLC_VERIFY_LAKE', `the lake has no topic ${topic}, which the oracles need`);
      const files = (await this.#view.read(topic)).flatMap((partition) => partition.files);
      const rows = await this.#table(topic).select(into.connection, files);
      if (rows !== undefined) {
        await into.connection.run(
          `INSERT INTO record SELECT topic, partition, "offset", ts, key, value FROM (${rows})`,
        );
      }
    }
  }

  /** Every row of each of the topics against its committed records. Nothing in any topic is no success. */
  async compare(
    topics: readonly string[],
    ranges: readonly Range[],
    dead: readonly Range[],
    say: (text: string) => void,
  ): Promise<LakeTopicResult[]> {
    const refused = await this.#refused(dead);
    const results: LakeTopicResult[] = [];
    for (const topic of topics) {
      say(`comparing ${topic} with the lake`);
      results.push(await this.#compareTopic(topic, ranges, refused));
    }
    if (results.some(({ rows }) => rows.rows > 0)) return results;
    const examples = ['no rows in any topic: nothing was compared'];
    return results.map((result) => ({ ...result, rows: { ...result.rows, ok: false, examples } }));
  }

  async #compareTopic(
    topic: string,
    ranges: readonly Range[],
    refused: ReadonlyMap<string, string>,
  ): Promise<LakeTopicResult> {
    const own = ranges.filter((range) => range.topic === topic);
    const partitions = await this.#view.read(topic);
    const serdes = await openSerdes(this.#options, topic);
    return await compareLakeTopic(this.#table(topic), own, partitions, async (append) => {
      let dead = 0;
      await readTopics(this.#options.client, own, this.#options.deadline, (at, cursor) => {
        const found = decode(serdes, cursor);
        if (found instanceof Promise) return found;
        const code = refused.get(`${idOf(at)}@${cursor.offset}`);
        // A letter that says "no Avro" of a record that decodes is none: the row is missed.
        if (code !== undefined && (found === undefined || code === REFUSED)) dead += 1;
        else append(at.partition, cursor.offset, cursor.timestamp, found);
        return undefined;
      });
      return dead;
    });
  }

  #table(topic: string): LakeTable {
    const schema = this.#options.schemas[topic];
    if (schema === undefined) throw new SluiceError('SLC_VERIFY_TOPIC', `there is no schema of ${topic}`);
    const key = this.#options.schemas[`${topic}-key`]?.definition;
    const cleanup = this.#view.topics.find(({ name }) => name === topic)?.cleanup ?? 'delete';
    return new LakeTable(topic, schema.definition, key, cleanup);
  }

  async #positions(ranges: readonly Range[]): Promise<Map<string, bigint>> {
    const positions = new Map<string, bigint>();
    for (const topic of new Set(ranges.map((range) => range.topic))) {
      for (const { partition, nextOffset } of await this.#view.read(topic)) {
        if (nextOffset !== null) positions.set(idOf({ topic, partition }), nextOffset);
      }
    }
    return positions;
  }

  /** Records in the dead letters: where they came from -> the code. */
  async #refused(dead: readonly Range[]): Promise<Map<string, string>> {
    const refused = new Map<string, string>();
    await readTopics(this.#options.client, dead, this.#options.deadline, (_, cursor) => {
      const header = (name: string): string => Buffer.from(cursor.header(name) ?? []).toString();
      const source: TopicPartition = { topic: header('source.topic'), partition: Number(header('source.partition')) };
      refused.set(`${idOf(source)}@${header('source.offset')}`, header('code'));
      return undefined;
    });
    return refused;
  }
}

/** The code of a record that decodes and that no file can hold. */
const REFUSED = 'SLC_RECORD_PARQUET';
