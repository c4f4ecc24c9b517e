import type { Kafka, Producer, TopicMessages, Transaction } from 'kafkajs';
import { systemClock } from '../clock.ts';
import { InvariantError, RetriableError, TaskMigratedError } from '../errors.ts';
import type { CommittedOffset, KafkaProducer, ReadyBatch, SendResult } from '../runtime/kafka-client.ts';
import { closed } from './connection.ts';
import { asPort, rootOf } from './errors.ts';
import { QUICK_RETRY } from './load.ts';
import type { ReadyMessages, ReadyPartition } from './patches/produce.ts';

const NOT_YET = new Set([
  'CONCURRENT_TRANSACTIONS',
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
]);
const NOT_YET_ATTEMPTS = 200;
const NOT_YET_BACKOFF_MS = 50;

/** Options of a producer as the port has them. */
export interface ProducerOptions {
  readonly transactionalId?: string;
  readonly transactionTimeoutMs?: number;
}

interface Produced {
  readonly topicName: string;
  readonly partition: number;
  readonly baseOffset?: string;
}

/** A producer over kafkajs. After an error it is dead: kafkajs does not find its way back from every state. */
export class KafkajsProducer implements KafkaProducer {
  readonly #producer: Producer;
  readonly #name: string;
  #transaction: Transaction | undefined;
  #dead: Error | undefined;
  #closed = false;

  private constructor(producer: Producer, name: string) {
    this.#producer = producer;
    this.#name = name;
  }

  /** Connects. With a transactionalId the producer id is taken by the first `fence` or `begin`. */
  static async connect(
    kafka: Kafka,
    { transactionalId, transactionTimeoutMs }: ProducerOptions,
  ): Promise<KafkajsProducer> {
    const name = transactionalId === undefined ? 'the producer' : `the producer of ${transactionalId}`;
    const producer = kafka.producer({
      // Partitions are chosen by the engine.
      createPartitioner: () => () => 0,
      idempotent: true,
      maxInFlightRequests: 1,
      retry: QUICK_RETRY,
      allowAutoTopicCreation: false,
      ...(transactionalId === undefined ? {} : { transactionalId }),
      ...(transactionTimeoutMs === undefined ? {} : { transactionTimeout: transactionTimeoutMs }),
    });
    try {
      await asPort(`connecting ${name}`, () => producer.connect());
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
    return new KafkajsProducer(producer, name);
  }

  async fence(): Promise<void> {
    await this.#alive('fencing', async () => {
      const transaction = await this.#producer.transaction();
      await transaction.abort();
    });
  }

  async begin(): Promise<void> {
    await this.#alive('beginning', async () => {
      this.#transaction = await this.#producer.transaction();
    });
  }

  async send(batches: readonly ReadyBatch[]): Promise<SendResult[]> {
    return await this.#alive('sending', async () => {
      const results = new Map<ReadyBatch, SendResult>();
      for (const round of roundsOf(batches)) {
        const target = this.#transaction ?? this.#producer;
        const produced: Produced[] = await target.sendBatch({ acks: -1, topicMessages: topicMessages(round) });
        const offsets = new Map(produced.map((p) => [`${p.topicName}/${p.partition}`, p.baseOffset]));
        for (const ready of round) {
          const { topic, partition } = ready;
          const baseOffset = offsets.get(`${topic}/${partition}`);
          if (baseOffset === undefined) throw new RetriableError('SLC_BROKER_AWAY', `no ack for ${topic}-${partition}`);
          results.set(ready, { topic, partition, baseOffset: BigInt(baseOffset) });
        }
      }
      return batches.flatMap((ready) => results.get(ready) ?? []);
    });
  }

  async sendOffsets(group: string, offsets: readonly CommittedOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    await this.#alive('sending positions', async () => {
      const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, of]) => ({
        topic,
        partitions: of.map(({ partition, offset, metadata }) => ({ partition, offset: String(offset), metadata })),
      }));
      await whenCoordinatorsAreReady(() => this.#open().sendOffsets({ consumerGroupId: group, topics }));
    });
  }

  async commit(): Promise<void> {
    await this.#alive('committing', () => this.#open().commit());
    this.#transaction = undefined;
  }

  async abort(): Promise<void> {
    await this.#alive('aborting', () => this.#open().abort());
    this.#transaction = undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#dead ??= closed(this.#name);
    await this.#producer.disconnect().catch(() => undefined);
  }

  #open(): Transaction {
    if (this.#transaction !== undefined) return this.#transaction;
    throw new TaskMigratedError('SLC_TASK_MIGRATED', `${this.#name} has no open transaction`);
  }

  async #alive<T>(doing: string, call: () => Promise<T>): Promise<T> {
    if (this.#dead !== undefined) throw this.#dead;
    try {
      return await asPort(`${doing} by ${this.#name}`, call);
    } catch (error) {
      this.#dead = error as Error;
      throw error;
    } finally {
      // As in ClusterConnection: a call that was under way when this was closed has connected again.
      if (this.#closed) void this.close();
    }
  }
}

/**
 * CONCURRENT_TRANSACTIONS as the answer to the first request of a transaction: markers of the one before are still being written. kafkajs asks again when
 * that request is a send, not when it is about positions. The others: the group's coordinator is moving, or being made.
 */
async function whenCoordinatorsAreReady(request: () => Promise<void>): Promise<void> {
  for (let nth = 1; ; nth++) {
    try {
      return await request();
    } catch (error) {
      if (!NOT_YET.has(rootOf(error).type ?? '') || nth === NOT_YET_ATTEMPTS) throw error;
      await systemClock.sleep(Math.min(nth * 2, NOT_YET_BACKOFF_MS));
    }
  }
}

/** A request holds one batch per partition: further batches of a partition go in further requests, in the order given. */
function roundsOf(batches: readonly ReadyBatch[]): ReadyBatch[][] {
  const rounds: ReadyBatch[][] = [];
  const next = new Map<string, number>();
  for (const ready of batches) {
    if (ready.batch.count === 0)
      throw new InvariantError('SLC_BUG_EMPTY_BATCH', `nothing to send to ${ready.topic}-${ready.partition}`);
    const key = `${ready.topic}/${ready.partition}`;
    const nth = next.get(key) ?? 0;
    next.set(key, nth + 1);
    (rounds[nth] ??= []).push(ready);
  }
  return rounds;
}

/** Ready batches as kafkajs under the patch of patches/produce.ts takes them: one entry per topic. */
function topicMessages(round: readonly ReadyBatch[]): TopicMessages[] {
  return [...Map.groupBy(round, ({ topic }) => topic)].map(([topic, of]) => {
    const ready = new Map<number, ReadyPartition>(
      of.map(({ partition, batch }) => [partition, { batch, length: batch.count }]),
    );
    const messages: ReadyMessages = { ready, find: () => undefined };
    return { topic, messages: messages as unknown as TopicMessages['messages'] };
  });
}
