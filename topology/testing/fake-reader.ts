import { TaskCorruptedError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import type { FetchedRecords, KafkaReader, ReaderOptions } from '../runtime/kafka-client.ts';
import type { FakeKafka } from './fake-kafka.ts';

interface Position {
  readonly tp: TopicPartition;
  offset: bigint | 'earliest';
  paused: boolean;
  reported: boolean;
}

const MAX_BYTES_PER_PARTITION = 2 ** 20;

/** A reader of a fake broker. */
export class FakeReader implements KafkaReader {
  readonly #broker: FakeKafka;
  readonly #options: ReaderOptions;
  readonly #positions = new Map<string, Position>();
  /** Told by the next poll. */
  #failed: TaskCorruptedError | undefined;

  constructor(broker: FakeKafka, options: ReaderOptions) {
    this.#broker = broker;
    this.#options = options;
  }

  seek(tp: TopicPartition, offset: bigint | 'earliest'): void {
    const paused = this.#positions.get(keyOf(tp))?.paused ?? false;
    this.#positions.set(keyOf(tp), { tp, offset, paused, reported: false });
    this.#broker.wake();
  }

  remove(tp: TopicPartition): void {
    this.#positions.delete(keyOf(tp));
  }

  pause(tp: TopicPartition): void {
    const position = this.#positions.get(keyOf(tp));
    if (position !== undefined) position.paused = true;
  }

  resume(tp: TopicPartition): void {
    const position = this.#positions.get(keyOf(tp));
    if (position !== undefined) position.paused = false;
    this.#broker.wake();
  }

  async poll(maxWaitMs: number): Promise<FetchedRecords[]> {
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed !== undefined) throw failed;
    const fetched = this.#fetch();
    if (fetched.length > 0) return fetched;
    await this.#broker.changed(maxWaitMs);
    return this.#fetch();
  }

  close(): Promise<void> {
    this.#positions.clear();
    return Promise.resolve();
  }

  /** A partition that cannot be read is an error of the next poll where others have moved: theirs must be handed over now. */
  #fetch(): FetchedRecords[] {
    this.#broker.check();
    const found: FetchedRecords[] = [];
    let failed: TaskCorruptedError | undefined;
    for (const position of this.#positions.values()) {
      if (position.paused) continue;
      try {
        const fetched = this.#read(position);
        if (fetched !== undefined) found.push(fetched);
      } catch (error) {
        if (!(error instanceof TaskCorruptedError)) throw error;
        failed ??= error;
      }
    }
    if (failed !== undefined && found.length === 0) throw failed;
    this.#failed = failed;
    return found;
  }

  #read(position: Position): FetchedRecords | undefined {
    const { tp } = position;
    const partition = this.#broker.partition(tp);
    if (position.offset === 'earliest') position.offset = partition.start;
    const { committed, maxBytesPerPartition = MAX_BYTES_PER_PARTITION } = this.#options;
    const fetched = partition.fetch(tp, position.offset, committed, maxBytesPerPartition);
    if (fetched === undefined) {
      throw new TaskCorruptedError(
        'SLC_TASK_OFFSET_OUT_OF_RANGE',
        `${keyOf(tp)} does not have offset ${position.offset}`,
        { where: keyOf(tp) },
      );
    }
    const { batches, nextOffset, endOffset } = fetched;
    const untold = !position.reported && nextOffset >= endOffset;
    if (batches.length === 0 && nextOffset === position.offset && !untold) return undefined;
    position.offset = nextOffset;
    position.reported = true;
    return fetched;
  }
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`;
