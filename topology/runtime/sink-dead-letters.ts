/** The dead-letter topic of a sink stage. */
import { BatchBuilder, type RecordHeader } from '../record-batch.ts';
import type { TopicPartition } from '../record.ts';
import type { KafkaClient, KafkaProducer, ReadyBatch } from './kafka-client.ts';
import type { DeadRecord } from './sink-batch.ts';

/** A batch is closed at this size: the broker takes at most 1 MB. */
const MAX_BATCH_BYTES = 700_000;
const encoder = new TextEncoder();

/** Name of the dead-letter topic of a sink stage. */
export const sinkDeadLetterTopicOf = (stage: string): string => `sink.${stage}.dlq`;

/**
 * Writes records as they were read, with headers that say stage, code, reason and where they came from. They are acknowledged before the
 * target's position moves behind them, so none is lost; after a crash in between the same record may be there twice (same source.* headers).
 */
export class SinkDeadLetters {
  readonly #client: KafkaClient;
  readonly #stage: string;
  #producer: Promise<KafkaProducer> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(client: KafkaClient, stage: string) {
    this.#client = client;
    this.#stage = stage;
  }

  /** Resolves when all are acknowledged. */
  write(source: TopicPartition, dead: readonly DeadRecord[]): Promise<void> {
    // A producer is not for concurrent use, and the stage's partitions share this one.
    const turn = this.#last.then(() => this.#send(source, dead));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    const producer = await this.#producer?.catch(() => undefined);
    await producer?.close();
  }

  async #send(source: TopicPartition, dead: readonly DeadRecord[]): Promise<void> {
    this.#producer ??= this.#client.producer();
    try {
      const producer = await this.#producer;
      await producer.send(this.#batches(source, dead));
    } catch (error) {
      // Whatever state it is in: the next attempt has a new one.
      const broken = this.#producer;
      this.#producer = undefined;
      await broken.then((producer) => producer.close()).catch(() => undefined);
      throw error;
    }
  }

  #batches(source: TopicPartition, dead: readonly DeadRecord[]): ReadyBatch[] {
    const batches: ReadyBatch[] = [];
    let batch: BatchBuilder | undefined;
    for (const { record, error } of dead) {
      const size = (record.keyBytes?.length ?? 0) + (record.valueBytes?.length ?? 0) + 3_000;
      if (batch === undefined || batch.sizeBytes + size > MAX_BATCH_BYTES) {
        batch = new BatchBuilder();
        batches.push({ topic: sinkDeadLetterTopicOf(this.#stage), partition: source.partition, batch });
      }
      const headers: RecordHeader[] = [
        ['stage', encoder.encode(`sink.${this.#stage}`)],
        ['code', encoder.encode(error.code)],
        ['reason', encoder.encode(error.message.slice(0, 2_000))],
        ['source.topic', encoder.encode(source.topic)],
        ['source.partition', encoder.encode(String(source.partition))],
        ['source.offset', encoder.encode(String(record.offset))],
      ];
      batch.append(record.keyBytes, record.valueBytes, record.timestamp, headers);
    }
    return batches;
  }
}
