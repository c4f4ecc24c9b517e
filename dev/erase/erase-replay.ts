/** A replay computes the rows of erased users again, since bronze still has them: they are ended in its topics, and through its sinks in its tables. */
import { type KafkaAdmin, replayAppOf, replayNameOf, type ReplayPlan, type TopicPartition } from '#topology';
import { hashOfUser, readErasures } from './erasures.ts';
import { RowFinder } from './row-finder.ts';
import { tombstonesOf } from './tombstones.ts';
import type { PersonalTopic, RowSearch } from './types.ts';

/** What it needs. `schemas`: under the topics' live names. */
export interface EraseReplayOptions extends Omit<RowSearch, 'isOf' | 'topology' | 'topics'> {
  readonly admin: KafkaAdmin;
  readonly plan: ReplayPlan;
  /** By their live names; what the replay has not written is passed over. */
  readonly topics: readonly PersonalTopic[];
  /** SLUICE_ERASURE_KEY, as when they were erased: under another one nobody is known. */
  readonly secret: string;
}

/** Keys of one transaction. */
const MOST_KEYS = 500;
const TRANSACTION_MS = 15_000;

/**
 * Once all of the replay is out. Resolves with how many keys were ended, 0 when nobody was erased or it was done before; may be killed and run again. Rows of
 * topics in which users share keys stay, as in live.
 */
export async function eraseInReplay(options: EraseReplayOptions): Promise<number> {
  const { client, admin, plan, deadline, secret, topics, schemas } = options;
  const erasures = await readErasures(client, admin, plan.app, deadline);
  if (erasures.size === 0) return 0;
  const app = replayAppOf(plan.app, plan.id);
  const known = new Map<string, boolean>();
  const isOf = (userId: string): boolean => {
    const isErased = known.get(userId) ?? erasures.has(hashOfUser(plan.app, userId, secret));
    known.set(userId, isErased);
    return isErased;
  };
  const personal = topics.filter(({ isKeyShared }) => !isKeyShared);
  const renamed = personal.map((topic) => ({ ...topic, name: replayNameOf(topic.name, plan.id) }));
  const renamedSchemas = Object.fromEntries(
    personal.flatMap(({ name }) => {
      const schema = schemas[name];
      return schema === undefined ? [] : [[replayNameOf(name, plan.id), schema] as const];
    }),
  );
  const finder = await RowFinder.open({
    ...options,
    topology: { app },
    schemas: renamedSchemas,
    topics: renamed,
    isOf,
  });
  await finder.read();
  const keys = finder.rows.flatMap((rows) => [...rows.keys.values()]);
  if (keys.length > 0) await end(options, app, keys);
  return keys.length;
}

async function end(
  { client }: EraseReplayOptions,
  app: string,
  keys: readonly (TopicPartition & {
    readonly key: Buffer;
    readonly timestamp: number;
    readonly time: Buffer | null;
  })[],
): Promise<void> {
  const producer = await client.producer({ transactionalId: `${app}.erase`, transactionTimeoutMs: TRANSACTION_MS });
  try {
    await producer.fence();
    for (let at = 0; at < keys.length; at += MOST_KEYS) {
      await producer.begin();
      await producer.send(tombstonesOf(keys.slice(at, at + MOST_KEYS)).map(({ ready }) => ready));
      await producer.commit();
    }
  } finally {
    await producer.close().catch(() => undefined);
  }
}
