/** A client to whom every topic, group and transactional id of a broker has a prefix that nobody sees: runs of equal names stay apart. */
import type { GroupMembership, JoinOptions, KafkaAdmin, KafkaClient, KafkaProducer, KafkaReader } from '#topology';
import { SluiceError } from '#topology';

export class PrefixedClient implements KafkaClient {
  readonly #client: KafkaClient;
  readonly #prefix: string;

  constructor(client: KafkaClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async admin(): Promise<KafkaAdmin> {
    const admin = await this.#client.admin();
    const { add, remove, into, out } = this.#names();
    return {
      ensureTopics: (topics) => admin.ensureTopics(topics.map((topic) => ({ ...topic, name: add(topic.name) }))),
      listTopics: async () => (await admin.listTopics()).filter((name) => name.startsWith(this.#prefix)).map(remove),
      partitionCounts: async (topics) =>
        new Map([...(await admin.partitionCounts(topics.map(add)))].map(([name, n]) => [remove(name), n])),
      topicSettings: async (topics, names) =>
        new Map([...(await admin.topicSettings(topics.map(add), names))].map(([name, all]) => [remove(name), all])),
      offsets: (partitions, options) => admin.offsets(partitions.map(into), options),
      offsetsAt: (partitions, timestamp) => admin.offsetsAt(partitions.map(into), timestamp),
      sizes: (partitions) => admin.sizes(partitions.map(into)),
      committedOffsets: async (group, partitions) =>
        (await admin.committedOffsets(add(group), partitions.map(into))).map(out),
      groupMembers: (group) => admin.groupMembers(add(group)),
      deleteRecords: (before) => admin.deleteRecords(before.map(into)),
      deleteTopics: (topics) => admin.deleteTopics(topics.map(add)),
      deleteGroups: (groups) => admin.deleteGroups(groups.map(add)),
      close: () => admin.close(),
    };
  }

  async producer(options?: Parameters<KafkaClient['producer']>[0]): Promise<KafkaProducer> {
    const { add, into, out } = this.#names();
    const id = options?.transactionalId;
    const producer = await this.#client.producer({
      ...options,
      ...(id === undefined ? {} : { transactionalId: add(id) }),
    });
    return {
      fence: () => producer.fence(),
      begin: () => producer.begin(),
      send: async (batches) => (await producer.send(batches.map(into))).map(out),
      sendOffsets: (group, offsets) => producer.sendOffsets(add(group), offsets.map(into)),
      commit: () => producer.commit(),
      abort: () => producer.abort(),
      close: () => producer.close(),
    };
  }

  async reader(options: Parameters<KafkaClient['reader']>[0]): Promise<KafkaReader> {
    const { remove, into, out } = this.#names();
    const reader = await this.#client.reader(options);
    return {
      seek: (partition, offset) => reader.seek(into(partition), offset),
      remove: (partition) => reader.remove(into(partition)),
      pause: (partition) => reader.pause(into(partition)),
      resume: (partition) => reader.resume(into(partition)),
      poll: async (maxWaitMs) => {
        try {
          return (await reader.poll(maxWaitMs)).map(out);
        } catch (error) {
          if (!(error instanceof SluiceError) || error.where === undefined) throw error;
          throw Object.assign(error, { where: remove(error.where) });
        }
      },
      close: () => reader.close(),
    };
  }

  join(options: JoinOptions): Promise<GroupMembership> {
    const { add } = this.#names();
    return this.#client.join({ ...options, group: add(options.group), topics: options.topics.map(add) });
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #names() {
    const prefix = this.#prefix;
    const add = (name: string): string => `${prefix}${name}`;
    const remove = (name: string): string => (name.startsWith(prefix) ? name.slice(prefix.length) : name);
    const into = <T extends { readonly topic: string }>(at: T): T => ({ ...at, topic: add(at.topic) });
    const out = <T extends { readonly topic: string }>(at: T): T => ({ ...at, topic: remove(at.topic) });
    return { add, remove, into, out };
  }
}
