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

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  admin(): Promise<KafkaAdmin> {
    return Promise.resolve(this.#kept(new KafkajsAdmin(this.#kafka)));
  }

  async producer(options: ProducerOptions = {}): Promise<KafkaProducer> {
    return this.#kept(await KafkajsProducer.connect(this.#kafka, options));
  }

  reader(options: ReaderOptions): Promise<KafkaReader> {
    return Promise.resolve(this.#kept(new KafkajsReader(this.#kafka, options)));
  }

  async join(options: JoinOptions): Promise<GroupMembership> {
    return this.#kept(await KafkajsMembership.join(this.#kafka, options));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((one) => one.close()));
    this.#open.clear();
  }

  #kept<T extends Closable>(one: T): T {
    this.#open.add(one);
    const close = one.close.bind(one);
    one.close = async () => {
      this.#open.delete(one);
      await close();
    };
    return one;
  }
}
