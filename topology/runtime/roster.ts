/** The application's entry in its ledger: topic numbers, which never change, and the epoch of its topology. */
import type { Clock } from '../clock.ts';
import { BatchBuilder } from '../record-batch.ts';
import { encodeRoster } from '../time/ledger-records.ts';
import type { KafkaAdmin, KafkaClient } from './kafka-client.ts';
import { type Floors, floorsAfter, type Writers } from './floors.ts';
import { ledgerTopicOf, type LedgerReader } from './ledger-reader.ts';
import { compareStores, refuseChanged, type StoreChanges } from './store-changes.ts';

/** The roster's names, and what the new topology does to stores; undefined when it is the first, or the same one. */
export interface UpdatedRoster {
  readonly names: readonly string[];
  readonly floors: Floors;
  readonly changes: StoreChanges | undefined;
}

/**
 * Brings the roster up to date: names that are new are added at its end, in one transaction fenced by `<app>-roster`, so that two processes that
 * start together agree. A name's number is its place in the list. TopologyError SLC_TOPOLOGY_STORE_CHANGED when a store of that name holds something else.
 */
export async function updateRoster(options: {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly ledger: LedgerReader;
  readonly clock: Clock;
  readonly app: string;
  readonly epoch: string;
  readonly names: readonly string[];
  /** As storeShapes has them. */
  readonly stores: Readonly<Record<string, string>>;
  /** As writerNames has them. */
  readonly writers: Writers;
  /** Called before anything is changed when the topology is not the one that ran last. */
  beforeUpgrade(): Promise<void>;
}): Promise<UpdatedRoster> {
  const { client, admin, ledger, clock, app, epoch, names, stores, writers } = options;
  const producer = await client.producer({ transactionalId: `${app}-roster`, transactionTimeoutMs: 15_000 });
  try {
    await producer.fence();
    const topic = ledgerTopicOf(app);
    const readAll = async (): Promise<void> => {
      const [end] = await admin.offsets([{ topic, partition: 0 }], { committed: true });
      await ledger.caughtUp(end?.end ?? 0n);
    };
    await readAll();
    if (ledger.roster !== undefined && ledger.roster.epoch !== epoch) {
      await options.beforeUpgrade();
      // What the former version has promised until it went.
      await readAll();
    }
    const known = ledger.roster?.topics ?? [];
    const added = names.filter((name) => !known.includes(name));
    const was = await stillFull(admin, app, ledger.roster?.stores ?? {}, stores);
    const changes = ledger.roster === undefined ? undefined : compareStores(was, stores);
    refuseChanged(app, changes?.changed ?? []);
    const isSame = ledger.roster?.epoch === epoch;
    const isWritten =
      Object.entries(stores).every(([store, shape]) => was[store] === shape) &&
      Object.keys(writers).every((each) => ledger.roster?.writers[each] !== undefined);
    const before = ledger.roster?.floors ?? {};
    if (added.length === 0 && isSame && isWritten) return { names: known, floors: before, changes: undefined };
    const topics = [...known, ...added];
    // Nobody runs who wrote by the former roster.
    const promises = ledger.promises(() => true);
    const floors = { ...before, ...floorsAfter(ledger.roster?.writers ?? {}, writers, promises) };
    const record = encodeRoster({ app, topics, epoch, stores: { ...was, ...stores }, writers, floors });
    const batch = new BatchBuilder();
    batch.append(record.key, record.value, clock.now());
    await producer.begin();
    await producer.send([{ topic, partition: 0, batch }]);
    await producer.commit();
    return { names: topics, floors, changes: isSame ? undefined : changes };
  } finally {
    await producer.close();
  }
}

/** A store whose changelog was deleted begins empty: what it was does not bind it. */
async function stillFull(
  admin: KafkaAdmin,
  app: string,
  was: Readonly<Record<string, string>>,
  is: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const suspects = Object.keys(was).filter((store) => is[store] !== undefined && is[store] !== was[store]);
  const topics = suspects.map((store) => `${app}-${store}-changelog`);
  const counts = await admin.partitionCounts(topics);
  const full = new Map(Object.entries(was));
  for (const [i, store] of suspects.entries()) {
    const topic = topics[i] ?? '';
    const partitions = Array.from({ length: counts.get(topic) ?? 0 }, (_, partition) => ({ topic, partition }));
    const ranges = await admin.offsets(partitions, { committed: true });
    if (ranges.every(({ start, end }) => start === end)) full.delete(store);
  }
  return Object.fromEntries(full);
}
