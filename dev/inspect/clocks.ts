/** The clocks of an application as its log tells them: positions, hints, promises; and which writer holds a watermark back. */
import {
  applicationsOf,
  type CommittedOffset,
  type Hint,
  HINTS_TOPIC,
  type KafkaAdmin,
  type KafkaClient,
  ledgerTopicOf,
  parseHint,
  parseLedgerRecord,
  type Topology,
  type TopicPartition,
  TopicWatermark,
} from '#topology';
import { rangesOf } from '../verify/read-topics.ts';
import { scan } from './scan.ts';

/** An input of a task, as its group has committed it. */
export interface InputClock extends TopicPartition {
  /** The application that reads it: of a divided project a topic may have several readers. */
  readonly app: string;
  /** Next offset to process; null when nothing was committed yet. */
  readonly position: bigint | null;
  /** The end of what can be read. */
  readonly end: bigint;
  /** Offsets from the position to the end. */
  readonly behind: number;
  /** ms; -Infinity before any. */
  readonly watermark: number;
  /** A derived topic: the task whose promise is the least. */
  readonly writer: string | undefined;
  readonly isOrigin: boolean;
}

/** Who holds a watermark back. `chain`: the tasks between, nearest first. */
export interface HeldBack {
  /** An origin's writer, or a task; null when nobody tells the time. */
  readonly writer: string | null;
  readonly topic: string;
  readonly partition: number;
  readonly reason: string;
  readonly chain: readonly string[];
}

/** Promises move in steps of a second, and take their way: less than this is no waiting of a task's own, ms. */
const OWN_MS = 5_000;
/** A writer of hints that has been silent for this long is called so, ms. */
const SILENT_MS = 10_000;

/** Hints by `<topic>/<partition>`, then by writer. */
type Hints = ReadonlyMap<string, ReadonlyMap<string, Hint>>;

/** All clocks at one moment. */
export class Clocks {
  readonly topology: Topology;
  /** By `idOf`. */
  readonly inputs: ReadonlyMap<string, InputClock>;
  /** False when the time ran out before ledger and hints were read. */
  readonly complete: boolean;
  readonly #hints: Hints;
  readonly #now: number;

  constructor(topology: Topology, inputs: ReadonlyMap<string, InputClock>, hints: Hints, complete: boolean) {
    this.topology = topology;
    this.inputs = inputs;
    this.complete = complete;
    this.#hints = hints;
    this.#now = Date.now();
  }

  /** Reads all clocks once. `deadline`: wall clock, ms. */
  static async read(client: KafkaClient, admin: KafkaAdmin, topology: Topology, deadline: number): Promise<Clocks> {
    return await new ClockFollower(topology).read(client, admin, deadline);
  }

  /** When each writer of hints has told the time last, by its own wall clock, ms. */
  get writers(): ReadonlyMap<string, number> {
    const last = new Map<string, number>();
    for (const hints of this.#hints.values())
      for (const { writer, at } of hints.values()) last.set(writer, Math.max(at, last.get(writer) ?? -Infinity));
    return last;
  }

  /** The newest origin clock, ms; -Infinity before any. */
  get newest(): number {
    return Math.max(
      -Infinity,
      ...[...this.inputs.values()].map((each) => (each.isOrigin ? each.watermark : -Infinity)),
    );
  }

  /** What the tasks of a stage and partition read; with `writing` only those that write that topic. */
  inputsOf(stage: string, partition: number, writing?: string): InputClock[] {
    const topics = this.topology.subTopologies
      .filter((sub) => sub.stage === stage && partition < sub.partitions)
      .filter((sub) => writing === undefined || sub.sinks.some((sink) => sink.topic.name === writing))
      .flatMap((sub) => sub.sources.map((source) => source.topic.name));
    const app = this.topology.owners.get(stage) ?? this.topology.app;
    return [...new Set(topics)].flatMap((topic) => this.inputs.get(idOf({ app, topic, partition })) ?? []);
  }

  /** Who holds the least of these inputs back: down to the writer of an origin, or to the task whose operators wait. */
  heldBackBy(inputs: readonly InputClock[], chain: readonly string[] = []): HeldBack | undefined {
    const least = leastOf(inputs);
    if (least === undefined) return undefined;
    const { topic, partition, writer, behind, watermark } = least;
    if (least.isOrigin) return { topic, partition, chain, ...this.#originHolder(least) };
    const held = { topic, partition, chain, writer: writer ?? null };
    const [, stage = '', p = ''] = /^(.*)\/(\d+)$/.exec(writer ?? '') ?? [];
    const above = this.inputsOf(stage, Number(p), topic);
    const input = leastOf(above)?.watermark ?? -Infinity;
    if (input > watermark + OWN_MS) {
      if (behind > 0) return { ...held, reason: `${behind} offsets not read yet` };
      const own = Number.isFinite(watermark)
        ? `${Math.round((input - watermark) / 1_000)} s behind its input`
        : 'nothing promised yet';
      return { ...held, reason: `its operators wait: ${own}` };
    }
    // Sub-topologies are in the order of what they write, so this ends; a task is named once.
    const next = writer === undefined || chain.at(-1) === writer ? chain : [...chain, writer];
    return this.heldBackBy(above, next) ?? { ...held, reason: 'it has promised nothing yet' };
  }

  #originHolder(input: InputClock): { readonly writer: string | null; readonly reason: string } {
    const hints = [...(this.#hints.get(`${input.topic}/${input.partition}`)?.values() ?? [])];
    const last = hints.toSorted((a, b) => a.m - b.m)[0];
    if (input.behind > 0 && (last === undefined || last.endOffset > (input.position ?? 0n))) {
      return { writer: last?.writer ?? null, reason: `${input.behind} offsets not read yet` };
    }
    if (last === undefined) return { writer: null, reason: 'no writer has told the time' };
    const age = this.#now - last.at;
    const reason = age > SILENT_MS ? `silent for ${Math.round(age / 1_000)} s` : 'it has told no later time';
    return { writer: last.writer, reason };
  }
}

/** Reads the clocks again and again: of ledger and hints only what has come since. Not for concurrent use. */
export class ClockFollower {
  readonly #topology: Topology;
  readonly #hints = new Map<string, Map<string, Hint>>();
  readonly #watermarks = new Map<string, TopicWatermark>();
  /** By topic the keys of its watermarks. */
  readonly #readers = new Map<string, string[]>();
  /** Next offset to read, by `<topic>/<partition>`. */
  readonly #next = new Map<string, bigint>();

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  /** What it knows stays when this rejects, or when the time runs out. `deadline`: wall clock, ms. */
  async read(client: KafkaClient, admin: KafkaAdmin, deadline: number): Promise<Clocks> {
    const topology = this.#topology;
    const read = inputTopics(topology);
    const there = await admin.partitionCounts([...new Set(read.map(({ topic }) => topic))]);
    const inputs = read.flatMap(({ app, topic, partitions }) =>
      Array.from({ length: Math.min(partitions, there.get(topic) ?? 0) }, (_, partition) => ({
        app,
        topic,
        partition,
      })),
    );
    // Positions first: the ends are then at least as far.
    const positions = new Map<string, CommittedOffset>();
    for (const [app, own] of Map.groupBy(inputs, (input) => input.app)) {
      for (const each of await admin.committedOffsets(app, own)) positions.set(idOf({ app, ...each }), each);
    }
    const partitions = new Map(inputs.map(({ topic, partition }) => [`${topic}/${partition}`, { topic, partition }]));
    const offsets = await admin.offsets([...partitions.values()], { committed: true });
    const ranges = new Map([...partitions.keys()].map((id, i) => [id, offsets[i]]));
    // Also of topics that are not there yet: what is promised before they are would be missed.
    for (const { app, topic, partitions: count } of read)
      for (let partition = 0; partition < count; partition++) this.#expect({ app, topic, partition });
    const complete = await this.#follow(client, admin, deadline);
    const clocks = inputs.map((at): [string, InputClock] => {
      const range = ranges.get(`${at.topic}/${at.partition}`) ?? { start: 0n, end: 0n };
      return [idOf(at), this.#clockOf(at, positions.get(idOf(at)), range)];
    });
    return new Clocks(topology, new Map(clocks), this.#hints, complete);
  }

  #clockOf(
    at: ReadPartition,
    held: CommittedOffset | undefined,
    { start, end }: { readonly start: bigint; readonly end: bigint },
  ): InputClock {
    const position = held?.offset ?? null;
    const from = position ?? start;
    const derived = this.#watermarks.get(idOf(at));
    derived?.advance(from);
    return {
      ...at,
      position,
      end,
      behind: Number(end > from ? end - from : 0n),
      watermark: derived === undefined ? clockOf(held?.metadata) : derived.watermark,
      writer: derived?.heldBackBy(),
      isOrigin: derived === undefined,
    };
  }

  /** A derived topic's clock is made of its writers' promises. */
  #expect({ app, topic, partition }: ReadPartition): void {
    const id = idOf({ app, topic, partition });
    const writers = this.#topology.writers.get(topic);
    if (writers === undefined || this.#watermarks.has(id)) return;
    const names = writers.flatMap(({ stage, partitions }) =>
      Array.from({ length: partitions }, (_, p) => `${stage}/${p}`),
    );
    this.#watermarks.set(id, new TopicWatermark(partition, names));
    this.#readers.set(topic, [...(this.#readers.get(topic) ?? []), id]);
  }

  async #follow(client: KafkaClient, admin: KafkaAdmin, deadline: number): Promise<boolean> {
    const ledgers = applicationsOf(this.#topology).map(ledgerTopicOf);
    const ranges = await rangesOf(admin, [...ledgers, HINTS_TOPIC]);
    const next = ({ topic, partition }: TopicPartition): bigint => this.#next.get(`${topic}/${partition}`) ?? 0n;
    // A topic that was deleted and made anew begins anew.
    for (const range of ranges) if (range.end < next(range)) this.#next.delete(`${range.topic}/${range.partition}`);
    const complete = await scan({
      client,
      ranges: ranges.map((range) => ({ ...range, start: next(range) > range.start ? next(range) : range.start })),
      deadline,
      take: ({ topic, partition }, cursor) => {
        if (topic === HINTS_TOPIC) this.#hear(parseHint(cursor.valueBytes()));
        else {
          const record = parseLedgerRecord(cursor.keyBytes(), cursor.valueBytes());
          const readers = record?.kind === 'promise' ? (this.#readers.get(record.topic) ?? []) : [];
          if (record?.kind === 'promise') for (const id of readers) this.#watermarks.get(id)?.receive(record);
        }
        this.#next.set(`${topic}/${partition}`, BigInt(cursor.offset) + 1n);
        return undefined;
      },
    });
    if (complete) for (const range of ranges) this.#next.set(`${range.topic}/${range.partition}`, range.end);
    return complete;
  }

  #hear(hint: Hint | undefined): void {
    if (hint === undefined) return;
    const id = `${hint.topic}/${hint.partition}`;
    let writers = this.#hints.get(id);
    if (writers === undefined) this.#hints.set(id, (writers = new Map()));
    writers.set(hint.writer, hint);
  }
}

function leastOf(inputs: readonly InputClock[]): InputClock | undefined {
  const first = inputs[0];
  return first && inputs.reduce((a, b) => (b.watermark < a.watermark ? b : a), first);
}

/** A partition, and the application that reads it. */
type ReadPartition = TopicPartition & { readonly app: string };

const idOf = ({ app, topic, partition }: ReadPartition): string => `${app}|${topic}/${partition}`;

/** What the applications of the project read, each topic once for each of them. */
function inputTopics(
  topology: Topology,
): { readonly app: string; readonly topic: string; readonly partitions: number }[] {
  const all = topology.subTopologies.flatMap(({ stage, sources }) => {
    const app = topology.owners.get(stage) ?? topology.app;
    return sources.map(({ topic: { name, partitions } }) => ({ app, topic: name, partitions }));
  });
  return [...new Map(all.map((each) => [`${each.app}|${each.topic}`, each])).values()];
}

/** The clock that a slot commits beside its position, ms. */
function clockOf(metadata: string | null | undefined): number {
  if (metadata === null || metadata === undefined || metadata === '') return -Infinity;
  try {
    const { w } = JSON.parse(metadata) as { w?: unknown };
    return typeof w === 'number' ? w : -Infinity;
  } catch {
    return -Infinity; // somebody else's group, under this name
  }
}
