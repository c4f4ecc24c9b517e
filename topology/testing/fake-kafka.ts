/**
 * A broker in memory behind the port: real record batch bytes, transactions with markers and fencing, groups. It passes the contract suite of drivers
 * (test/topology/kafka-client/contract.ts), which also runs on the real broker; it has no clock, no disk and no other clients.
 */
import { type Clock, systemClock } from '../clock.ts';
import { ConfigError, InvariantError, RetriableError, TaskMigratedError } from '../errors.ts';
import type { TopicPartition } from '../record.ts';
import { assignPartitions, type MemberInfo } from '../runtime/assign-partitions.ts';
import type {
  CommittedOffset,
  GroupMember,
  GroupMembership,
  JoinOptions,
  KafkaAdmin,
  KafkaClient,
  TopicSpec,
} from '../runtime/kafka-client.ts';
import { FakePartition } from './fake-partition.ts';
import { FakeProducer } from './fake-producer.ts';
import { FakeReader } from './fake-reader.ts';

/** What the broker knows of a transactional id. */
export interface FakeTransactions {
  producerId: bigint;
  epoch: number;
  readonly partitions: Set<FakePartition>;
  readonly offsets: Map<string, CommittedOffset[]>;
}

interface Member {
  readonly id: string;
  readonly options: JoinOptions;
  assigned: readonly number[];
}

/** What a topic has that says nothing else. */
const KAFKA_DEFAULTS: Readonly<Record<string, string>> = {
  'cleanup.policy': 'delete',
  'retention.ms': '604800000',
  'retention.bytes': '-1',
};

export class FakeKafka {
  /** Every call fails with RetriableError SLC_BROKER_AWAY while true. */
  away = false;
  /** By which its readers wait for records: no longer than they were told to. */
  readonly clock: Clock;
  readonly #topics = new Map<string, FakePartition[]>();
  readonly #settings = new Map<string, Readonly<Record<string, string>>>();
  readonly #transactions = new Map<string, FakeTransactions>();
  readonly #offsets = new Map<string, CommittedOffset>();
  readonly #groups = new Map<string, Member[]>();
  readonly #waiting = new Set<() => void>();
  #producerIds = 1_000n;
  #members = 0;

  constructor(options: { readonly clock?: Clock } = {}) {
    this.clock = options.clock ?? systemClock;
  }

  /** A client of this broker: any number may be made. */
  client(): KafkaClient {
    const memberships: GroupMembership[] = [];
    return {
      admin: () => Promise.resolve(this.#admin()),
      producer: (options) => Promise.resolve(new FakeProducer(this, options?.transactionalId)),
      reader: (options) => Promise.resolve(new FakeReader(this, options)),
      join: async (options) => {
        const membership = await this.#join(options);
        memberships.push(membership);
        return membership;
      },
      close: async () => {
        await Promise.all(memberships.map((membership) => membership.leave()));
      },
    };
  }

  /** RetriableError SLC_BROKER_AWAY while the broker is away. */
  check(): void {
    if (this.away) throw new RetriableError('SLC_BROKER_AWAY', 'the broker is away');
  }

  partition({ topic, partition }: TopicPartition): FakePartition {
    this.check();
    const found = this.#topics.get(topic)?.[partition];
    if (found === undefined) throw new RetriableError('SLC_BROKER_AWAY', `${topic}-${partition} is not there`);
    return found;
  }

  /** Takes a transactional id over: its open transaction is aborted, older epochs are fenced. */
  initProducer(transactionalId: string): { producerId: bigint; epoch: number } {
    this.check();
    let state = this.#transactions.get(transactionalId);
    if (state === undefined) {
      state = { producerId: this.newProducerId(), epoch: -1, partitions: new Set(), offsets: new Map() };
      this.#transactions.set(transactionalId, state);
    } else this.#end(state, false);
    state.epoch++;
    return { producerId: state.producerId, epoch: state.epoch };
  }

  /** Something was written, or a transaction has ended: readers that wait look again. */
  wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** Resolves when something may have changed, after `maxWaitMs` at the latest. */
  async changed(maxWaitMs: number): Promise<void> {
    const over = new AbortController();
    let wake = (): void => undefined;
    const woken = new Promise<void>((resolve) => (wake = resolve));
    this.#waiting.add(wake);
    await Promise.race([woken, this.clock.sleep(maxWaitMs, over.signal)]);
    this.#waiting.delete(wake);
    over.abort('woken');
  }

  newProducerId(): bigint {
    return ++this.#producerIds;
  }

  /** The open transaction of an id. TaskMigratedError when the epoch is not the newest. */
  transaction(transactionalId: string, epoch: number): FakeTransactions {
    this.check();
    const state = this.#transactions.get(transactionalId);
    if (state?.epoch === epoch) return state;
    throw new TaskMigratedError('SLC_TASK_MIGRATED', `${transactionalId}: an operation with an old epoch`);
  }

  endTransaction(transactionalId: string, epoch: number, committed: boolean): void {
    this.#end(this.transaction(transactionalId, epoch), committed);
  }

  #end(state: FakeTransactions, committed: boolean): void {
    for (const partition of state.partitions) partition.endTransaction(state.producerId, committed);
    if (committed) {
      for (const [group, offsets] of state.offsets) {
        for (const offset of offsets) this.#offsets.set(`${group}|${offset.topic}|${offset.partition}`, offset);
      }
    }
    state.partitions.clear();
    state.offsets.clear();
    this.wake();
  }

  #admin(): KafkaAdmin {
    const asked = async <T>(answer: () => T): Promise<T> => {
      this.check();
      return await Promise.resolve(answer());
    };
    return {
      ensureTopics: (topics) => asked(() => topics.forEach((topic) => this.#ensure(topic))),
      listTopics: () => asked(() => [...this.#topics.keys()]),
      partitionCounts: (topics) =>
        asked(
          () =>
            new Map(
              topics.flatMap((topic) => {
                const found = this.#topics.get(topic);
                return found === undefined ? [] : [[topic, found.length] as const];
              }),
            ),
        ),
      topicSettings: (topics, names) =>
        asked(
          () =>
            new Map(topics.filter((topic) => this.#topics.has(topic)).map((topic) => [topic, this.#set(topic, names)])),
        ),
      offsets: (partitions, { committed }) =>
        asked(() =>
          partitions.map((tp) => ({ start: this.partition(tp).start, end: this.partition(tp).end(committed) })),
        ),
      offsetsAt: (partitions, timestamp) =>
        asked(() => partitions.map((tp) => this.partition(tp).firstSince(timestamp))),
      sizes: (partitions) => asked(() => partitions.map((tp) => this.partition(tp).sizeBytes)),
      committedOffsets: (group, partitions) =>
        asked(() =>
          partitions.flatMap(({ topic, partition }) => this.#offsets.get(`${group}|${topic}|${partition}`) ?? []),
        ),
      groupMembers: (group) =>
        asked(() =>
          (this.#groups.get(group) ?? []).map(({ id, options, assigned }) => ({
            memberId: id,
            epoch: options.epoch,
            partitions: assigned,
            ...toldOf(options),
          })),
        ),
      deleteRecords: (before) => asked(() => before.forEach((tp) => this.partition(tp).deleteBefore(tp.offset))),
      deleteTopics: (topics) => asked(() => topics.forEach((topic) => void this.#topics.delete(topic))),
      deleteGroups: (groups) => asked(() => groups.forEach((group) => this.#deleteGroup(group))),
      close: () => Promise.resolve(),
    };
  }

  #set(topic: string, names: readonly string[]): Map<string, string> {
    const settings = this.#settings.get(topic) ?? {};
    return new Map(names.map((name) => [name, settings[name] ?? KAFKA_DEFAULTS[name] ?? '']));
  }

  #deleteGroup(group: string): void {
    if ((this.#groups.get(group) ?? []).length > 0)
      throw new RetriableError('SLC_BROKER_GROUP_BUSY', `group ${group} has members`);
    this.#groups.delete(group);
    for (const key of this.#offsets.keys()) if (key.startsWith(`${group}|`)) this.#offsets.delete(key);
  }

  #ensure({ name, partitions, config = {} }: TopicSpec): void {
    const found = this.#topics.get(name);
    if (found === undefined) {
      this.#settings.set(name, config);
      this.#topics.set(
        name,
        Array.from({ length: partitions }, () => new FakePartition()),
      );
    } else if (found.length !== partitions) {
      throw new ConfigError(
        'SLC_CONFIG_TOPIC',
        `topic ${name} has ${found.length} partitions, ${partitions} are wanted`,
      );
    }
  }

  async #join(options: JoinOptions): Promise<GroupMembership> {
    this.check();
    const member: Member = { id: `member-${String(this.#members++).padStart(6, '0')}`, options, assigned: [] };
    const members = this.#groups.get(options.group) ?? [];
    this.#groups.set(options.group, [...members, member]);
    await Promise.resolve();
    this.#rebalance(options.group);
    return {
      get assigned() {
        return member.assigned;
      },
      confirmed: () => Promise.resolve(),
      again: () => this.#rebalance(options.group),
      leave: () => {
        const left = (this.#groups.get(options.group) ?? []).filter((one) => one !== member);
        this.#groups.set(options.group, left);
        this.#rebalance(options.group);
        return Promise.resolve();
      },
    };
  }

  /** A member's loss of its group, as after a session that ran out. */
  expel(group: string, nth: number): void {
    const members = this.#groups.get(group) ?? [];
    const member = members[nth];
    if (member === undefined) throw new InvariantError('SLC_BUG_FAKE', `${group} has no member ${nth}`);
    this.#groups.set(
      group,
      members.filter((one) => one !== member),
    );
    this.#rebalance(group);
    member.options.onLost(new Error('expelled'));
  }

  #rebalance(group: string): void {
    const members = this.#groups.get(group) ?? [];
    const [leader] = members;
    if (leader === undefined) return;
    const infos = members.map(({ id, options, assigned }): MemberInfo => {
      return { memberId: id, topics: options.topics, epoch: options.epoch, owned: assigned, ...toldOf(options) };
    });
    const count = Math.max(0, ...leader.options.topics.map((topic) => this.#topics.get(topic)?.length ?? 0));
    const assigned = assignPartitions(infos, leader.options.epoch, count);
    const epochs = [...new Set(infos.map(({ epoch }) => epoch))];
    for (const member of members) {
      member.assigned = assigned.get(member.id) ?? [];
      const otherEpochs = epochs.filter((epoch) => epoch !== member.options.epoch);
      member.options.onAssigned(member.assigned, { otherEpochs, memberId: member.id });
    }
  }
}

function toldOf({ standby }: JoinOptions): Pick<GroupMember, 'standby' | 'copies' | 'place'> {
  return { standby: standby?.count ?? 0, copies: standby?.copies() ?? [], place: standby?.place };
}
