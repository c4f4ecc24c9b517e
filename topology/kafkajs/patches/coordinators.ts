import { replaceModule } from './replace-module.ts';

interface Group {
  readonly groupId: string;
  readonly coordinatorType?: number;
}

/** The requests of a transaction (kafkajs/src/broker). */
const REQUESTS = ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'] as const;
type Requests = { [name in (typeof REQUESTS)[number]]: (request: object) => Promise<unknown> };

interface Broker extends Requests {
  readonly nodeId: string;
}

interface Cluster {
  findBroker(node: { readonly nodeId: string }): Promise<Broker>;
  findGroupCoordinator(group: Group): Promise<Broker>;
}

type MakeEosManager = (options: { readonly cluster: Cluster }) => object;

/** Markers of the transaction before are being written: the coordinator is the right one. */
const BUSY = 'CONCURRENT_TRANSACTIONS';
/** The broker has done nothing: another one is to be asked. */
const MOVED = 'NOT_COORDINATOR_FOR_GROUP';

/**
 * Cost of kafkajs 2.2.4: it asks for the coordinator before every request of a transaction, five round trips per commit, a third of all requests of a
 * running shop. Mended: it is asked once and remembered until a request fails; a request that meets one which no longer is the coordinator goes to the
 * next one, as Kafka's own client does.
 */
export function rememberCoordinators(): void {
  replaceModule<MakeEosManager>(
    'producer/eosManager/index.js',
    'a74ae029d7aa',
    (original) => (options) => original({ ...options, cluster: remembering(options.cluster) }),
  );
}

function remembering(cluster: Cluster): Cluster {
  /** Node ids. A producer has a transaction and a group, so that there are two. */
  const known = new Map<string, string>();
  const find = async (group: Group, key: string): Promise<Broker> => {
    const nodeId = known.get(key);
    if (nodeId !== undefined) {
      try {
        return await cluster.findBroker({ nodeId });
      } catch {
        known.delete(key);
      }
    }
    const broker = await cluster.findGroupCoordinator(group);
    known.set(key, broker.nodeId);
    return broker;
  };
  const findGroupCoordinator = async (group: Group): Promise<Broker> => {
    const key = `${group.coordinatorType ?? 0}/${group.groupId}`;
    const broker = await find(group, key);
    const ask = async (name: (typeof REQUESTS)[number], request: object): Promise<unknown> => {
      try {
        return await broker[name](request);
      } catch (error) {
        const { type } = error as { type?: string };
        if (type === BUSY) throw error;
        known.delete(key);
        if (type !== MOVED) throw error;
        const next = await find(group, key);
        return await next[name](request);
      }
    };
    const asked = REQUESTS.map((name) => [name, (request: object) => ask(name, request)]);
    return Object.assign(Object.create(broker) as Broker, Object.fromEntries(asked) as Requests);
  };
  return Object.assign(Object.create(cluster) as Cluster, { findGroupCoordinator });
}
