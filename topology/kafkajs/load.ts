/** kafkajs with its defects mended, and the inner parts of it that the driver uses: an exact version, so their shapes are known. */
import type { Kafka, KafkaConfig } from 'kafkajs';
import { InvariantError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { rememberCoordinators } from './patches/coordinators.ts';
import { mendProduce } from './patches/produce.ts';
import type { FetchedPartition } from './patches/fetch-v11.ts';
import { mendFetch } from './patches/raw-fetch.ts';
import { checkVersion, requireKafkajs } from './patches/replace-module.ts';
import { mendTimerLoop } from './patches/timer-loop.ts';

/** kafkajs/src/broker. */
export interface Broker {
  fetch(request: object): Promise<{ responses: { topicName: string; partitions: FetchedPartition[] }[] }>;
  listOffsets(
    request: object,
  ): Promise<{ responses: { topic: string; partitions: { partition: number; offset: string }[] }[] }>;
  deleteRecords(request: object): Promise<unknown>;
  /** For requests that kafkajs has no method for (kafkajs/src/network/connection.js, send). */
  readonly connectionPool: {
    send<T>(exchange: { readonly request: object; readonly response: object }): Promise<T>;
  };
  offsetFetch(request: object): Promise<{
    responses: { topic: string; partitions: { partition: number; offset: string; metadata: string | null }[] }[];
  }>;
}

/** kafkajs/src/cluster. */
export interface Cluster {
  readonly targetTopics: Set<string>;
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  isConnected(): boolean;
  addMultipleTargetTopics(topics: string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  removeBroker(broker: { host: string; port: number }): void;
  findBroker(node: { nodeId: string }): Promise<Broker>;
  findGroupCoordinator(group: { groupId: string }): Promise<Broker>;
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>;
}

/** How the driver finds the brokers. */
export interface ConnectionOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly logger: Logger;
}

/** Kafka's answer CONCURRENT_TRANSACTIONS is normal between two transactions: with kafkajs's own 300 ms each transaction would take that long. */
export const QUICK_RETRY = {
  initialRetryTime: 5,
  factor: 0.2,
  multiplier: 1.5,
  retries: 30,
  maxRetryTime: 500,
} as const;

const REQUEST_TIMEOUT_MS = 30_000;
const CONNECTION_TIMEOUT_MS = 5_000;

let mended = false;

function mend(): void {
  if (mended) return;
  mended = true;
  checkVersion();
  mendTimerLoop();
  mendFetch();
  mendProduce();
  rememberCoordinators();
}

/** The kafkajs client. Its errors are told by the driver; here they are only for those who look closer. */
export function newKafka({ brokers, clientId, logger }: ConnectionOptions): Kafka {
  mend();
  const kafkajs = requireKafkajs('kafkajs') as { Kafka: new (config: KafkaConfig) => Kafka };
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    retry: QUICK_RETRY,
    logCreator: () => (entry) =>
      logger.debug({ namespace: entry.namespace, error: entry.log['error'] }, entry.log.message),
  });
}

/** Connections of its own to the cluster: a long poll must not hold up other requests. */
export function newCluster(kafka: Kafka): Cluster {
  const create = Object.getOwnPropertySymbols(kafka).find(
    (symbol) => symbol.description === 'private:Kafka:createCluster',
  );
  const inner = kafka as unknown as Record<symbol, ((options: object) => Cluster) | undefined>;
  const cluster =
    create === undefined ? undefined : inner[create]?.({ metadataMaxAge: 300_000, allowAutoTopicCreation: false });
  if (cluster === undefined) throw new InvariantError('SLC_BUG_KAFKAJS', 'kafkajs makes no cluster');
  return cluster;
}
