/** Late and dead-letter topics as rows that can be compared. */
import type { KafkaAdmin, KafkaClient, RecordCursor, TopicPartition } from '#topology';
import { rangesOf, readTopics } from '../read-topics.ts';
import { hashOf, type OutputRow, type OutputRows, unframed } from './output-rows.ts';

interface LateRecord {
  readonly stage: string;
  readonly windowStart: number | null;
  readonly timestamp: number;
  readonly originWatermark: number | { readonly $number: string };
}

/** Which of an origin topic's records were read by the replay: [start, end) per `<topic>|<partition>`. */
export type FrozenRanges = ReadonlyMap<string, { readonly start: bigint; readonly end: bigint }>;

/** How such a topic is read. */
export interface ReadAside {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly topic: string;
  readonly frozen: FrozenRanges;
  /** ms since the epoch. */
  readonly deadline: number;
}

/** The late records of a stage: complete up to the stage's promise, as what it writes. */
export async function readLate(options: ReadAside): Promise<OutputRows> {
  return await read(options, (at, cursor) => {
    const { stage: _stage, ...late } = JSON.parse(cursor.valueBytes()?.toString('utf8') ?? '{}') as LateRecord;
    const ow = typeof late.originWatermark === 'number' ? late.originWatermark : Number(late.originWatermark.$number);
    return {
      hash: hashOf([cursor.keyBytes(), JSON.stringify(late)]),
      identity: `key ${late.windowStart === null ? '' : `${new Date(late.windowStart).toISOString()} `}${cursor.keyBytes()?.toString('utf8') ?? 'none'}`,
      complete: ow,
      earliest: late.windowStart ?? late.timestamp,
      at,
      deleted: false,
      key: '',
    };
  });
}

/**
 * The dead letters of a stage. Those of a record of an origin topic say which it was: within the replay or not. Of others only that is known
 * which the record was, so what live has and the replay has not is told apart only when live stands still.
 */
export async function readDeadLetters(options: ReadAside): Promise<OutputRows> {
  return await read(options, (at, cursor) => {
    const header = (name: string): string => cursor.header(name)?.toString('utf8') ?? '';
    const frozen = options.frozen.get(`${header('source.topic')}|${header('source.partition')}`);
    const offset = BigInt(header('source.offset') || '0');
    const isWithin = frozen !== undefined && offset < frozen.end;
    return {
      hash: hashOf([
        cursor.keyBytes(),
        String(cursor.timestamp),
        unframed(cursor.valueBytes()),
        header('code'),
        frozen === undefined ? '' : `${header('source.topic')}|${header('source.partition')}|${offset}`,
      ]),
      identity: `${header('code')} key ${cursor.keyBytes()?.toString('utf8') ?? 'none'}`,
      complete: Infinity,
      decided: isWithin,
      earliest: frozen !== undefined && offset < frozen.start ? -Infinity : cursor.timestamp,
      at,
      deleted: false,
      key: '',
    };
  });
}

async function read(
  { client, admin, topic, deadline }: ReadAside,
  rowOf: (at: string, cursor: RecordCursor) => OutputRow,
): Promise<OutputRows> {
  const ranges = await rangesOf(admin, [topic]);
  const rows: OutputRow[] = [];
  await readTopics(client, ranges, deadline, ({ partition }: TopicPartition, cursor) => {
    rows.push(rowOf(`${partition}@${cursor.offset}`, cursor));
    return undefined;
  });
  return { rows, trimmed: ranges.some(({ start }) => start > 0n), schemaIds: [], erased: new Set() };
}
