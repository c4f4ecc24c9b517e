import { ConfigError, InvariantError, RetriableError, TaskMigratedError } from '../errors.ts';
import type { CommittedOffset, KafkaProducer, ReadyBatch, SendResult } from '../runtime/kafka-client.ts';
import type { FakeKafka } from './fake-kafka.ts';

/** message.max.bytes of a broker that was told nothing else. */
const MAX_BATCH_BYTES = 1_048_588;

/** A producer of a fake broker. After an error it is dead, as the real one. */
export class FakeProducer implements KafkaProducer {
  readonly #broker: FakeKafka;
  readonly #transactionalId: string | undefined;
  readonly #id: bigint;
  #epoch: number | undefined;
  #producerId = -1n;
  #open = false;
  #dead: Error | undefined;

  constructor(broker: FakeKafka, transactionalId: string | undefined) {
    this.#broker = broker;
    this.#transactionalId = transactionalId;
    this.#id = broker.newProducerId();
  }

  fence(): Promise<void> {
    return this.#alive(() => {
      this.#init();
    });
  }

  begin(): Promise<void> {
    return this.#alive(() => {
      if (this.#epoch === undefined) this.#init();
      this.#open = true;
    });
  }

  send(batches: readonly ReadyBatch[]): Promise<SendResult[]> {
    return this.#alive(() =>
      batches.map(({ topic, partition, batch }) => {
        if (batch.count === 0)
          throw new InvariantError('SLC_BUG_EMPTY_BATCH', `nothing to send to ${topic}-${partition}`);
        if (batch.sizeBytes > MAX_BATCH_BYTES) {
          throw new ConfigError('SLC_BROKER_REFUSED', `${topic}-${partition}: a batch of ${batch.sizeBytes} bytes`);
        }
        const log = this.#broker.partition({ topic, partition });
        this.#broker.wake();
        if (!this.#open) return { topic, partition, baseOffset: log.append(batch, this.#id, false) };
        this.#transaction().partitions.add(log);
        return { topic, partition, baseOffset: log.append(batch, this.#producerId, true) };
      }),
    );
  }

  sendOffsets(group: string, offsets: readonly CommittedOffset[]): Promise<void> {
    return this.#alive(() => {
      const pending = this.#transaction().offsets;
      pending.set(group, [...(pending.get(group) ?? []), ...offsets]);
    });
  }

  commit(): Promise<void> {
    return this.#endTransaction(true);
  }

  abort(): Promise<void> {
    return this.#endTransaction(false);
  }

  close(): Promise<void> {
    this.#dead ??= new RetriableError('SLC_BROKER_CLOSED', 'the producer is closed');
    return Promise.resolve();
  }

  #endTransaction(committed: boolean): Promise<void> {
    return this.#alive(() => {
      this.#transaction();
      this.#broker.endTransaction(this.#name(), this.#epoch ?? -1, committed);
      this.#open = false;
    });
  }

  #init(): void {
    const { producerId, epoch } = this.#broker.initProducer(this.#name());
    this.#producerId = producerId;
    this.#epoch = epoch;
  }

  #transaction(): ReturnType<FakeKafka['transaction']> {
    if (this.#open) return this.#broker.transaction(this.#name(), this.#epoch ?? -1);
    throw new TaskMigratedError('SLC_TASK_MIGRATED', 'no open transaction');
  }

  #name(): string {
    if (this.#transactionalId !== undefined) return this.#transactionalId;
    throw new InvariantError('SLC_BUG_FAKE', 'the producer has no transactional id');
  }

  async #alive<T>(call: () => T): Promise<T> {
    if (this.#dead !== undefined) throw this.#dead;
    await Promise.resolve();
    try {
      this.#broker.check();
      return call();
    } catch (error) {
      this.#dead = error as Error;
      throw error;
    }
  }
}
