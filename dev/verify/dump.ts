/** The dump that verify works on: bronze and pins for the oracles, silver and gold as they are. */
import {
  applicationsOf,
  isErasure,
  isTimeHeader,
  type KafkaAdmin,
  type KafkaClient,
  lateTopicOf,
  ledgerTopicOf,
  NotReadyError,
  parseLedgerRecord,
  RecordError,
  type RecordCursor,
  type Schema,
  type Serde,
  type SerdeFactory,
  SluiceError,
  textSerde,
  TIME_HEADER,
  type Topology,
  type TopicPartition,
  watermarkOf,
} from '#topology';
import type { OracleDatabase } from './oracle-database.ts';
import { idOf, type Range, rangesOf, readTopics } from './read-topics.ts';
import {
  BRONZE_TOPICS,
  columnsOf,
  type Definitions,
  type Row,
  textOf,
  VERIFIED_TABLES,
  type VerifiedTable,
} from './tables.ts';

/** Where the logs ended, bronze and outputs first, the ledger last: every pin with at <= end of its partition is in it. */
export interface Frozen {
  readonly bronze: readonly Range[];
  readonly outputs: readonly Range[];
  readonly ledger: readonly Range[];
}

/** A record of an output topic as a row. */
export interface OutputRow {
  readonly partition: number;
  readonly offset: number;
  readonly row: Row;
}

/** What the output topics held. */
export interface Outputs {
  /** Per table its records in log order; deletes are in it. */
  readonly rows: Map<string, OutputRow[]>;
  /** Per stage how many records its late topic holds. */
  readonly late: Map<string, number>;
}

/** What dumping needs. `schemas`: of values under the topic's name, of keys under `<topic>-key`. */
export interface DumpOptions {
  readonly client: KafkaClient;
  readonly serdes: SerdeFactory;
  readonly schemas: Readonly<Record<string, Schema<unknown>>>;
  readonly app: string;
  /** ms since the epoch. */
  readonly deadline: number;
}

/** Takes the ends. Bronze and outputs first: a pin written between the two calls can only lie at or beyond a frozen end. */
export async function freeze(admin: KafkaAdmin, project: Topology): Promise<Frozen> {
  const tables = VERIFIED_TABLES.flatMap((table) =>
    table.late ? [table.name, lateTopicOf(table.name)] : [table.name],
  );
  const ranges = await rangesOf(admin, [...BRONZE_TOPICS, ...tables]);
  const bronzeTopics = new Set<string>(BRONZE_TOPICS);
  const bronze = ranges.filter((range) => bronzeTopics.has(range.topic));
  const ledger = await rangesOf(admin, applicationsOf(project).map(ledgerTopicOf));
  for (const topic of BRONZE_TOPICS) {
    if (!bronze.some((range) => range.topic === topic))
      throw new SluiceError('SLC_VERIFY_TOPIC', `there is no topic ${topic}`);
  }
  const trimmed = bronze.find((range) => range.start > 0n);
  if (trimmed !== undefined) {
    throw new SluiceError(
      'SLC_VERIFY_TRIMMED',
      `${idOf(trimmed)} begins at offset ${trimmed.start}: its first records are gone`,
      {
        hint: 'verify needs all of bronze; raise its retention, or begin with an empty broker',
      },
    );
  }
  return { bronze, outputs: ranges.filter((range) => !bronzeTopics.has(range.topic)), ledger };
}

/** Reads bronze into the oracles' database. A record that does not decode is none of theirs: its offset exists, no more. */
export async function dumpBronze(options: DumpOptions, frozen: Frozen, into: OracleDatabase): Promise<number> {
  let undecodable = 0;
  const serdes = new Map<string, TopicSerdes>();
  for (const topic of BRONZE_TOPICS) serdes.set(topic, await openSerdes(options, topic));
  await readTopics(options.client, frozen.bronze, options.deadline, (at, cursor) => {
    const decoded = decode(serdes.get(at.topic), cursor);
    if (decoded instanceof Promise) return decoded;
    if (decoded === undefined) undecodable++;
    else into.append({ ...at, offset: BigInt(cursor.offset), timestamp: cursor.timestamp, ...decoded });
    return undefined;
  });
  return undecodable;
}

/** Where the logs of bronze ended, and the pins up to there. */
export async function dumpClocks(options: DumpOptions, frozen: Frozen, into: OracleDatabase): Promise<void> {
  for (const range of frozen.bronze) into.appendEnd(range);
  const bronze: readonly string[] = BRONZE_TOPICS;
  await readTopics(options.client, frozen.ledger, options.deadline, (_, cursor) => {
    const record = parseLedgerRecord(cursor.keyBytes(), cursor.valueBytes());
    if (record?.kind === 'pin' && bronze.includes(record.topic)) into.appendPin(record);
    return undefined;
  });
}

/** Reads silver and gold. Throws what the serde throws when a record does not decode: the engine wrote it. */
export async function dumpOutputs(options: DumpOptions, frozen: Frozen, definitions: Definitions): Promise<Outputs> {
  const readers = new Map<
    string,
    { rows: OutputRow[]; read(at: TopicPartition, cursor: RecordCursor): Promise<void> | undefined }
  >();
  for (const table of VERIFIED_TABLES) {
    readers.set(table.name, tableReader(table, columnsOf(table, definitions), await openSerdes(options, table.name)));
  }
  const late = new Map<string, number>();
  await readTopics(options.client, frozen.outputs, options.deadline, (at, cursor) => {
    const reader = readers.get(at.topic);
    if (reader !== undefined) return reader.read(at, cursor);
    late.set(at.topic, (late.get(at.topic) ?? 0) + 1);
    return undefined;
  });
  return { rows: new Map([...readers].map(([name, reader]) => [name, reader.rows])), late };
}

function tableReader(table: VerifiedTable, columns: readonly string[], serdes: TopicSerdes) {
  const rows: OutputRow[] = [];
  return {
    rows,
    read(at: TopicPartition, cursor: RecordCursor): Promise<void> | undefined {
      // It takes back what somebody was told, not what the stages have made: that is still demanded of a topic which keeps every record.
      if (table.rows === 'all' && isErasure(cursor)) return undefined;
      const decoded = decode(serdes, cursor);
      if (decoded instanceof Promise) return decoded;
      if (decoded === undefined) {
        throw new RecordError('SLC_RECORD_DECODE', `${idOf(at)}@${cursor.offset} of ${table.name} does not decode`);
      }
      const { key, value } = decoded;
      const header = cursor.header(TIME_HEADER);
      const fields = (value ?? {}) as Record<string, unknown>;
      const meta: Record<string, unknown> = {
        _key: key,
        _ts: cursor.timestamp,
        _ow: isTimeHeader(header) ? watermarkOf(header) : null,
        _deleted: value === null,
      };
      const row = columns.map((column) => textOf(column in meta ? meta[column] : fields[column]));
      rows.push({ partition: at.partition, offset: cursor.offset, row });
      return undefined;
    },
  };
}

/** How a topic's bytes are read. */
export interface TopicSerdes {
  readonly key: Serde<unknown>;
  readonly value: Serde<unknown>;
}

/** The serdes of a topic, to read. SluiceError SLC_VERIFY_TOPIC when no schema is known. */
export async function openSerdes({ serdes, schemas }: DumpOptions, topic: string): Promise<TopicSerdes> {
  const use = { write: false };
  const keySchema = schemas[`${topic}-key`];
  const valueSchema = schemas[topic];
  if (valueSchema === undefined) throw new SluiceError('SLC_VERIFY_TOPIC', `there is no schema of ${topic}`);
  return {
    key: keySchema === undefined ? textSerde : await serdes.open(`${topic}-key`, keySchema, use),
    value: await serdes.open(`${topic}-value`, valueSchema, use),
  };
}

/** Key and value; a promise when a schema must come first; undefined when the bytes are not what they should be. */
export function decode(
  serdes: TopicSerdes | undefined,
  cursor: RecordCursor,
): { key: unknown; value: unknown } | Promise<void> | undefined {
  const key = cursor.keyBytes();
  const value = cursor.valueBytes();
  try {
    return {
      key: key === null ? null : (serdes?.key.deserialize(key) ?? null),
      value: value === null ? null : (serdes?.value.deserialize(value) ?? null),
    };
  } catch (error) {
    if (error instanceof NotReadyError) return error.ready;
    if (error instanceof RecordError || error instanceof TypeError) return undefined;
    throw error;
  }
}
