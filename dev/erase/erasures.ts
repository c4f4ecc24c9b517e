/** The record of erasures: a compacted topic that tells who was erased by a hash of the id, when, and how much. No other data about a person is in it. */
import { createHmac } from 'node:crypto';
import {
  BatchBuilder,
  type KafkaAdmin,
  type KafkaClient,
  type ReadyBatch,
  SluiceError,
  topicConfig,
  type TopicLimits,
} from '#topology';
import { rangesOf, readTopics } from '../verify/read-topics.ts';

/** The topic of all applications' erasures. Key: `<app>|<hash>`. */
export const ERASURES_TOPIC = 'sluice.erasures';

/** Counts by name. */
export type Counts = Readonly<Record<string, number>>;

/** What was erased of a user. */
export interface Erasure {
  readonly app: string;
  /** `hashOfUser`. */
  readonly hash: string;
  /** When the first run began, ms. */
  readonly begunAt: number;
  /** When a run was last at work, ms. */
  readonly at: number;
  /** False: a run has begun and not ended. */
  readonly isDone: boolean;
  /** Tombstones by topic, of all runs. Exact: each is counted in the transaction that writes it. */
  readonly topics: Counts;
  /** Entries of state by store, of all runs; as exact. */
  readonly stores: Counts;
  /** Rows by table. A run that was killed after the delete has not counted them. */
  readonly tables: Counts;
}

const encoder = new TextEncoder();

/**
 * Who it was, to somebody who has the id (and the secret). Without a secret the ids of a shop can be tried one after the other, so the hash is then no more
 * than a way not to write the id down.
 */
export function hashOfUser(app: string, userId: string, secret: string): string {
  return createHmac('sha256', secret).update(`${app}|user|${userId}`).digest('hex');
}

/** Makes the topic where it is missing. */
export async function openErasures(admin: KafkaAdmin, limits: TopicLimits = {}): Promise<void> {
  await admin.ensureTopics([{ name: ERASURES_TOPIC, partitions: 1, config: topicConfig('ledger', limits) }]);
}

/** The erasures of an application by hash; none where there is no topic yet. SluiceError SLC_ERASE_RECORD for one that this program does not know. */
export async function readErasures(
  client: KafkaClient,
  admin: KafkaAdmin,
  app: string,
  deadline: number,
): Promise<Map<string, Erasure>> {
  const erasures = new Map<string, Erasure>();
  const ranges = await rangesOf(admin, [ERASURES_TOPIC]);
  await readTopics(client, ranges, deadline, (at, cursor) => {
    const key = cursor.keyBytes()?.toString('utf8') ?? '';
    const bar = key.lastIndexOf('|');
    if (key.slice(0, bar) !== app) return undefined;
    const [hash, value] = [key.slice(bar + 1), cursor.valueBytes()];
    if (value === null) erasures.delete(hash);
    else erasures.set(hash, parse(value, app, hash, `${at.topic}@${cursor.offset}`));
    return undefined;
  });
  return erasures;
}

/** Ready to be sent, in a transaction with what it tells. */
export function erasureBatch({ app, hash, ...rest }: Erasure): ReadyBatch {
  const batch = new BatchBuilder();
  const value = JSON.stringify({ version: 1, ...rest });
  batch.append(encoder.encode(`${app}|${hash}`), encoder.encode(value), rest.at);
  return { topic: ERASURES_TOPIC, partition: 0, batch };
}

function parse(value: Buffer, app: string, hash: string, where: string): Erasure {
  try {
    const { version, ...rest } = JSON.parse(value.toString('utf8')) as Omit<Erasure, 'app' | 'hash'> & {
      readonly version: number;
    };
    const { begunAt, at, isDone, topics, stores, tables } = rest;
    if (version === 1 && typeof begunAt === 'number' && typeof at === 'number' && typeof isDone === 'boolean') {
      return { app, hash, begunAt, at, isDone, topics: { ...topics }, stores: { ...stores }, tables: { ...tables } };
    }
  } catch {
    // Told below.
  }
  throw new SluiceError('SLC_ERASE_RECORD', `${where} is no record of an erasure that this version knows`, {
    hint: 'a newer version of Sluice may have written it: use that one',
  });
}
