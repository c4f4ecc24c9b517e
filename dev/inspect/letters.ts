/** Dead letters: what stages, sinks and the collector have put aside. */
import {
  type KafkaAdmin,
  type KafkaClient,
  type RecordCursor,
  type RecordHeader,
  SOURCE_HEADER_PREFIX,
  type TopicPartition,
} from '#topology';
import { rangesOf } from '../verify/read-topics.ts';
import { scan } from './scan.ts';
import { RetryPosition } from './retry-position.ts';

/** Where a letter's record was read. */
export interface LetterSource extends TopicPartition {
  readonly offset: string;
}

/** A dead letter. Bytes are copies. */
export interface Letter extends TopicPartition {
  readonly offset: bigint;
  /** Event time, ms. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer | null])[];
  readonly stage: string;
  readonly code: string;
  readonly reason: string;
  /** undefined: it came from outside, or waited in the engine. */
  readonly source: LetterSource | undefined;
}

/** Which letters are meant. `places`: partition (undefined: any) and offset. */
export interface LetterFilter {
  readonly stage?: string | undefined;
  readonly code?: string | undefined;
  readonly places?: readonly { readonly partition: number | undefined; readonly offset: bigint }[] | undefined;
}

/** Name of the group that keeps what was retried. */
export const retryGroupOf = (app: string): string => `${app}.dlq.retry`;

/** All dead-letter topics, by name. */
export async function letterTopics(admin: KafkaAdmin): Promise<string[]> {
  return (await admin.listTopics()).filter((name) => name.endsWith('.dlq')).toSorted();
}

/** The letter under a cursor. */
export function letterOf({ topic, partition }: TopicPartition, cursor: RecordCursor): Letter {
  const headers = cursor.headers().map(([name, value]) => [name, value && Buffer.from(value)] as const);
  const text = (name: string): string | undefined => headers.find(([each]) => each === name)?.[1]?.toString('utf8');
  const [from, p, offset] = [text('source.topic'), text('source.partition'), text('source.offset')];
  const isPlace = from !== undefined && p !== undefined && /^\d{1,9}$/.test(p) && offset !== undefined;
  const [key, value] = [cursor.keyBytes(), cursor.valueBytes()];
  return {
    topic,
    partition,
    offset: BigInt(cursor.offset),
    timestamp: cursor.timestamp,
    key: key && Buffer.from(key),
    value: value && Buffer.from(value),
    headers,
    stage: text('stage') ?? topic.replace(/\.dlq$/, ''),
    code: text('code') ?? 'no code',
    reason: text('reason') ?? '',
    source: isPlace ? { topic: from, partition: Number(p), offset } : undefined,
  };
}

/** The headers that the record had where it came from. */
export function sourceHeaders(letter: Letter): RecordHeader[] {
  return letter.headers.flatMap(([name, value]) =>
    name.startsWith(SOURCE_HEADER_PREFIX) ? [[name.slice(SOURCE_HEADER_PREFIX.length), value] as const] : [],
  );
}

export function isMeant(letter: Letter, { stage, code, places }: LetterFilter): boolean {
  if (stage !== undefined && letter.stage !== stage && letter.topic !== stage && letter.topic !== `${stage}.dlq`)
    return false;
  if (code !== undefined && letter.code !== code) return false;
  if (places === undefined) return true;
  return places.some(
    ({ partition, offset }) => offset === letter.offset && (partition ?? letter.partition) === letter.partition,
  );
}

/** What was retried, per `<topic>/<partition>`. */
export async function retryPositions(
  admin: KafkaAdmin,
  app: string,
  ranges: readonly (TopicPartition & { readonly start: bigint })[],
): Promise<Map<string, RetryPosition>> {
  const committed = await admin.committedOffsets(retryGroupOf(app), ranges);
  const held = new Map(committed.map((each) => [`${each.topic}/${each.partition}`, each]));
  return new Map(
    ranges.map(({ topic, partition, start }) => {
      const id = `${topic}/${partition}`;
      const { offset = start, metadata = null } = held.get(id) ?? {};
      return [id, new RetryPosition(offset, metadata)];
    }),
  );
}

/** Letters of one stage and code. Times are event time, ms. */
export interface LetterCount {
  readonly topic: string;
  readonly stage: string;
  readonly code: string;
  count: number;
  retried: number;
  /** Have a place to be sent back to. */
  retriable: number;
  oldest: number;
  newest: number;
  /** The newest one: place and reason. */
  example: string;
  reason: string;
}

/** Counts by topic, stage and code, most first. `complete` false: the time ran out. */
export async function countLetters(
  client: KafkaClient,
  admin: KafkaAdmin,
  options: { readonly app: string; readonly filter: LetterFilter; readonly deadline: number },
): Promise<{ counts: LetterCount[]; complete: boolean }> {
  const ranges = await rangesOf(admin, await letterTopics(admin));
  const positions = await retryPositions(admin, options.app, ranges);
  const counts = new Map<string, LetterCount>();
  const complete = await scan({
    client,
    ranges,
    deadline: options.deadline,
    take(at, cursor) {
      const letter = letterOf(at, cursor);
      if (!isMeant(letter, options.filter)) return undefined;
      const { topic, partition, stage, code, timestamp, source, reason } = letter;
      const id = `${topic}|${stage}|${code}`;
      let one = counts.get(id);
      if (one === undefined) {
        const none = {
          count: 0,
          retried: 0,
          retriable: 0,
          oldest: Infinity,
          newest: -Infinity,
          example: '',
          reason: '',
        };
        counts.set(id, (one = { topic, stage, code, ...none }));
      }
      one.count++;
      if (source !== undefined) one.retriable++;
      if (source !== undefined && positions.get(`${topic}/${partition}`)?.isDone(letter.offset) === true) one.retried++;
      one.oldest = Math.min(one.oldest, timestamp);
      if (timestamp < one.newest) return undefined;
      one.newest = timestamp;
      one.example = placeOf(letter);
      one.reason = reason;
      return undefined;
    },
  });
  return {
    counts: [...counts.values()].toSorted((a, b) => b.count - a.count || (a.topic < b.topic ? -1 : 1)),
    complete,
  };
}

/** `<topic>-<partition>@<offset>`. */
export function placeOf({ topic, partition, offset }: Letter): string {
  return `${topic}-${partition}@${offset}`;
}
