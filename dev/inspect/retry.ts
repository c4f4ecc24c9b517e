/** `sluice dlq retry`: sends dead letters' original bytes back to where they came from, each once. */
import {
  BatchBuilder,
  type KafkaAdmin,
  type KafkaClient,
  type KafkaProducer,
  type ReadyBatch,
  type RecordHeader,
  type Topology,
} from '#topology';
import { type Range, rangesOf } from '../verify/read-topics.ts';
import {
  isMeant,
  type Letter,
  letterOf,
  type LetterFilter,
  letterTopics,
  placeOf,
  retryGroupOf,
  retryPositions,
  sourceHeaders,
} from './letters.ts';
import type { RetryPosition } from './retry-position.ts';
import { scan } from './scan.ts';

/** Why a letter is not sent back. */
export type RetryRefusal = 'no-source' | 'derived-source' | 'other-readers';

/** Options of `retryLetters`. */
export interface RetryOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly topology: Topology;
  readonly filter: LetterFilter;
  /** Sends letters of a topic that other stages read, too: they process the record again. */
  readonly alsoOthers: boolean;
  readonly dryRun: boolean;
  readonly limit: number;
  /** Wall clock, ms. */
  readonly deadline: number;
  /** Called after each commit. */
  sent?(letters: readonly Letter[]): void;
}

/** What came of it. */
export interface RetryResult {
  readonly sent: number;
  /** Letters sent, by topic that they were sent to. */
  readonly bySource: ReadonlyMap<string, number>;
  /** With the places of the first few. */
  readonly refused: ReadonlyMap<RetryRefusal, { readonly count: number; readonly examples: readonly string[] }>;
  /** False: the time ran out, or the limit was reached. */
  readonly complete: boolean;
}

/** Where the record of a header `sluice-retry` was put aside. */
export const RETRY_HEADER = 'sluice-retry';

/** Letters of one transaction. */
const MOST_LETTERS = 500;
const MOST_BYTES = 4 * 2 ** 20;
const MOST_BATCH_BYTES = 700_000;
const RECORD_BYTES = 1_000;
const EXAMPLES = 3;
const encoder = new TextEncoder();

/**
 * Letters in the order of their offsets, in transactions that hold the records and the position of the retry (group `<app>.dlq.retry`): after a crash
 * the next run goes on behind the last commit. Only one run at a time: a second one fences the first, which ends with TaskMigratedError.
 */
export async function retryLetters(options: RetryOptions): Promise<RetryResult> {
  const { client, admin, topology, dryRun } = options;
  const retry = new Retry(options);
  if (dryRun) {
    for (const range of await rangesOf(admin, await letterTopics(admin)))
      if (!(await retry.partition(range, undefined))) break;
    return retry.result;
  }
  const producer = await client.producer({ transactionalId: retryGroupOf(topology.app), transactionTimeoutMs: 15_000 });
  try {
    // First: only then are the committed positions the last word of a run before.
    await producer.fence();
    for (const range of await rangesOf(admin, await letterTopics(admin)))
      if (!(await retry.partition(range, producer))) break;
    return retry.result;
  } finally {
    await producer.close().catch(() => undefined);
  }
}

class Retry {
  readonly #options: RetryOptions;
  #sent = 0;
  readonly #bySource = new Map<string, number>();
  readonly #refused = new Map<RetryRefusal, { count: number; examples: string[] }>();
  #complete = true;

  constructor(options: RetryOptions) {
    this.#options = options;
  }

  get result(): RetryResult {
    return { sent: this.#sent, bySource: this.#bySource, refused: this.#refused, complete: this.#complete };
  }

  /** False: no further partition. Without a producer nothing is sent. */
  async partition(range: Range, producer: KafkaProducer | undefined): Promise<boolean> {
    const { client, admin, topology, deadline, limit } = this.#options;
    const position = (await retryPositions(admin, topology.app, [range])).get(`${range.topic}/${range.partition}`);
    if (position === undefined) return true;
    const order: bigint[] = [];
    let open: Letter[] = [];
    let bytes = 0;
    const from = position.offset > range.start ? position.offset : range.start;
    // The end was taken before anything was sent: what fails again is a new letter, for another run.
    for (let start = from; start < range.end;) {
      let next = range.end;
      const read = await scan({
        client,
        ranges: [{ ...range, start }],
        deadline,
        take: (at, cursor) => {
          const letter = letterOf(at, cursor);
          if (letter.source !== undefined) order.push(letter.offset);
          if (!this.#isWanted(letter, position)) return undefined;
          open.push(letter);
          bytes += sizeOf(letter);
          if (open.length < MOST_LETTERS && bytes < MOST_BYTES && this.#sent + open.length < limit) return undefined;
          next = letter.offset + 1n;
          return 'stop';
        },
      });
      if (!read) this.#complete = false;
      await this.#send(open, range, position, order, producer);
      [open, bytes, start] = [[], 0, next];
      if (!read) return false;
      if (this.#sent >= limit) {
        this.#complete = false;
        return false;
      }
    }
    return true;
  }

  #isWanted(letter: Letter, position: RetryPosition): boolean {
    if (!isMeant(letter, this.#options.filter) || position.isDone(letter.offset)) return false;
    const refusal = this.#refusalOf(letter);
    if (refusal === undefined) return true;
    const { count, examples } = this.#refused.get(refusal) ?? { count: 0, examples: [] };
    if (examples.length < EXAMPLES) examples.push(placeOf(letter));
    this.#refused.set(refusal, { count: count + 1, examples });
    return false;
  }

  #refusalOf({ source, stage }: Letter): RetryRefusal | undefined {
    if (source === undefined) return 'no-source';
    const { topology, alsoOthers } = this.#options;
    const readers = topology.subTopologies.filter((sub) =>
      sub.sources.some(({ topic }) => topic.name === source.topic),
    );
    // Its writers have promised to write nothing older: a record from elsewhere would break their word, and stop its readers.
    if (topology.writers.has(source.topic) && readers.length > 0) return 'derived-source';
    if (!alsoOthers && readers.some((sub) => sub.stage !== stage)) return 'other-readers';
    return undefined;
  }

  async #send(
    letters: readonly Letter[],
    { topic, partition }: Range,
    position: RetryPosition,
    order: readonly bigint[],
    producer: KafkaProducer | undefined,
  ): Promise<void> {
    if (letters.length === 0) return;
    if (producer !== undefined) {
      position.done(new Set(letters.map(({ offset }) => offset)), order);
      const metadata = position.metadata();
      const batches = this.#batches(letters);
      await producer.begin();
      await producer.send(batches);
      const { topology } = this.#options;
      await producer.sendOffsets(retryGroupOf(topology.app), [{ topic, partition, offset: position.offset, metadata }]);
      await producer.commit();
    }
    this.#sent += letters.length;
    for (const { source } of letters) {
      if (source !== undefined) this.#bySource.set(source.topic, (this.#bySource.get(source.topic) ?? 0) + 1);
    }
    this.#options.sent?.(letters);
  }

  #batches(letters: readonly Letter[]): ReadyBatch[] {
    const batches: ReadyBatch[] = [];
    for (const letter of letters) {
      const { source } = letter;
      if (source === undefined) continue;
      const { topic, partition } = source;
      let last = batches.findLast((each) => each.topic === topic && each.partition === partition);
      if (last === undefined || last.batch.sizeBytes + sizeOf(letter) > MOST_BATCH_BYTES) {
        batches.push((last = { topic, partition, batch: new BatchBuilder() }));
      }
      const mark: RecordHeader = [RETRY_HEADER, encoder.encode(placeOf(letter))];
      const headers = sourceHeaders(letter).filter(([name]) => name !== RETRY_HEADER);
      last.batch.append(letter.key, letter.value, letter.timestamp, [...headers, mark]);
    }
    return batches;
  }
}

function sizeOf({ key, value, headers }: Letter): number {
  const held = headers.reduce((sum, [name, content]) => sum + name.length + (content?.length ?? 0), 0);
  return (key?.length ?? 0) + (value?.length ?? 0) + held + RECORD_BYTES;
}
