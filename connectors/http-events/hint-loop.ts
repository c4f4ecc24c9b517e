import {
  BatchBuilder,
  type Clock,
  encodeHint,
  HINTS_TOPIC,
  type KafkaClient,
  type KafkaProducer,
  type Logger,
} from '#topology';
import type { EventWriter } from './event-writer.ts';
import type { EventTopic } from './types.ts';

const SENDER_TIMEOUT_MS = 60_000;

/** Options of `HintLoop`. */
export interface HintLoopOptions {
  readonly client: KafkaClient;
  readonly writer: EventWriter;
  readonly topics: readonly EventTopic[];
  readonly name: string;
  readonly timeOf: 'wall' | 'sender';
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hintMs: number;
}

/**
 * Tells the engine how far the senders have come (topic sluice.hints, TIME.md rule 3), whenever nothing that was accepted is unwritten: a partition
 * that is silent does not hold the clocks up.
 */
export class HintLoop {
  readonly #options: HintLoopOptions;
  readonly #abort = new AbortController();
  readonly #said = new Map<string, number>();
  #senderTime: number | undefined;
  #senderHeardAt = 0;
  #producer: KafkaProducer | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: HintLoopOptions) {
    this.#options = options;
  }

  /** A request with `x-sluice-clock` has been written: all that happened before that time has been sent. */
  heard(time: number): void {
    this.#senderTime = Math.max(time, this.#senderTime ?? time);
    this.#senderHeardAt = this.#options.clock.now();
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#loop;
    // The last word of a sender may have come just now.
    await this.#say().catch(() => undefined);
    await this.#producer?.close();
  }

  async #run(): Promise<void> {
    const { clock, hintMs, logger } = this.#options;
    while (!this.#abort.signal.aborted) {
      await clock.sleep(hintMs, this.#abort.signal);
      if (this.#abort.signal.aborted) return;
      try {
        await this.#say();
      } catch (error) {
        logger.warn({ reason: String(error) }, 'hints could not be written; trying again');
        await this.#producer?.close();
        this.#producer = undefined;
      }
    }
  }

  #time(): number | undefined {
    const { clock, timeOf } = this.#options;
    const now = clock.now();
    if (timeOf === 'sender') return this.#senderTime;
    return this.#senderTime !== undefined && now - this.#senderHeardAt < SENDER_TIMEOUT_MS ? this.#senderTime : now;
  }

  async #say(): Promise<void> {
    const { client, writer, topics, name, clock } = this.#options;
    const time = this.#time();
    if (time === undefined || writer.pending > 0) return;
    const at = clock.now();
    const batch = new BatchBuilder();
    for (const topic of topics) {
      const m = time - topic.outOfOrdernessMs;
      if (m <= (this.#said.get(topic.name) ?? -Infinity)) continue;
      for (let partition = 0; partition < topic.partitions; partition++) {
        const endOffset = writer.end({ topic: topic.name, partition });
        const { key, value } = encodeHint({ writer: name, topic: topic.name, partition, m, endOffset, at });
        batch.append(key, value, at);
      }
    }
    if (batch.count === 0) return;
    this.#producer ??= await client.producer();
    await this.#producer.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
    for (const topic of topics)
      this.#said.set(topic.name, Math.max(time - topic.outOfOrdernessMs, this.#said.get(topic.name) ?? -Infinity));
  }
}
