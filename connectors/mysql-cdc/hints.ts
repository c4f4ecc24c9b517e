/** Says to the engine how far the source has come, while it is caught up: topic `sluice.hints`. */
import { BatchBuilder, encodeHint, HINTS_TOPIC, type KafkaProducer } from '#topology';
import type { Publisher } from './publisher.ts';

export interface HintWriterOptions {
  /** Plain, not transactional: hints are said after the commit and lose nothing by being repeated. */
  readonly producer: KafkaProducer;
  readonly publisher: Publisher;
  readonly writer: string;
  readonly topics: readonly string[];
  readonly partitions: number;
  readonly outOfOrdernessMs: number;
}

export class HintWriter {
  readonly #options: HintWriterOptions;
  #last = Number.NEGATIVE_INFINITY;
  #written = 0;

  constructor(options: HintWriterOptions) {
    this.#options = options;
  }

  /** Hints written. */
  get written(): number {
    return this.#written;
  }

  /** `reached`: all changes up to this time, ms, are committed to Kafka. Writes one hint per partition when that moved. */
  async say(reached: number): Promise<void> {
    const { producer, publisher, writer, topics, partitions, outOfOrdernessMs } = this.#options;
    const m = reached - outOfOrdernessMs;
    if (m <= this.#last) return;
    const batch = new BatchBuilder();
    const at = Date.now();
    for (const topic of topics) {
      for (let partition = 0; partition < partitions; partition++) {
        const endOffset = publisher.end(topic, partition);
        const { key, value } = encodeHint({ writer, topic, partition, m, endOffset, at });
        batch.append(key, value, at);
      }
    }
    await producer.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
    this.#last = m;
    this.#written += batch.count;
  }
}
