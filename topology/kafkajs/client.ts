import type { Kafka } from 'kafkajs';
import type {
  GroupMembership,
  JoinOptions,
  KafkaAdmin,
  KafkaClient,
  KafkaProducer,
  KafkaReader,
  ReaderOptions,
} from '../runtime/kafka-client.ts';
import { KafkajsAdmin } from './admin.ts';
import { closed } from './connection.ts';
import { type ConnectionOptions, newKafka } from './load.ts';
import { KafkajsMembership } from './membership.ts';
import { KafkajsProducer, type ProducerOptions } from './producer.ts';
import { KafkajsReader } from './reader.ts';

/**
 * A client of Kafka over kafkajs 2.2.4, with its defects mended. `brokers` as host:port. Nothing is connected before it is needed. ConfigError
 * SLC_CONFIG_KAFKAJS when another kafkajs is installed. `close` ends all connections.
 */
export function createKafkaClient(options: ConnectionOptions): KafkaClient {
  return new KafkajsClient(newKafka(options));
}

interface Closable {
  close(): Promise<void>;
}

class KafkajsClient implements KafkaClient {
  readonly #kafka: Kafka;
  readonly #open = new Set<Closable>();
  #closed = false;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  async admin(): Promise<KafkaAdmin> {
    return this.#kept(new KafkajsAdmin(this.#kafka));
  }

  async producer(options: ProducerOptions = {}): Promise<KafkaProducer> {
    return this.#kept(await KafkajsProducer.connect(this.#kafka, options));
  }

  async reader(options: ReaderOptions): Promise<KafkaReader> {
    return this.#kept(new KafkajsReader(this.#kafka, options));
  }

  async join(options: JoinOptions): Promise<GroupMembership> {
    return this.#kept(await KafkajsMembership.join(this.#kafka, options));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#open].map((one) => one.close()));
    this.#open.clear();
  }

  /** Of what was being connected when the client was closed nothing stays. */
  #kept<T extends Closable>(one: T): T {
    if (this.#closed) {
      void one.close();
      throw closed('connecting');
    }
    this.#open.add(one);
    const close = one.close.bind(one);
    one.close = async () => {
      this.#open.delete(one);
      await close();
    };
    return one;
  }
}
