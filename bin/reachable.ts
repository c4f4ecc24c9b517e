/** For commands that a person waits for: a broker that is not there is said at once, not after all the patience that a role has. */
import { connect } from 'node:net';
import { type KafkaAdmin, type KafkaClient, RetriableError } from '#topology';

const CONNECT_MS = 3_000;
const ANSWER_MS = 6_000;
const HINT = 'is the broker up, and the address right? npm run status tells what runs in this clone';

/** An admin of a broker that answers; RetriableError SLC_BROKER_AWAY within 9 s when none does. */
export async function openAdmin(client: KafkaClient, brokers: readonly string[]): Promise<KafkaAdmin> {
  const problems: string[] = [];
  const attempts = brokers.map((broker) => reach(broker).catch((error: unknown) => problems.push(messageOf(error))));
  await Promise.all(attempts);
  if (problems.length === brokers.length) {
    throw new RetriableError('SLC_BROKER_AWAY', `Kafka cannot be reached: ${problems.join('; ')}`, { hint: HINT });
  }
  const admin = await client.admin();
  const answered = admin.listTopics();
  if (await within(ANSWER_MS, answered)) return admin;
  const who = brokers.join(', ');
  throw new RetriableError('SLC_BROKER_AWAY', `Kafka at ${who} does not answer within ${ANSWER_MS / 1_000} s`, {
    hint: HINT,
  });
}

/** Resolves when something listens there. */
async function reach(broker: string): Promise<void> {
  const colon = broker.lastIndexOf(':');
  const [host, port] = [broker.slice(0, colon), Number(broker.slice(colon + 1))];
  if (colon < 0 || !(port > 0 && port < 65_536)) throw new Error(`${broker} is no host:port`);
  const socket = connect({ host: host.replace(/^\[(.*)\]$/, '$1'), port });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
      socket.setTimeout(CONNECT_MS, () =>
        reject(new Error(`${broker} does not answer within ${CONNECT_MS / 1_000} s`)),
      );
    });
  } finally {
    socket.destroy();
  }
}

/** False when the time was over before; rejects as the work does. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
