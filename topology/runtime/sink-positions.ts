/** Positions of sinks whose target has no place for them: offsets of the sink stage's consumer group, fenced by a transactional producer per partition. */
import { InvariantError } from '../errors.ts';
import type { KafkaAdmin, KafkaClient, KafkaProducer } from './kafka-client.ts';

/** A fenced claim on the position of one partition. */
export interface HeldPosition {
  /** The first offset not yet delivered; null: none was. */
  readonly nextOffset: bigint | null;
  /**
   * Runs `deliver`, then moves the position. Before it runs, Kafka is asked whether this owner still is the owner: a former one delivers nothing.
   * When `deliver` rejects, the position stays and the error goes on to the caller, who may call again. One call at a time. `deliver` must end
   * within `SINK_DELIVERY_MS`. TaskMigratedError when another owner has claimed the partition; RetriableError when Kafka is away: claim again then.
   */
  move(nextOffset: bigint, deliver: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** Where such a sink keeps its positions. */
export interface SinkPositions {
  /** Takes the partition's position over: whoever had it before is fenced from here on. */
  claim(topic: string, partition: number): Promise<HeldPosition>;
  close(): Promise<void>;
}

/** What `createSinkPositions` needs. */
export interface SinkPositionsOptions {
  readonly client: KafkaClient;
  readonly app: string;
  /** Name of the sink stage: the group is `<app>.sink.<stage>`, the transactional ids are `<app>.sink.<stage>-<topic>-<partition>`. */
  readonly stage: string;
}

/** Kafka aborts a transaction that is open for longer, ms; the delivery is part of it. */
const TRANSACTION_MS = 120_000;
/** How long a delivery may take, ms: what comes after it needs some of the transaction's time. */
export const SINK_DELIVERY_MS = 100_000;

/**
 * Positions in Kafka. A crash between delivery and commit leaves the position behind, so records are delivered again: for targets that
 * merge what they have. Positions that Kafka has forgotten (offsets.retention.minutes without a member) mean: from the start, again.
 */
export function createSinkPositions(options: SinkPositionsOptions): SinkPositions {
  return new KafkaPositions(options);
}

class KafkaPositions implements SinkPositions {
  readonly #options: SinkPositionsOptions;
  readonly #group: string;
  readonly #held = new Set<KafkaPosition>();
  #admin: Promise<KafkaAdmin> | undefined;

  constructor(options: SinkPositionsOptions) {
    this.#options = options;
    this.#group = `${options.app}.sink.${options.stage}`;
  }

  async claim(topic: string, partition: number): Promise<HeldPosition> {
    const producer = await this.#options.client.producer({
      transactionalId: `${this.#group}-${topic}-${partition}`,
      transactionTimeoutMs: TRANSACTION_MS,
    });
    try {
      await producer.fence();
      // After the fence: the transaction of a former owner is over, its position is there or will never be.
      const admin = await this.#connected();
      const [committed] = await admin.committedOffsets(this.#group, [{ topic, partition }]);
      const held = new KafkaPosition(producer, this.#group, topic, partition, committed?.offset ?? null);
      held.closed = () => this.#held.delete(held);
      this.#held.add(held);
      return held;
    } catch (error) {
      await producer.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#held].map((held) => held.close()));
    const admin = await this.#admin?.catch(() => undefined);
    await admin?.close().catch(() => undefined);
  }

  #connected(): Promise<KafkaAdmin> {
    const admin = (this.#admin ??= this.#options.client.admin());
    admin.catch(() => {
      if (this.#admin === admin) this.#admin = undefined;
    });
    return admin;
  }
}

class KafkaPosition implements HeldPosition {
  /** Called once, when it is closed. */
  closed: () => void = () => undefined;
  readonly #producer: KafkaProducer;
  readonly #group: string;
  readonly #topic: string;
  readonly #partition: number;
  #next: bigint | null;
  #moving: Promise<void> | undefined;

  constructor(producer: KafkaProducer, group: string, topic: string, partition: number, next: bigint | null) {
    this.#producer = producer;
    this.#group = group;
    this.#topic = topic;
    this.#partition = partition;
    this.#next = next;
  }

  get nextOffset(): bigint | null {
    return this.#next;
  }

  async move(nextOffset: bigint, deliver: () => Promise<void>): Promise<void> {
    if (this.#moving !== undefined || nextOffset < (this.#next ?? 0n)) {
      throw new InvariantError(
        'SLC_BUG_SINK_POSITION',
        `${this.#topic}/${this.#partition}: from ${this.#next} to ${nextOffset}` +
          (this.#moving === undefined ? '' : ' (a write is under way)'),
      );
    }
    const moving = this.#move(nextOffset, deliver);
    this.#moving = moving;
    try {
      await moving;
    } finally {
      this.#moving = undefined;
    }
  }

  async close(): Promise<void> {
    await this.#moving?.catch(() => undefined);
    await this.#producer.close();
    this.closed();
  }

  async #move(nextOffset: bigint, deliver: () => Promise<void>): Promise<void> {
    await this.#producer.begin();
    const position = { topic: this.#topic, partition: this.#partition, offset: nextOffset, metadata: null };
    // The broker refuses this of a former owner. It counts when the transaction is committed, which is after the delivery.
    await this.#producer.sendOffsets(this.#group, [position]);
    try {
      await deliver();
    } catch (error) {
      // A failure of this leaves a producer that refuses the next call: the position is claimed anew then.
      await this.#producer.abort().catch(() => undefined);
      throw error;
    }
    await this.#producer.commit();
    this.#next = nextOffset;
  }
}
