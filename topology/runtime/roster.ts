/** The application's entry in its ledger: topic numbers, which never change, and the epoch of its topology. */
import type { Clock } from '../clock.ts';
import type { Topology } from '../dsl/topology.ts';
import { TopologyError } from '../errors.ts';
import { BatchBuilder } from '../record-batch.ts';
import { encodeRoster, type Roster } from '../time/ledger-records.ts';
import type { KafkaAdmin, KafkaClient } from './kafka-client.ts';
import { type Floors, floorsAfter, stageOf, type Writers } from './floors.ts';
import { ledgerTopicOf, type LedgerReader } from './ledger-reader.ts';
import { compareStores, refuseChanged, type StoreChanges } from './store-changes.ts';

/** The roster's names, and what the new topology does to stores; undefined when it is the first, or the same one. */
export interface UpdatedRoster {
  readonly names: readonly string[];
  readonly floors: Floors;
  readonly changes: StoreChanges | undefined;
}

/** What bringing a roster up to date needs. */
export interface RosterOptions {
  readonly client: KafkaClient;
  readonly admin: KafkaAdmin;
  readonly ledger: LedgerReader;
  readonly clock: Clock;
  readonly topology: Pick<Topology, 'app' | 'base' | 'owners' | 'epoch'>;
  readonly names: readonly string[];
  /** As storeShapes has them. */
  readonly stores: Readonly<Record<string, string>>;
  /** As writerNames has them, of the topics that the application writes. */
  readonly writers: Writers;
  /** Called before anything is changed when the topology is not the one that ran last. */
  beforeUpgrade(): Promise<void>;
}

/**
 * Brings the roster up to date: names that are new are added at its end, in one transaction fenced by `<app>-roster`, so that two processes that
 * start together agree. A name's number is its place in the list. TopologyError SLC_TOPOLOGY_STORE_CHANGED when a store of that name holds something else.
 *
 * Of a project that is divided, the roster of the project numbers the names of all its applications, or two records could have one coordinate, and says which
 * of them has run which stage: TopologyError SLC_APP_STAGE_OWNER when that is another one than in the topology. Nothing is changed then.
 */
export async function updateRoster(options: RosterOptions): Promise<UpdatedRoster> {
  const { app, base } = options.topology;
  if (app === base) return await fenced(options, app, (entry) => updateOwn(options, entry));
  const names = await fenced(options, base, (entry) => claimStages(options, entry));
  return await fenced(options, app, (entry) => updateOwn({ ...options, names }, entry));
}

/** An application's entry, which nobody else changes meanwhile. */
interface RosterEntry {
  /** As it stands when the ledger is read to its end. */
  read(): Promise<Roster | undefined>;
  write(roster: Roster): Promise<void>;
}

async function fenced<T>(options: RosterOptions, app: string, work: (entry: RosterEntry) => Promise<T>): Promise<T> {
  const { client, admin, ledger, clock } = options;
  const at = { topic: ledgerTopicOf(app), partition: 0 };
  const producer = await client.producer({ transactionalId: `${app}-roster`, transactionTimeoutMs: 15_000 });
  try {
    await producer.fence();
    return await work({
      read: async () => {
        const [end] = await admin.offsets([at], { committed: true });
        await ledger.caughtUp(end?.end ?? 0n, app);
        return ledger.rosterOf(app);
      },
      write: async (roster) => {
        const record = encodeRoster(roster);
        const batch = new BatchBuilder();
        batch.append(record.key, record.value, clock.now());
        await producer.begin();
        await producer.send([{ ...at, batch }]);
        await producer.commit();
      },
    });
  } finally {
    await producer.close();
  }
}

async function updateOwn(options: RosterOptions, entry: RosterEntry): Promise<UpdatedRoster> {
  const { admin, ledger, topology, names, stores, writers } = options;
  const { app, base, epoch } = topology;
  let roster = await entry.read();
  const owners = app === base ? claimed(roster, topology) : undefined;
  if (roster !== undefined && roster.epoch !== epoch) {
    await options.beforeUpgrade();
    // What the former version has promised until it went.
    roster = await entry.read();
  }
  const known = roster?.topics ?? [];
  if (app !== base) refuseOtherNumbers(app, known, names);
  const added = names.filter((name) => !known.includes(name));
  const was = await stillFull(admin, app, roster?.stores ?? {}, stores);
  // One that parts of the project have begun is of no topology yet.
  const isFirst = roster === undefined || roster.epoch === UNSTARTED;
  const changes = isFirst ? undefined : compareStores(was, stores);
  refuseChanged(app, changes?.changed ?? []);
  const isSame = roster?.epoch === epoch;
  const isWritten =
    Object.entries(stores).every(([store, shape]) => was[store] === shape) &&
    Object.keys(writers).every((each) => roster?.writers[each] !== undefined) &&
    isSameOwners(roster?.owners, owners);
  const before = roster?.floors ?? {};
  if (added.length === 0 && isSame && isWritten) return { names: known, floors: before, changes: undefined };
  const topics = [...known, ...added];
  // Nobody runs who wrote by the former roster.
  const promises = ledger.promises(() => true);
  const floors = { ...before, ...floorsAfter(roster?.writers ?? {}, writers, promises) };
  await entry.write({ app, topics, epoch, stores: { ...was, ...stores }, writers, floors, owners });
  return { names: topics, floors, changes: isSame ? undefined : changes };
}

/** The epoch of a project's roster as long as only parts of it were started. */
const UNSTARTED = '';

/** A part of the project: its stages and names go into the project's roster. Returns all names. */
async function claimStages(options: RosterOptions, entry: RosterEntry): Promise<readonly string[]> {
  const { topology, names } = options;
  const fresh: Roster = { app: topology.base, topics: [], epoch: UNSTARTED, stores: {}, writers: {}, floors: {} };
  const found = await entry.read();
  const roster = found ?? fresh;
  const owners = claimed(found, topology);
  const topics = [...roster.topics, ...names.filter((name) => !roster.topics.includes(name))];
  if (topics.length === roster.topics.length && isSameOwners(roster.owners, owners)) return topics;
  await entry.write({ ...roster, topics, owners });
  return topics;
}

/**
 * Who has run which stage, with the stages of this application. A roster of before there was this is that of an application that ran all it wrote for.
 * What a stage has read, kept and promised is its application's: another one would begin it anew, and write all of it a second time.
 */
function claimed(roster: Roster | undefined, { app, base, owners }: RosterOptions['topology']): Record<string, string> {
  const written = Object.values(roster?.writers ?? {}).flat();
  const known = roster?.owners ?? Object.fromEntries(written.map((writer) => [stageOf(writer), base]));
  for (const [stage, owner] of owners) {
    const other = known[stage];
    if (other === undefined || other === owner) continue;
    throw new TopologyError(
      'SLC_APP_STAGE_OWNER',
      `stage ${stage} was run by application ${other}, which has its positions and its state; here it is one of ${owner}`,
      {
        where: stage,
        hint: `declare it for ${other} again, everywhere; a stage under a new name, with topics of its own, may run in any application`,
      },
    );
  }
  const own = [...owners].filter(([, owner]) => owner === app);
  return { ...known, ...Object.fromEntries(own) };
}

function isSameOwners(was: Roster['owners'], is: Roster['owners']): boolean {
  return is === undefined || Object.entries(is).every(([stage, app]) => was?.[stage] === app);
}

/** The numbers are in the coordinates of all that the application keeps. */
function refuseOtherNumbers(app: string, known: readonly string[], names: readonly string[]): void {
  if (known.every((name, number) => names[number] === name)) return;
  throw new TopologyError(
    'SLC_APP_NUMBERS',
    `the ledger of the project was made anew since ${app} began: it numbers topics otherwise than the state of ${app} does`,
    { where: app, hint: `begin ${app} anew too: delete its topics and its group, or the whole project's` },
  );
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
