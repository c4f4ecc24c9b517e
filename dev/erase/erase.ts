/** `sluice erase user`: finds what silver, gold, state and the warehouse hold of a user, and erases what can be erased (docs/ERASURE.md). */
import { type KafkaProducer, PlanStore, SluiceError, TaskMigratedError, type TopicPartition } from '#topology';
import { findEntries, type FoundEntry } from './entry-finder.ts';
import { type Counts, type Erasure, erasureBatch, hashOfUser, openErasures, readErasures } from './erasures.ts';
import { type FoundKey, RowFinder, type TopicRows } from './row-finder.ts';
import { tombstonesOf } from './tombstones.ts';
import type { EraseOptions } from './types.ts';
import { ErasedWarehouse } from './warehouse.ts';

/** How long Kafka keeps a topic that it does not compact; null where it says nothing. */
export interface Retention {
  /** -1: for good. */
  readonly ms: number | null;
  /** Per partition; -1: no limit. */
  readonly bytes: number | null;
}

/** Rows that Kafka keeps, as it does not compact their topic: a tombstone ends them for whoever reads it to its end, but takes no bytes away. */
export interface KeptRows {
  readonly topic: string;
  readonly records: number;
  readonly retention: Retention;
}

/** What there is of a user. */
export interface Holdings {
  readonly hash: string;
  /** Keys with a row of the user, by topic in which a key is one user's; 0 too. */
  readonly topics: Counts;
  readonly kept: readonly KeptRows[];
  /** Entries of state by store, 0 too. */
  readonly stores: Counts;
  readonly openSessions: number;
  /** Rows by table; undefined without a warehouse. */
  readonly tables: Counts | undefined;
  /** The shop has the user: rows will come again. */
  readonly isInShop: boolean;
  /** Replays, whose topics, tables and files are copies. */
  readonly replays: readonly string[];
  /** Of a run before. */
  readonly erasure: Erasure | undefined;
}

/** What was erased now. */
export interface Erased {
  readonly topics: Counts;
  readonly stores: Counts;
  readonly tables: Counts | undefined;
  /** False: the warehouse's sink had not taken what was in Kafka when the time ran out, so it may write rows again. */
  readonly isComplete: boolean;
  readonly erasure: Erasure;
}

/** Keys, or entries, of one transaction. */
const MOST_KEYS = 500;
const TRANSACTION_MS = 15_000;
/** As many times a slot is taken from an application that takes it back at once. */
const ATTEMPTS = 5;
const SETTINGS = ['cleanup.policy', 'retention.ms', 'retention.bytes'] as const;

/** A user, looked for. Use once: `holdings`, then at most one `erase`. */
export class UserErasure {
  readonly #options: EraseOptions;
  readonly #finder: RowFinder;
  readonly #settings: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly #warehouse: ErasedWarehouse | undefined;
  #entries: readonly FoundEntry[] = [];

  private constructor(
    options: EraseOptions,
    finder: RowFinder,
    settings: ReadonlyMap<string, ReadonlyMap<string, string>>,
  ) {
    this.#options = options;
    this.#finder = finder;
    this.#settings = settings;
    this.#warehouse = options.postgres === undefined ? undefined : new ErasedWarehouse(options.postgres, options);
  }

  static async open(options: EraseOptions): Promise<UserErasure> {
    const names = options.topics.map(({ name }) => name);
    const settings = await options.admin.topicSettings(names, SETTINGS);
    const search = { ...options, isOf: (userId: string) => userId === options.userId };
    return new UserErasure(options, await RowFinder.open(search), settings);
  }

  /** Reads everything once; changes nothing. SluiceError SLC_ERASE_NOBODY when there is nothing of the user and never was an erasure. */
  async holdings(): Promise<Holdings> {
    const { client, admin, topology, userId, secret, deadline, progress } = this.#options;
    const hash = hashOfUser(topology.app, userId, secret);
    progress('reading silver and gold');
    await this.#finder.read();
    progress('reading state');
    this.#entries = await findEntries(this.#options, this.#options.stores);
    const openSessions = await findEntries(this.#options, [this.#options.openSessions]);
    const tables = await this.#warehouse?.count();
    const plans = await new PlanStore(client, admin, topology.app).read();
    const erasure = (await readErasures(client, admin, topology.app, deadline)).get(hash);
    const rows = this.#finder.rows;
    const holdings: Holdings = {
      hash,
      topics: countsOf(rows.filter(canEnd).map(({ topic, keys }) => [topic.name, keys.size])),
      kept: rows.filter((each) => !this.#isCompacted(each)).map((each) => this.#kept(each)),
      stores: this.#countEntries(this.#entries),
      openSessions: openSessions.length,
      tables: tables && Object.fromEntries(tables),
      isInShop: rows.some(({ topic, there }) => topic.name === this.#options.users && there.size > 0),
      replays: [...plans.keys()].toSorted(),
      erasure,
    };
    if (erasure !== undefined || isThere(holdings)) return holdings;
    throw new SluiceError('SLC_ERASE_NOBODY', `there is nothing of user ${userId}, and nothing of him was erased`, {
      hint: 'ids are those of the shop: sluice inspect silver.users --key ID',
    });
  }

  /**
   * Erases what `holdings` has told, and what has come since. May be killed at any moment and run again. Only one run at a time: a second one fences
   * the first, which ends with TaskMigratedError.
   */
  async erase(holdings: Holdings): Promise<Erased> {
    const { client, admin, topology, deadline } = this.#options;
    await openErasures(admin);
    const producer = await client.producer({
      transactionalId: `${topology.app}.erase`,
      transactionTimeoutMs: TRANSACTION_MS,
    });
    try {
      // First: only then is the record the last word of a run before.
      await producer.fence();
      const before = (await readErasures(client, admin, topology.app, deadline)).get(holdings.hash);
      return await this.#run(producer, before ?? newErasure(topology.app, holdings.hash));
    } finally {
      await producer.close().catch(() => undefined);
    }
  }

  async #run(producer: KafkaProducer, before: Erasure): Promise<Erased> {
    let erasure = await this.#record(producer, { ...before, isDone: false });
    const stores: Record<string, number> = this.#countEntries([]);
    const slots = this.#entries.map(({ store, partition }) => ({ app: this.#appOf(store), partition }));
    for (const slot of new Map(slots.map((each) => [`${each.app}-${each.partition}`, each])).values()) {
      this.#options.progress(`erasing state of slot ${slot.partition} of ${slot.app}`);
      const [next, erased] = await this.#eraseSlot(slot, erasure);
      erasure = next;
      for (const { store } of erased) stores[store] = (stores[store] ?? 0) + 1;
    }
    // Now: what the slots had under way is aborted, and what they had committed is there.
    this.#options.progress('erasing silver and gold');
    await this.#finder.read();
    // Before the sink can delete any for the tombstones.
    const rows = await this.#warehouse?.count();
    const topics: Record<string, number> = {};
    const ends = new Map(this.#finder.last.map((each) => [`${each.topic}/${each.partition}`, each]));
    for (const { topic, keys } of this.#finder.rows.filter(canEnd)) {
      topics[topic.name] = 0;
      for (const some of inParts([...keys.values()])) {
        const counted = { ...erasure, topics: plus(erasure.topics, topic.name, some.length) };
        erasure = await this.#record(producer, counted, some, ends);
        topics[topic.name] = (topics[topic.name] ?? 0) + some.length;
      }
    }
    const [tables, isComplete] = await this.#eraseTables(rows, [...ends.values()]);
    for (const [name, rows] of Object.entries(tables ?? {}))
      erasure = { ...erasure, tables: plus(erasure.tables, name, rows) };
    erasure = await this.#record(producer, { ...erasure, isDone: isComplete });
    return { topics, stores, tables, isComplete, erasure };
  }

  /** One transaction: the record, and tombstones with it. `ends` takes where they landed. */
  async #record(
    producer: KafkaProducer,
    erasure: Erasure,
    keys: readonly FoundKey[] = [],
    ends?: Map<string, TopicPartition & { readonly offset: bigint }>,
  ): Promise<Erasure> {
    const now = { ...erasure, at: Date.now() };
    const tombstones = tombstonesOf(keys);
    await producer.begin();
    const sent = await producer.send([...tombstones.map(({ ready }) => ready), erasureBatch(now)]);
    await producer.commit();
    for (const [i, { count }] of tombstones.entries()) {
      const at = sent[i];
      if (at === undefined) continue;
      const { topic, partition, baseOffset } = at;
      ends?.set(`${topic}/${partition}`, { topic, partition, offset: baseOffset + BigInt(count) - 1n });
    }
    return now;
  }

  /** The application whose slots have that store. */
  #appOf(store: string): string {
    const { app, owners, subTopologies } = this.#options.topology;
    const sub = subTopologies.find(({ stores }) => stores.some(({ name }) => name === store));
    return (sub && owners.get(sub.stage)) ?? app;
  }

  /**
   * Takes the slot, as a process does whose predecessor has died: whoever runs it loses what is not committed, and finds the tombstones when it restores.
   * TaskMigratedError when it takes the slot back faster than the entries are read, again and again.
   */
  async #eraseSlot(
    { app, partition }: { readonly app: string; readonly partition: number },
    before: Erasure,
  ): Promise<[Erasure, FoundEntry[]]> {
    const { client } = this.#options;
    const stores = this.#options.stores.filter(({ name }) => this.#appOf(name) === app);
    let erasure = before;
    const erased: FoundEntry[] = [];
    for (let nth = 1; ; nth++) {
      const producer = await client.producer({
        transactionalId: `${app}-${partition}`,
        transactionTimeoutMs: TRANSACTION_MS,
      });
      try {
        await producer.fence();
        const entries = await findEntries(this.#options, stores, partition);
        for (const some of inParts(entries)) {
          let counts = erasure.stores;
          for (const { store } of some) counts = plus(counts, store, 1);
          const counted = { ...erasure, stores: counts, at: Date.now() };
          await producer.begin();
          await producer.send([...tombstonesOf(some).map(({ ready }) => ready), erasureBatch(counted)]);
          await producer.commit();
          erasure = counted;
          erased.push(...some);
        }
        return [erasure, erased];
      } catch (error) {
        if (!(error instanceof TaskMigratedError) || nth === ATTEMPTS) throw error;
      } finally {
        await producer.close().catch(() => undefined);
      }
    }
  }

  /** Only behind the sink: it would write again what it has not taken yet. */
  async #eraseTables(
    before: ReadonlyMap<string, number> | undefined,
    last: readonly (TopicPartition & { readonly offset: bigint })[],
  ): Promise<[tables: Counts | undefined, isComplete: boolean]> {
    const warehouse = this.#warehouse;
    if (warehouse === undefined || before === undefined || before.size === 0) return [undefined, true];
    const { topology, topics, deadline, progress } = this.#options;
    const written = last.filter(({ topic }) => topics.some(({ name, table }) => name === topic && table !== undefined));
    const isComplete = await warehouse.caughtUp(topology.app, written, deadline, progress);
    progress('erasing rows of PostgreSQL');
    const deleted = await warehouse.erase();
    // Those that the sink has deleted for the tombstones count too.
    return [countsOf([...before].map(([table, rows]) => [table, Math.max(rows, deleted.get(table) ?? 0)])), isComplete];
  }

  #isCompacted({ topic: { name } }: TopicRows): boolean {
    return this.#settings.get(name)?.get('cleanup.policy')?.includes('compact') === true;
  }

  #kept({ topic: { name }, records }: TopicRows): KeptRows {
    const numberOf = (setting: (typeof SETTINGS)[number]): number | null => {
      const text = this.#settings.get(name)?.get(setting) ?? '';
      return /^-?\d+$/.test(text) ? Number(text) : null;
    };
    return { topic: name, records, retention: { ms: numberOf('retention.ms'), bytes: numberOf('retention.bytes') } };
  }

  #countEntries(entries: readonly FoundEntry[]): Record<string, number> {
    return countsOf(
      this.#options.stores.map(({ name }) => [name, entries.filter(({ store }) => store === name).length]),
    );
  }
}

function newErasure(app: string, hash: string): Erasure {
  const now = Date.now();
  return { app, hash, begunAt: now, at: now, isDone: false, topics: {}, stores: {}, tables: {} };
}

/** Stages pass over the tombstone (ERASED_HEADER), so it does not matter whether they read the topic. */
const canEnd = ({ topic }: TopicRows): boolean => !topic.isKeyShared;

/** Something that can be erased, or that stays. */
function isThere({ topics, kept, stores, openSessions, tables }: Holdings): boolean {
  const counts = [...Object.values(topics), ...Object.values(stores), ...Object.values(tables ?? {})];
  return openSessions > 0 || counts.some((count) => count > 0) || kept.some(({ records }) => records > 0);
}

function* inParts<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += MOST_KEYS) yield all.slice(at, at + MOST_KEYS);
}

function plus(counts: Counts, name: string, more: number): Counts {
  return { ...counts, [name]: (counts[name] ?? 0) + more };
}

const countsOf = (entries: readonly (readonly [string, number])[]): Record<string, number> =>
  Object.fromEntries(entries);
