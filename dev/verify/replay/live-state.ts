/** What live and replay have come to: promises of what they write, and whether live stands where the replay ended. */
import {
  applicationsOf,
  type CommittedOffset,
  type KafkaAdmin,
  type KafkaClient,
  type LedgerView,
  readLedger,
  readLedgers,
  replayInternalOf,
  replayNameOf,
  type ReplayInput,
  type ReplayPlan,
  systemClock,
  type Topology,
  type TopicPartition,
} from '#topology';
import { idOf } from '../read-topics.ts';

/** Compares where two applications stand. */
export class LiveState {
  readonly #client: KafkaClient;
  readonly #admin: KafkaAdmin;
  readonly #live: Topology;
  readonly #replay: Topology;
  readonly #plan: ReplayPlan;
  #liveLedger: LedgerView | undefined;
  #replayLedger: LedgerView | undefined;
  /** Where the replay ended, by partition. */
  #replayAt: ReadonlyMap<string, CommittedOffset> = new Map();

  constructor(client: KafkaClient, admin: KafkaAdmin, live: Topology, replay: Topology, plan: ReplayPlan) {
    this.#client = client;
    this.#admin = admin;
    this.#live = live;
    this.#replay = replay;
    this.#plan = plan;
  }

  /** Reads the ledgers again. */
  async follow(): Promise<void> {
    this.#liveLedger = await readLedgers(this.#client, this.#admin, this.#live, systemClock);
    if (this.#replayLedger !== undefined) return;
    this.#replayAt = byId(await this.#admin.committedOffsets(this.#replay.app, this.#plan.inputs));
    this.#replayLedger = await readLedger(this.#client, this.#admin, this.#replay.app, systemClock);
  }

  /** Event time below which everything that the replay's stages write to the topic is out, ms; `topic` by its live name. */
  promised(topic: string): number {
    return leastPromise(this.#replay, replayNameOf(topic, this.#plan.id), this.#replayLedger?.promises);
  }

  /**
   * Event time below which every record that a stage reads has been processed by the replay, ms: of late records, which no promise about the
   * output covers (an as-of join promises by its stream, not by its table).
   */
  read(stage: string): number {
    const renamed = replayNameOf(stage, this.#plan.id);
    const subs = this.#replay.subTopologies.filter((sub) => sub.stage === renamed);
    const topics = new Set(subs.flatMap((sub) => sub.sources.map(({ topic }) => topic.name)));
    return Math.min(...[...topics].map((topic) => this.#completeIn(topic)));
  }

  #completeIn(topic: string): number {
    const inputs = this.#plan.inputs.filter((input) => input.topic === topic);
    if (inputs.length === 0) return leastPromise(this.#replay, topic, this.#replayLedger?.promises);
    if (inputs.some(({ origin }) => origin)) return Math.min(...inputs.map((input) => this.#clockAtEnd(input)));
    const promises = this.#plan.promises.map((promise) => [`${promise.writer}|${promise.topic}`, promise] as const);
    return leastPromise(this.#replay, topic, new Map(promises));
  }

  #clockAtEnd(input: ReplayInput): number {
    return clockOf(this.#replayAt.get(idOf(input)), input.startClock);
  }

  /** What live has yet to read or to promise, of what the replay has; undefined: nothing. Call follow() before. */
  async behind(): Promise<string | undefined> {
    const late = this.#written().find(
      ({ written, renamed }) =>
        leastPromise(this.#live, written, this.#liveLedger?.promises) <
        leastPromise(this.#replay, renamed, this.#replayLedger?.promises),
    );
    if (late !== undefined) return late.written;
    const live = await this.#readersOf(this.#plan.inputs);
    return this.#plan.inputs
      .filter((input) => input.end > input.start)
      .filter((input) => live(input).some((there) => (there?.offset ?? input.start) < input.end))
      .map(idOf)[0];
  }

  /** True when live has processed exactly the replay's input, knows as much of its clocks, and has nothing left to do. Call follow() before. */
  async isQuiet(): Promise<boolean> {
    if (!(await this.#isAtEnds())) return false;
    for (const { written, renamed } of this.#written()) {
      if (
        leastPromise(this.#live, written, this.#liveLedger?.promises) !==
        leastPromise(this.#replay, renamed, this.#replayLedger?.promises)
      )
        return false;
    }
    return await this.#isDrained();
  }

  async #isAtEnds(): Promise<boolean> {
    const { inputs } = this.#plan;
    const [live, replay] = await Promise.all([
      this.#readersOf(inputs),
      this.#admin.committedOffsets(this.#replay.app, inputs),
    ]);
    const atReplay = byId(replay);
    return inputs.every((input) => {
      const here = atReplay.get(idOf(input));
      if ((here?.offset ?? input.start) !== input.end) return false;
      return live(input).every((there) => {
        if ((there?.offset ?? input.start) !== input.end) return false;
        return !input.origin || clockOf(there, -Infinity) === clockOf(here, input.startClock);
      });
    });
  }

  /** What live's stages hand to each other is read, and no transaction is open in what they write. */
  async #isDrained(): Promise<boolean> {
    const partitions = this.#written().flatMap(({ written, count }) =>
      Array.from({ length: count }, (_, partition): TopicPartition => ({ topic: written, partition })),
    );
    const [high, stable] = await Promise.all([
      this.#admin.offsets(partitions, { committed: false }),
      this.#admin.offsets(partitions, { committed: true }),
    ]);
    const live = await this.#readersOf(partitions);
    return partitions.every((at, i) => {
      const { start = 0n, end = 0n } = high[i] ?? {};
      if (stable[i]?.end !== end) return false;
      return live(at).every((there) => (there?.offset ?? start) >= end);
    });
  }

  /** Where live stands: of a partition one position for each application of live with a stage of the plan that reads it; undefined: none yet. */
  async #readersOf(
    partitions: readonly TopicPartition[],
  ): Promise<(at: TopicPartition) => (CommittedOffset | undefined)[]> {
    const { owners, subTopologies } = this.#live;
    const found: { topics: ReadonlySet<string>; positions: ReadonlyMap<string, CommittedOffset> }[] = [];
    for (const app of applicationsOf(this.#live)) {
      const own = subTopologies.filter(({ stage }) => owners.get(stage) === app && this.#plan.stages.includes(stage));
      const topics = new Set(own.flatMap(({ sources }) => sources.map(({ topic }) => topic.name)));
      const read = partitions.filter(({ topic }) => topics.has(topic));
      if (read.length > 0) found.push({ topics, positions: byId(await this.#admin.committedOffsets(app, read)) });
    }
    return (at) => found.filter(({ topics }) => topics.has(at.topic)).map(({ positions }) => positions.get(idOf(at)));
  }

  /** Topics written by the live stages that the replay ran again. */
  #written(): { written: string; renamed: string; count: number }[] {
    const subs = this.#live.subTopologies.filter(({ stage }) => this.#plan.stages.includes(stage));
    const topics = new Map(subs.flatMap((sub) => sub.sinks.map(({ topic }) => [topic.name, topic] as const)));
    return [...topics].map(([written, topic]) => ({
      written,
      renamed:
        'value' in topic
          ? replayNameOf(written, this.#plan.id)
          : replayInternalOf(this.#live, this.#replay.app, written),
      count: topic.partitions,
    }));
  }
}

/** -Infinity while a writer has said nothing. */
function leastPromise(topology: Topology, topic: string, promises: LedgerView['promises'] | undefined): number {
  const writers = (topology.writers.get(topic) ?? []).flatMap(({ stage, partitions }) =>
    Array.from({ length: partitions }, (_, p) => `${stage}/${p}`),
  );
  return Math.min(...writers.map((writer) => promises?.get(`${writer}|${topic}`)?.m ?? -Infinity));
}

const byId = (offsets: readonly CommittedOffset[]): Map<string, CommittedOffset> =>
  new Map(offsets.map((offset) => [idOf(offset), offset]));

function clockOf(committed: CommittedOffset | undefined, fallback: number): number {
  const metadata = committed?.metadata ?? '';
  return metadata === '' ? fallback : ((JSON.parse(metadata) as { w?: number }).w ?? fallback);
}
