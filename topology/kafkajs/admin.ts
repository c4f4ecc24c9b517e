import type { Admin, Kafka } from 'kafkajs';
import { systemClock } from '../clock.ts';
import { ConfigError, RetriableError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import type { CommittedOffset, GroupMember, KafkaAdmin, TopicSpec } from '../runtime/kafka-client.ts';
import { memberOf } from './assignor.ts';
import { again, closed, ClusterConnection, leadersOf } from './connection.ts';
import { asPort } from './errors.ts';
import type { Cluster } from './load.ts';
import { logSizes } from './log-sizes.ts';
import { requireKafkajs } from './patches/replace-module.ts';

/** A busy broker was seen not to show a new topic within eight seconds. Kafka's own clients wait as long as this (default.api.timeout.ms). */
const METADATA_TIMEOUT_MS = 60_000;
const METADATA_MS = 50;
const MAX_METADATA_MS = 500;
const EARLIEST = -2;
const LATEST = -1;
const NO_OFFSET = -1n;
const NON_EMPTY_GROUP = 68;
const GROUP_ID_NOT_FOUND = 69;

/** Administration over kafkajs. A request that meets a broker on the move is asked again for some seconds. */
export class KafkajsAdmin implements KafkaAdmin {
  readonly #kafka: Kafka;
  readonly #connection: ClusterConnection;
  #admin: Promise<Admin> | undefined;
  #closed = false;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
    this.#connection = new ClusterConnection(kafka);
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    await again(() =>
      this.#withAdmin('creating topics', async (admin) => {
        const there = new Set(await admin.listTopics());
        const missing = topics.filter(({ name }) => !there.has(name));
        if (missing.length > 0) {
          await admin.createTopics({
            waitForLeaders: true,
            topics: missing.map(({ name, partitions, config }) => ({
              topic: name,
              numPartitions: partitions,
              configEntries: Object.entries(config ?? {}).map(([key, value]) => ({ name: key, value })),
            })),
          });
        }
      }),
    );
    const counts = await this.#countsOf(topics);
    for (const { name, partitions } of topics) {
      const found = counts.get(name) ?? 0;
      if (found === partitions) continue;
      throw new ConfigError('SLC_CONFIG_TOPIC', `topic ${name} has ${found} partitions, ${partitions} are wanted`, {
        where: name,
        hint: 'keys are spread by the number of partitions: move the data to a topic of another name, or take the number that is there',
      });
    }
  }

  /** A topic that was created is in the metadata of every broker a moment later. */
  async #countsOf(topics: readonly TopicSpec[]): Promise<Map<string, number>> {
    const names = topics.map(({ name }) => name);
    const until = systemClock.now() + METADATA_TIMEOUT_MS;
    for (let nth = 1; ; nth++) {
      const counts = await this.partitionCounts(names);
      const missing = names.find((name) => !counts.has(name));
      if (missing === undefined) return counts;
      if (systemClock.now() >= until) {
        throw new RetriableError('SLC_BROKER_AWAY', `topic ${missing} was created but is not there yet`);
      }
      await systemClock.sleep(Math.min(MAX_METADATA_MS, METADATA_MS * nth));
    }
  }

  listTopics(): Promise<string[]> {
    return again(() => this.#withAdmin('listing topics', (admin) => admin.listTopics()));
  }

  async partitionCounts(topics: readonly string[]): Promise<Map<string, number>> {
    return await again(() =>
      this.#withAdmin('reading metadata', async (admin) => {
        const there = new Set(await admin.listTopics());
        const known = topics.filter((topic) => there.has(topic));
        if (known.length === 0) return new Map();
        const metadata = await admin.fetchTopicMetadata({ topics: known });
        return new Map(metadata.topics.map(({ name, partitions }) => [name, partitions.length]));
      }),
    );
  }

  async topicSettings(
    topics: readonly string[],
    names: readonly string[],
  ): Promise<Map<string, ReadonlyMap<string, string>>> {
    const there = [...(await this.partitionCounts(topics)).keys()];
    if (there.length === 0) return new Map();
    const { ConfigResourceTypes } = requireKafkajs('kafkajs') as typeof import('kafkajs');
    const resources = there.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: [...names] }));
    return await again(() =>
      this.#withAdmin('reading the settings of topics', async (admin) => {
        const { resources: found } = await admin.describeConfigs({ includeSynonyms: false, resources });
        return new Map(
          found.map(({ resourceName, configEntries }) => [
            resourceName,
            new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
          ]),
        );
      }),
    );
  }

  async offsets(
    partitions: readonly TopicPartition[],
    { committed }: { readonly committed: boolean },
  ): Promise<{ start: bigint; end: bigint }[]> {
    if (partitions.length === 0) return [];
    return await again(() =>
      this.#connection.use('asking for offsets', topicsOf(partitions), async (cluster) => {
        const [starts, ends] = await Promise.all([
          listOffsets(cluster, partitions, EARLIEST, false),
          listOffsets(cluster, partitions, LATEST, committed),
        ]);
        return partitions.map((tp) => ({ start: known(starts, tp), end: known(ends, tp) }));
      }),
    );
  }

  async offsetsAt(partitions: readonly TopicPartition[], timestamp: number): Promise<(bigint | undefined)[]> {
    if (partitions.length === 0) return [];
    return await again(() =>
      this.#connection.use('asking for the offsets of a time', topicsOf(partitions), async (cluster) => {
        const found = await listOffsets(cluster, partitions, Math.max(0, Math.floor(timestamp)), false);
        return partitions.map((tp) => {
          const offset = known(found, tp);
          return offset === NO_OFFSET ? undefined : offset;
        });
      }),
    );
  }

  async sizes(partitions: readonly TopicPartition[]): Promise<(number | undefined)[]> {
    if (partitions.length === 0) return [];
    return await again(() =>
      this.#connection.use('asking for sizes', topicsOf(partitions), async (cluster) => {
        const found = await logSizes(cluster, partitions);
        return partitions.map(({ topic, partition }) => found.get(`${topic}/${partition}`));
      }),
    );
  }

  async committedOffsets(group: string, partitions: readonly TopicPartition[]): Promise<CommittedOffset[]> {
    if (partitions.length === 0) return [];
    return await again(() =>
      this.#connection.use(`reading the positions of ${group}`, [], async (cluster) => {
        const coordinator = await cluster.findGroupCoordinator({ groupId: group });
        const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, of]) => ({
          topic,
          partitions: of.map(({ partition }) => ({ partition })),
        }));
        const { responses } = await coordinator.offsetFetch({ groupId: group, topics });
        return responses
          .flatMap(({ topic, partitions: found }) =>
            found.map(({ partition, offset, metadata }) => ({ topic, partition, offset: BigInt(offset), metadata })),
          )
          .filter(({ offset }) => offset !== NO_OFFSET);
      }),
    );
  }

  async groupMembers(group: string): Promise<GroupMember[]> {
    return await again(() =>
      this.#withAdmin(`asking for the members of ${group}`, async (admin) => {
        const { groups } = await admin.describeGroups([group]);
        const [found] = groups;
        if (found === undefined || found.members.length === 0) return [];
        // Kafka tells what members said only while nothing is being shared out.
        if (found.state !== 'Stable')
          throw new RetriableError('SLC_BROKER_REBALANCING', `group ${group} shares its partitions out`);
        return found.members.map(({ memberId, memberMetadata, memberAssignment }) =>
          memberOf(memberId, memberMetadata, memberAssignment),
        );
      }),
    );
  }

  async deleteRecords(before: readonly (TopicPartition & { readonly offset: bigint })[]): Promise<void> {
    if (before.length === 0) return;
    await again(() =>
      this.#connection.use('deleting records', topicsOf(before), async (cluster) => {
        const offsets = new Map(before.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
        for (const [nodeId, byTopic] of leadersOf(cluster, before)) {
          const broker = await cluster.findBroker({ nodeId });
          await broker.deleteRecords({
            topics: [...byTopic].map(([topic, of]) => ({
              topic,
              partitions: of.map((partition) => ({ partition, offset: String(offsets.get(`${topic}/${partition}`)) })),
            })),
          });
        }
      }),
    );
  }

  async deleteTopics(topics: readonly string[]): Promise<void> {
    if (topics.length > 0)
      await this.#withAdmin('deleting topics', (admin) => admin.deleteTopics({ topics: [...topics] }));
  }

  async deleteGroups(groups: readonly string[]): Promise<void> {
    for (const group of groups) {
      await this.#withAdmin(`deleting group ${group}`, (admin) => admin.deleteGroups([group])).catch(
        (error: unknown) => {
          const code = refusalOf(error);
          if (code === GROUP_ID_NOT_FOUND) return;
          if (code !== NON_EMPTY_GROUP) throw error;
          throw new RetriableError('SLC_BROKER_GROUP_BUSY', `group ${group} has members`, {
            hint: 'a process that was killed is a member until its session has timed out',
            cause: error,
          });
        },
      );
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const opened = this.#admin;
    this.#admin = undefined;
    await Promise.all([this.#connection.close(), opened?.then((admin) => admin.disconnect()).catch(() => undefined)]);
  }

  /** One connection for all calls. After any error it is dropped: the next call makes a new one, so that a broker that came back is found. */
  async #withAdmin<T>(doing: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed(doing);
    const opened = (this.#admin ??= this.#open());
    try {
      return await asPort(doing, async () => await work(await opened));
    } catch (error) {
      if (this.#admin === opened) this.#admin = undefined;
      throw error;
    } finally {
      // As in ClusterConnection: what was closed meanwhile has been connected again by the call.
      if (this.#closed || this.#admin !== opened) drop(opened);
    }
  }

  async #open(): Promise<Admin> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      return admin;
    } catch (error) {
      await admin.disconnect().catch(() => undefined);
      throw error;
    }
  }
}

function drop(opened: Promise<Admin>): void {
  opened.then((admin) => admin.disconnect()).catch(() => undefined);
}

/** Why a group was not deleted: a code of Kafka's protocol. */
function refusalOf(error: unknown): number | undefined {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { groups } = cause as { groups?: readonly { readonly errorCode?: number }[] };
  return groups?.find(({ errorCode }) => errorCode !== 0)?.errorCode;
}

/** First or last offsets by `<topic>/<partition>`. */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  timestamp: number,
  committed: boolean,
): Promise<Map<string, bigint>> {
  const found = new Map<string, bigint>();
  // Kafka refuses a request that names a partition twice.
  const distinct = [...new Map(partitions.map((tp) => [`${tp.topic}/${tp.partition}`, tp])).values()];
  for (const [nodeId, byTopic] of leadersOf(cluster, distinct)) {
    const broker = await cluster.findBroker({ nodeId });
    const { responses } = await broker.listOffsets({
      replicaId: -1,
      isolationLevel: committed ? 1 : 0,
      topics: [...byTopic].map(([topic, of]) => ({
        topic,
        partitions: of.map((partition) => ({ partition, timestamp })),
      })),
    });
    for (const { topic, partitions: answered } of responses) {
      for (const { partition, offset } of answered) found.set(`${topic}/${partition}`, BigInt(offset));
    }
  }
  return found;
}

function known(offsets: ReadonlyMap<string, bigint>, { topic, partition }: TopicPartition): bigint {
  const offset = offsets.get(`${topic}/${partition}`);
  if (offset === undefined)
    throw new RetriableError('SLC_BROKER_AWAY', `${topic}-${partition} has no leader, or is not there`);
  return offset;
}

const topicsOf = (partitions: readonly TopicPartition[]): string[] => [
  ...new Set(partitions.map(({ topic }) => topic)),
];
