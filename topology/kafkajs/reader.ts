import type { Kafka } from 'kafkajs';
import { RetriableError, TaskCorruptedError } from '../errors.ts';
import { parseFetched } from '../record-batch.ts';
import type { TopicPartition } from '../record.ts';
import type { FetchedRecords, KafkaReader, ReaderOptions } from '../runtime/kafka-client.ts';
import { listOffsets } from './admin.ts';
import { again, ClusterConnection } from './connection.ts';
import { rootOf } from './errors.ts';
import { type FetchPosition, FetchPositions } from './fetch-position.ts';
import type { Cluster } from './load.ts';
import type { FetchedPartition } from './patches/fetch-v11.ts';

const EARLIEST = -2;
const MAX_BYTES = 16 * 2 ** 20;
const MAX_BYTES_PER_PARTITION = 2 ** 20;
const MAX_UNREADABLE = 5;
/** Of a broker for a reader to which nothing comes: such readers were most of what an idle shop costs the broker. Kafka's own clients wait as long. */
const QUIET_WAIT_MS = 500;

/** A fetch response that waits for `poll`: each partition with the position that it was asked for. */
interface Arrived {
  readonly position: FetchPosition;
  readonly fetched: FetchedPartition;
}

/**
 * Reads by explicit position: one fetch under way per broker, the next one is sent before the last one is processed. kafkajs's consumer reads for
 * groups only.
 */
export class KafkajsReader implements KafkaReader {
  readonly #connection: ClusterConnection;
  readonly #options: ReaderOptions;
  readonly #positions = new FetchPositions();
  /** Brokers with a fetch under way. */
  readonly #fetching = new Set<string>();
  #preparing = false;
  /** Fetches in a row that brought nothing. */
  #quiet = 0;
  #arrived: Arrived[] = [];
  #failed: Error | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(kafka: Kafka, options: ReaderOptions) {
    this.#connection = new ClusterConnection(kafka);
    this.#options = options;
  }

  seek(partition: TopicPartition, offset: bigint | 'earliest'): void {
    this.#quiet = 0;
    this.#positions.seek(partition, offset);
  }

  remove(partition: TopicPartition): void {
    this.#positions.remove(partition);
  }

  pause(partition: TopicPartition): void {
    this.#positions.setPaused(partition, true);
  }

  resume(partition: TopicPartition): void {
    this.#positions.setPaused(partition, false);
  }

  async poll(maxWaitMs: number): Promise<FetchedRecords[]> {
    this.#launch(maxWaitMs);
    if (this.#arrived.length === 0 && this.#failed === undefined) await this.#anything(maxWaitMs);
    const failed = this.#failed;
    this.#failed = undefined;
    if (failed !== undefined) throw failed;
    const arrived = this.#arrived;
    this.#arrived = [];
    const handed = arrived.flatMap((one) => this.#take(one) ?? []);
    this.#launch(maxWaitMs);
    return handed;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#connection.close();
  }

  async #anything(maxWaitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, maxWaitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /** Sends a fetch to every broker that has none under way; first to find are leaders and first offsets. */
  #launch(maxWaitMs: number): void {
    // What has arrived moves positions when it is handed over: a fetch before that would bring the same again.
    if (this.#closed || this.#preparing || this.#arrived.length > 0) return;
    const readable = this.#positions.readable();
    const lost = readable.filter(({ leader, offset }) => leader === undefined || offset === undefined);
    if (lost.length > 0) {
      this.#preparing = true;
      void this.#run(() => again(() => this.#prepare(lost))).finally(() => {
        this.#preparing = false;
        if (this.#failed === undefined) this.#launch(maxWaitMs);
      });
    }
    const ready = readable.filter(({ leader, offset }) => leader !== undefined && offset !== undefined);
    // A partition that is taken up or resumed meanwhile waits for the answer: not for long, unless nothing has moved for a while.
    const isWhole = ready.length === this.#positions.size;
    const waitMs = isWhole ? Math.max(maxWaitMs, Math.min(QUIET_WAIT_MS, maxWaitMs * (1 + this.#quiet))) : maxWaitMs;
    for (const [leader, positions] of Map.groupBy(ready, (position) => position.leader)) {
      if (leader === undefined || this.#fetching.has(leader)) continue;
      this.#fetching.add(leader);
      void this.#run(() => this.#fetch(leader, positions, waitMs)).finally(() => this.#fetching.delete(leader));
    }
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#positions.forgetLeaders();
      if (!this.#closed) this.#failed ??= error as Error;
    }
    this.#wake?.();
  }

  async #prepare(lost: readonly FetchPosition[]): Promise<void> {
    if (this.#closed) return;
    const tps = lost.map(({ tp }) => tp);
    const topics = [...new Set(tps.map(({ topic }) => topic))];
    await this.#connection.use('looking for leaders', topics, async (cluster) => {
      const unknown = lost.filter(({ offset }) => offset === undefined).map(({ tp }) => tp);
      const starts = unknown.length === 0 ? undefined : await listOffsets(cluster, unknown, EARLIEST, false);
      for (const position of lost) {
        const { topic, partition } = position.tp;
        position.offset ??= starts?.get(`${topic}/${partition}`);
        [position.leader] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]));
        if (position.leader !== undefined && position.offset !== undefined) continue;
        throw new RetriableError('SLC_BROKER_AWAY', `${topic}-${partition} has no leader, or is not there`);
      }
    });
  }

  async #fetch(leader: string, positions: readonly FetchPosition[], maxWaitMs: number): Promise<void> {
    const quiet = this.#quiet;
    const topics = [...Map.groupBy(positions, ({ tp }) => tp.topic)];
    const names = topics.map(([topic]) => topic);
    await this.#connection.use('fetching', names, async (cluster) => {
      const byKey = new Map(positions.map((position) => [`${position.tp.topic}/${position.tp.partition}`, position]));
      const responses = await this.#request(cluster, leader, topics, maxWaitMs).catch((error: unknown) => {
        throw outOfRange(error, positions) ?? error;
      });
      // A seek meanwhile begins anew.
      if (this.#quiet === quiet) this.#quiet++;
      for (const { topicName, partitions } of responses) {
        for (const fetched of partitions) {
          if ((fetched.messages.raw?.length ?? 0) > 0) this.#quiet = 0;
          const position = byKey.get(`${topicName}/${fetched.partition}`);
          if (position !== undefined && this.#positions.holds(position)) this.#arrived.push({ position, fetched });
        }
      }
    });
  }

  async #request(
    cluster: Cluster,
    leader: string,
    topics: readonly (readonly [string, readonly FetchPosition[]])[],
    maxWaitMs: number,
  ): Promise<{ topicName: string; partitions: FetchedPartition[] }[]> {
    const broker = await cluster.findBroker({ nodeId: leader });
    const { responses } = await broker.fetch({
      replicaId: -1,
      isolationLevel: this.#options.committed ? 1 : 0,
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes: this.#options.maxBytes ?? MAX_BYTES,
      topics: topics.map(([topic, of]) => ({
        topic,
        partitions: of.map(({ tp, offset }) => ({
          partition: tp.partition,
          fetchOffset: offset,
          maxBytes: this.#options.maxBytesPerPartition ?? MAX_BYTES_PER_PARTITION,
        })),
      })),
    });
    return responses;
  }

  /** What cannot be handed over is an error of the next poll: the positions of the others have moved, so they must be handed over now. */
  #take(one: Arrived): FetchedRecords | undefined {
    try {
      return this.#handOver(one);
    } catch (error) {
      this.#failed ??= this.#unreadable(one.position, error);
      return undefined;
    }
  }

  /** Bytes that are wrong once may come right when they are fetched again; those that stay wrong do not. */
  #unreadable(position: FetchPosition, error: unknown): Error {
    if (!(error instanceof RetriableError)) return error as Error;
    const { topic, partition } = position.tp;
    const where = `${topic}-${partition}`;
    if (++position.unreadable < MAX_UNREADABLE) {
      return new RetriableError(error.code, `${where}: ${error.message}`, { cause: error, where });
    }
    return new TaskCorruptedError(
      'SLC_TASK_UNREADABLE',
      `${where} cannot be read: ${error.message}, ${position.unreadable} times in a row`,
      {
        cause: error,
        where,
        hint: 'the log on the broker is damaged: restore that partition from a replica or a backup; nothing behind this offset was processed',
      },
    );
  }

  #handOver({ position, fetched }: Arrived): FetchedRecords | undefined {
    const { tp, offset } = position;
    if (!this.#positions.holds(position) || offset === undefined) return undefined;
    const { raw } = fetched.messages;
    const aborted = (fetched.abortedTransactions ?? []).map(({ producerId, firstOffset }) => ({
      producerId: BigInt(producerId),
      firstOffset: BigInt(firstOffset),
    }));
    const { batches, nextOffset } =
      raw === undefined ? { batches: [], nextOffset: offset } : parseFetched(raw, offset, aborted);
    const endOffset = BigInt(this.#options.committed ? fetched.lastStableOffset : fetched.highWatermark);
    const atEndUntold = !position.reported && nextOffset >= endOffset;
    if (batches.length === 0 && nextOffset === offset && !atEndUntold) return undefined;
    position.offset = nextOffset;
    position.reported = true;
    position.unreadable = 0;
    return { topic: tp.topic, partition: tp.partition, batches, nextOffset, endOffset, bytes: raw?.length ?? 0 };
  }
}

/** Kafka no longer has what is asked for, or does not have it yet. */
function outOfRange(error: unknown, positions: readonly FetchPosition[]): Error | undefined {
  const { type, topic, partition } = rootOf(error) as Error & { type?: string; topic?: string; partition?: number };
  if (type !== 'OFFSET_OUT_OF_RANGE') return undefined;
  const asked = positions.find(({ tp }) => tp.topic === topic && tp.partition === partition)?.offset;
  return new TaskCorruptedError(
    'SLC_TASK_OFFSET_OUT_OF_RANGE',
    `Kafka does not have ${topic}-${partition} at offset ${asked}`,
    {
      cause: error,
      where: `${topic}-${partition}`,
      hint: 'records were deleted before they were read, or the topic was made anew',
    },
  );
}
