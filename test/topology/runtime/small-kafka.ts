/** As much of Kafka in memory as a sink stage asks for: logs, a group, and faults on demand. */
import { BatchBuilder } from '../../../topology/record-batch.ts';
import { MemoryLog } from '../../../topology/testing/memory-log.ts';
import {
  type FetchedRecords,
  type JoinOptions,
  type KafkaClient,
  type KafkaReader,
  RetriableError,
  TaskCorruptedError,
  type TopicPartition,
} from '#topology';

const encoder = new TextEncoder();

export interface ReadBack {
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Record<string, string>;
}

export class SmallKafka {
  /** Calls fail with RetriableError while true. */
  away = false;
  /** Sends fail while true. */
  refusesSends = false;
  /** First offset kept, per `topic/partition`. */
  readonly starts = new Map<string, bigint>();
  /** Partitions that no reader fetches for now. */
  readonly paused = new Set<string>();
  readonly #logs = new Map<string, MemoryLog[]>();
  #members: { options: JoinOptions; assigned: number[] }[] = [];

  create(topic: string, partitions: number): void {
    this.#logs.set(
      topic,
      Array.from({ length: partitions }, () => new MemoryLog()),
    );
  }

  log({ topic, partition }: TopicPartition): MemoryLog {
    const log = this.#logs.get(topic)?.[partition];
    if (log === undefined) throw new Error(`no ${topic}/${partition}`);
    return log;
  }

  append(
    topic: string,
    partition: number,
    records: readonly (readonly [key: string | null, value: string | null])[],
  ): void {
    const batch = new BatchBuilder();
    for (const [key, value] of records) {
      batch.append(key === null ? null : encoder.encode(key), value === null ? null : encoder.encode(value), 1_000);
    }
    this.log({ topic, partition }).append(batch);
  }

  readBack(topic: string): ReadBack[] {
    const all: ReadBack[] = [];
    for (const log of this.#logs.get(topic) ?? []) {
      for (const { key, value, cursor } of log.records()) {
        const headers = cursor.headers().map(([name, text]) => [name, text?.toString() ?? '']);
        all.push({
          key: key?.toString() ?? null,
          value: value?.toString() ?? null,
          headers: Object.fromEntries(headers),
        });
      }
    }
    return all;
  }

  /** A member's loss of the group. */
  expel(index: number): void {
    const [member] = this.#members.splice(index, 1);
    this.#rebalance();
    member?.options.onLost(new Error('expelled'));
  }

  get members(): number {
    return this.#members.length;
  }

  client(): KafkaClient {
    return {
      admin: async () => ({
        ...unused,
        groupMembers: async () => [],
        ensureTopics: async (topics) => {
          this.#check();
          for (const topic of topics) if (!this.#logs.has(topic.name)) this.create(topic.name, topic.partitions);
        },
        partitionCounts: async (topics) => {
          this.#check();
          return new Map(
            topics.flatMap((topic) => (this.#logs.has(topic) ? [[topic, this.#logs.get(topic)!.length]] : [])),
          );
        },
        offsets: async (partitions) => {
          this.#check();
          return partitions.map((tp) => ({ start: this.#start(tp), end: this.log(tp).end }));
        },
        close: async () => undefined,
      }),
      producer: async () => ({
        ...unused,
        send: async (batches) => {
          if (this.refusesSends) throw new RetriableError('SLC_BROKER_TEST', 'no leader');
          return batches.map(({ topic, partition, batch }) => ({
            topic,
            partition,
            baseOffset: this.log({ topic, partition }).append(batch),
          }));
        },
        close: async () => undefined,
      }),
      reader: async () => this.#reader(),
      join: async (options) => {
        this.#check();
        const member = { options, assigned: [] as number[] };
        this.#members.push(member);
        this.#rebalance();
        return {
          get assigned() {
            return member.assigned;
          },
          confirmed: async () => undefined,
          again: () => undefined,
          leave: async () => {
            this.#members = this.#members.filter((each) => each !== member);
            this.#rebalance();
          },
        };
      },
      close: async () => undefined,
    };
  }

  #check(): void {
    if (this.away) throw new RetriableError('SLC_BROKER_TEST', 'the broker is away');
  }

  #start(tp: TopicPartition): bigint {
    return this.starts.get(`${tp.topic}/${tp.partition}`) ?? 0n;
  }

  #rebalance(): void {
    const count = Math.max(0, ...[...this.#logs.values()].map((logs) => logs.length));
    for (const [index, member] of this.#members.entries()) {
      member.assigned = Array.from({ length: count }, (_, p) => p).filter((p) => p % this.#members.length === index);
      setImmediate(() => member.options.onAssigned(member.assigned, { otherEpochs: [], memberId: String(index) }));
    }
  }

  #reader(): KafkaReader {
    const positions = new Map<string, { tp: TopicPartition; at: bigint; told: boolean }>();
    const paused = this.paused;
    const key = (tp: TopicPartition): string => `${tp.topic}/${tp.partition}`;
    return {
      seek: (tp, offset) =>
        positions.set(key(tp), { tp, at: offset === 'earliest' ? this.#start(tp) : offset, told: false }),
      remove: (tp) => positions.delete(key(tp)),
      pause: (tp) => paused.add(key(tp)),
      resume: (tp) => paused.delete(key(tp)),
      poll: async () => {
        await new Promise((resolve) => setImmediate(resolve));
        this.#check();
        const fetched: FetchedRecords[] = [];
        for (const position of positions.values()) {
          if (paused.has(key(position.tp))) continue;
          const log = this.log(position.tp);
          if (position.at < this.#start(position.tp))
            throw new TaskCorruptedError('SLC_TASK_OFFSET_OUT_OF_RANGE', key(position.tp));
          const batches = log.from(position.at, 2).map((batch) => ({ ...batch, fromOffset: position.at }));
          const last = batches.at(-1);
          const next = last === undefined || last.lastOffset + 1n >= log.end ? log.end : last.lastOffset + 1n;
          if (next === position.at && position.told) continue;
          position.told = true;
          position.at = next;
          const bytes = batches.reduce((sum, batch) => sum + batch.buffer.length, 0);
          fetched.push({ ...position.tp, batches, nextOffset: next, endOffset: log.end, bytes });
        }
        return fetched;
      },
      close: async () => undefined,
    };
  }
}

const no = (): never => {
  throw new Error('a sink stage does not ask for this');
};
const unused = {
  listTopics: no,
  offsetsAt: no,
  sizes: no,
  topicSettings: no,
  committedOffsets: no,
  deleteRecords: no,
  deleteTopics: no,
  deleteGroups: no,
  fence: no,
  begin: no,
  sendOffsets: no,
  commit: no,
  abort: no,
};
