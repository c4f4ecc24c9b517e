/** Says to the engine how far the senders have come: topic `sluice.hints`. */
import { BatchBuilder, encodeHint, HINTS_TOPIC, type KafkaClient, type KafkaProducer, type Logger } from '#topology';
import type { EventWriter } from './event-writer.ts';

/** After a failure the hints pause this long, ms. They are said again then: nothing is lost. */
const PAUSE_MS = 1_000;
/**
 * Senders that were told to come again do so within this, ms. A hint by the wall clock before would make their events late. While others keep
 * being refused events flow too, and move the clocks themselves.
 */
const COME_AGAIN_MS = 5_000;

export interface HintTellerOptions {
  readonly kafka: KafkaClient;
  readonly writer: EventWriter;
  /** Names the hints. */
  readonly name: string;
  readonly topics: readonly { readonly name: string; readonly partitions: number; readonly outOfOrdernessMs: number }[];
  readonly hintMs: number;
  readonly logger: Logger;
}

export class HintTeller {
  readonly #options: HintTellerOptions;
  #producer: KafkaProducer | undefined;
  #timer: NodeJS.Timeout | undefined;
  #saying: Promise<void> = Promise.resolve();
  #stopped = false;
  #last = Number.NEGATIVE_INFINITY;
  #written = 0;

  constructor(options: HintTellerOptions) {
    this.#options = options;
  }

  /** Hints written. */
  get written(): number {
    return this.#written;
  }

  start(): void {
    this.#next(0);
  }

  /** Says what is still to be said, and no more after it. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#saying;
    await this.#say().catch(() => undefined);
    await this.#producer?.close();
  }

  #next(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#saying = this.#tick();
    }, ms);
  }

  async #tick(): Promise<void> {
    try {
      await this.#say();
      this.#next(this.#options.hintMs);
    } catch (error) {
      await this.#failed(error);
    }
  }

  async #say(): Promise<void> {
    const { kafka, writer, name, topics } = this.#options;
    const at = Date.now();
    const { reached, refusedAt } = writer;
    if (reached === undefined || reached <= this.#last) return;
    if (refusedAt !== undefined && at - refusedAt < COME_AGAIN_MS) return;
    // What follows belongs to this one moment: no await before the batch is complete.
    const batch = new BatchBuilder();
    for (const { name: topic, partitions, outOfOrdernessMs } of topics) {
      for (let partition = 0; partition < partitions; partition++) {
        const endOffset = writer.end(topic, partition);
        const hint = { writer: name, topic, partition, m: reached - outOfOrdernessMs, endOffset, at };
        const { key, value } = encodeHint(hint);
        batch.append(key, value, at);
      }
    }
    this.#producer ??= await kafka.producer();
    await this.#producer.send([{ topic: HINTS_TOPIC, partition: 0, batch }]);
    this.#last = reached;
    this.#written += batch.count;
  }

  async #failed(error: unknown): Promise<void> {
    this.#options.logger.debug({ error: String(error) }, 'a hint was not written');
    const broken = this.#producer;
    this.#producer = undefined;
    this.#next(PAUSE_MS);
    await broken?.close();
  }
}
