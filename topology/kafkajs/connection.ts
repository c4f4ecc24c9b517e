import type { Kafka } from 'kafkajs';
import { systemClock } from '../clock.ts';
import { RetriableError } from '../errors.ts';
import { asPort } from './errors.ts';
import { type Cluster, newCluster } from './load.ts';

const CLOSED = 'SLC_BROKER_CLOSED';
const AGAIN_MS = 3_000;
const BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 250;

/**
 * Connections to the cluster for requests that kafkajs's public interface does not have. After any error they are dropped: the next use makes new ones
 * with fresh metadata, so that a broker that moved or came back is found.
 */
export class ClusterConnection {
  readonly #kafka: Kafka;
  #cluster: Promise<Cluster> | undefined;
  #closed = false;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /** Runs requests with the metadata of `topics` at hand. */
  async use<T>(doing: string, topics: readonly string[], work: (cluster: Cluster) => Promise<T>): Promise<T> {
    if (this.#closed) throw closed(doing);
    const opened = (this.#cluster ??= this.#open());
    try {
      return await asPort(doing, async () => {
        const cluster = await opened;
        if (topics.some((topic) => !cluster.targetTopics.has(topic)))
          await cluster.addMultipleTargetTopics([...topics]);
        await cluster.refreshMetadataIfNecessary();
        return await work(cluster);
      });
    } catch (error) {
      if (this.#cluster === opened) this.#cluster = undefined;
      drop(opened);
      throw error;
    } finally {
      // A request on a cluster that was disconnected meanwhile, by `close` or by another request's error, connects it again.
      if (this.#closed || this.#cluster !== opened) drop(opened);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const opened = this.#cluster;
    this.#cluster = undefined;
    await opened?.then((cluster) => cluster.disconnect()).catch(() => undefined);
  }

  async #open(): Promise<Cluster> {
    const cluster = newCluster(this.#kafka);
    await cluster.connect();
    return cluster;
  }
}

/** For what is asked of something that its user has closed: nothing may connect again. */
export function closed(doing: string): RetriableError {
  return new RetriableError(CLOSED, `${doing}: the client is closed`);
}

function drop(opened: Promise<Cluster>): void {
  opened.then((cluster) => cluster.disconnect()).catch(() => undefined);
}

/**
 * Asks again while the broker says that it is on the move (a topic just made has no leader yet), for about three seconds. RetriableError of the last
 * attempt.
 */
export async function again<T>(attempt: () => Promise<T>): Promise<T> {
  const until = systemClock.now() + AGAIN_MS;
  for (let nth = 1; ; nth++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof RetriableError) || error.code === CLOSED || systemClock.now() > until) throw error;
      await systemClock.sleep(Math.min(MAX_BACKOFF_MS, BACKOFF_MS * nth));
    }
  }
}

/** The leaders of partitions: node id -> the partitions that it leads, by topic. Throws kafkajs's errors for a partition that has none. */
export function leadersOf(
  cluster: Cluster,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
): Map<string, Map<string, number[]>> {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic);
  const leaders = new Map<string, Map<string, number[]>>();
  for (const [topic, of] of byTopic) {
    const found = cluster.findLeaderForPartitions(
      topic,
      of.map(({ partition }) => partition),
    );
    for (const [nodeId, numbers] of Object.entries(found)) {
      let topics = leaders.get(nodeId);
      if (topics === undefined) leaders.set(nodeId, (topics = new Map()));
      topics.set(topic, numbers);
    }
  }
  return leaders;
}
