/** How far the applications of a project have come, read from Kafka alone: positions of its group, open transactions, hints, the promises of its ledger. */
import {
  applicationsOf,
  HINTS_TOPIC,
  HintView,
  type KafkaAdmin,
  type KafkaClient,
  ledgerTopicOf,
  parseHint,
  parseLedgerRecord,
  type Topology,
  type TopicPartition,
} from '#topology';
import { idOf, rangesOf, readTopics } from './read-topics.ts';

/** Promises and hints move in steps of this, ms of event time (the runtime's tick). */
const TICK_MS = 1_000;
/** A writer of hints that has been silent for this long no longer counts where there are others, ms. */
const IDLE_AFTER_MS = 60_000;

/** Watches a project: one application, or those that it is divided into. Each answer is undefined when nothing is left to wait for, else what it waits for, for people. */
export class AppProgress {
  readonly #client: KafkaClient;
  readonly #admin: KafkaAdmin;
  readonly #topology: Topology;
  readonly #apps: readonly string[];
  /** Per application what it reads. */
  readonly #inputsOf = new Map<string, readonly TopicPartition[]>();
  readonly #inputs: readonly TopicPartition[];
  readonly #outputs: readonly TopicPartition[];
  readonly #hints = new HintView();
  /** Per origin partition the largest pin, ms. */
  readonly #pins = new Map<string, number>();
  /** Per topic and writer the newest promise, ms. */
  readonly #promises = new Map<string, Map<string, number>>();
  readonly #read = new Map<string, bigint>();

  constructor(client: KafkaClient, admin: KafkaAdmin, topology: Topology) {
    this.#client = client;
    this.#admin = admin;
    this.#topology = topology;
    this.#inputs = partitionsOf(topology.subTopologies.flatMap((sub) => sub.sources));
    this.#apps = applicationsOf(topology);
    for (const app of this.#apps) {
      const own = topology.subTopologies.filter(({ stage }) => topology.owners.get(stage) === app);
      this.#inputsOf.set(app, partitionsOf(own.flatMap((sub) => sub.sources)));
    }
    this.#outputs = partitionsOf(topology.subTopologies.flatMap((sub) => sub.sinks));
  }

  /** Whether everything that lies in the input and repartition topics is processed and committed. */
  async records(): Promise<string | undefined> {
    const waiting = (await this.#unread()) ?? (await this.#transactions());
    if (waiting !== undefined || this.#apps.length === 1) return waiting;
    // They were asked one after the other: the last may have written what the first reads.
    return await this.#unread();
  }

  async #unread(): Promise<string | undefined> {
    for (const [app, inputs] of this.#inputsOf) {
      const behind = await this.#behind(app, inputs);
      if (behind.length > 0) return `group ${app} is behind in ${some(behind)}`;
    }
    return undefined;
  }

  async #behind(app: string, inputs: readonly TopicPartition[]): Promise<string[]> {
    // Positions first, ends after them: what is equal then was equal when the positions were read.
    const positions = new Map<string, bigint>();
    for (const committed of await this.#admin.committedOffsets(app, inputs)) {
      positions.set(idOf(committed), committed.offset);
    }
    const ends = await this.#admin.offsets(inputs, { committed: false });
    return inputs.flatMap((input, i) => {
      const { start = 0n, end = 0n } = ends[i] ?? {};
      const at = positions.get(idOf(input)) ?? start;
      return at >= end ? [] : [`${idOf(input)} at ${at} of ${end}`];
    });
  }

  /** Whether all hints of the senders have become pins. */
  async hints(deadline: number): Promise<string | undefined> {
    await this.#follow(deadline);
    const origins = this.#inputs.filter((input) => !this.#topology.writers.has(input.topic));
    const clocks = new Map<string, number>();
    for (const app of this.#apps) {
      for (const { topic, partition, metadata } of await this.#admin.committedOffsets(app, origins))
        clocks.set(idOf({ topic, partition }), clockOf(metadata));
    }
    const ends = await this.#admin.offsets(origins, { committed: true });
    const pending = origins.flatMap((origin, i) => {
      const id = idOf(origin);
      const clock = Math.max(clocks.get(id) ?? -Infinity, this.#pins.get(id) ?? -Infinity);
      const end = ends[i]?.end ?? 0n;
      const reached = this.#hints.reached(origin.topic, origin.partition, end, Date.now(), IDLE_AFTER_MS);
      return reached === undefined || reached < clock + TICK_MS ? [] : [id];
    });
    return pending.length === 0 ? undefined : `hints are not pinned yet in ${some(pending)}`;
  }

  /** Whether the promises of a topic's writers have come to `m` (ms). */
  async promised(wanted: ReadonlyMap<string, number>, deadline: number): Promise<string | undefined> {
    await this.#follow(deadline);
    const behind = [...wanted].flatMap(([topic, m]) => {
      const { writer, least } = this.#leastPromise(topic);
      return least >= m ? [] : [`${topic} at ${time(least)} of ${time(m)} (${writer})`];
    });
    return behind.length === 0 ? undefined : `the ledger is behind: ${some(behind)}`;
  }

  #leastPromise(topic: string): { writer: string; least: number } {
    let least = Infinity;
    let holder = 'nobody writes it';
    for (const { stage, partitions } of this.#topology.writers.get(topic) ?? []) {
      for (let p = 0; p < partitions; p++) {
        const writer = `${stage}/${p}`;
        const m = this.#promises.get(topic)?.get(writer) ?? -Infinity;
        if (m < least) [least, holder] = [m, writer];
      }
    }
    return { writer: holder, least: least === Infinity ? -Infinity : least };
  }

  /** Records that are acknowledged but whose transaction has no marker yet: they are part of what was committed, or will be aborted. */
  async #transactions(): Promise<string | undefined> {
    const ledgers = this.#apps.map((app) => ({ topic: ledgerTopicOf(app), partition: 0 }));
    // Kafka refuses to be asked twice for one partition: a repartition topic is an input and an output.
    const partitions = [
      ...new Map([...this.#inputs, ...this.#outputs, ...ledgers].map((each) => [idOf(each), each] as const)).values(),
    ];
    const stable = await this.#admin.offsets(partitions, { committed: true });
    const high = await this.#admin.offsets(partitions, { committed: false });
    const open = partitions.filter((_, i) => stable[i]?.end !== high[i]?.end).map(idOf);
    return open.length === 0 ? undefined : `transactions are open in ${some(open)}`;
  }

  async #follow(deadline: number): Promise<void> {
    const topics = [...this.#apps.map(ledgerTopicOf), HINTS_TOPIC];
    const ranges = (await rangesOf(this.#admin, topics)).map((range) => {
      const read = this.#read.get(idOf(range)) ?? range.start;
      return { ...range, start: read > range.start ? read : range.start };
    });
    await readTopics(this.#client, ranges, deadline, ({ topic }, cursor) => {
      if (topic === HINTS_TOPIC) {
        const hint = parseHint(cursor.valueBytes());
        if (hint !== undefined) this.#hints.receive(hint);
      } else {
        this.#take(cursor.keyBytes(), cursor.valueBytes());
      }
      return undefined;
    });
    for (const range of ranges) this.#read.set(idOf(range), range.end);
  }

  #take(key: Buffer | null, value: Buffer | null): void {
    const record = parseLedgerRecord(key, value);
    if (record?.kind === 'pin') {
      const id = idOf(record);
      this.#pins.set(id, Math.max(record.m, this.#pins.get(id) ?? -Infinity));
    }
    if (record?.kind !== 'promise') return;
    let writers = this.#promises.get(record.topic);
    if (writers === undefined) this.#promises.set(record.topic, (writers = new Map<string, number>()));
    writers.set(record.writer, record.m);
  }
}

function partitionsOf(ends: readonly { topic: { name: string; partitions: number } }[]): TopicPartition[] {
  const counts = new Map(ends.map(({ topic }) => [topic.name, topic.partitions] as const));
  return [...counts].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
}

/** The clock that a slot commits beside its position, ms. */
function clockOf(metadata: string | null): number {
  if (metadata === null || metadata === '') return -Infinity;
  return (JSON.parse(metadata) as { w?: number }).w ?? -Infinity;
}

/** The first few of a list, and how many more. */
export function some(list: readonly string[]): string {
  const more = list.length - 3;
  return list.slice(0, 3).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

const time = (ms: number): string => (Number.isFinite(ms) ? new Date(ms).toISOString() : 'nothing');
