/** The clocks of an application as its log tells them: positions, hints, promises; and which writer holds a watermark back. */
import {
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

/** Reads all clocks once. */
export class Clocks {
  readonly topology: Topology;
  readonly inputs = new Map<string, InputClock>();
  readonly #hints = new Map<string, Map<string, Hint>>();
  readonly #now: number;
  /** False when the time ran out before ledger and hints were read. */
  complete = false;

  private constructor(topology: Topology, now: number) {
    this.topology = topology;
    this.#now = now;
  }

  /** `deadline`: wall clock, ms. */
  static async read(client: KafkaClient, admin: KafkaAdmin, topology: Topology, deadline: number): Promise<Clocks> {
    const clocks = new Clocks(topology, Date.now());
    const there = await admin.partitionCounts([...inputTopics(topology).keys()]);
    const inputs = [...inputTopics(topology)].flatMap(([topic, count]) =>
      Array.from({ length: Math.min(count, there.get(topic) ?? 0) }, (_, partition) => ({ topic, partition })),
    );
    // Positions first: the ends are then at least as far.
    const committed = await admin.committedOffsets(topology.app, inputs);
    const offsets = await admin.offsets(inputs, { committed: true });
    const watermarks = new Map<string, TopicWatermark>();
    for (const { topic, partition } of inputs) {
      const writers = topology.writers.get(topic);
      if (writers === undefined) continue;
      const names = writers.flatMap(({ stage, partitions }) =>
        Array.from({ length: partitions }, (_, p) => `${stage}/${p}`),
      );
      watermarks.set(`${topic}/${partition}`, new TopicWatermark(partition, names));
    }
    await clocks.#follow(client, admin, deadline, watermarks);
    const positions = new Map(committed.map((each) => [`${each.topic}/${each.partition}`, each]));
    for (const [i, at] of inputs.entries()) {
      const id = `${at.topic}/${at.partition}`;
      const { start = 0n, end = 0n } = offsets[i] ?? {};
      const held = positions.get(id);
      const position = held?.offset ?? null;
      const from = position ?? start;
      const derived = watermarks.get(id);
      derived?.advance(from);
      clocks.inputs.set(id, {
        ...at,
        position,
        end,
        behind: Number(end > from ? end - from : 0n),
        watermark: derived === undefined ? clockOf(held?.metadata) : derived.watermark,
        writer: derived?.heldBackBy(),
        isOrigin: derived === undefined,
      });
    }
    return clocks;
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
    return [...new Set(topics)].flatMap((topic) => this.inputs.get(`${topic}/${partition}`) ?? []);
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

  async #follow(
    client: KafkaClient,
    admin: KafkaAdmin,
    deadline: number,
    watermarks: ReadonlyMap<string, TopicWatermark>,
  ): Promise<void> {
    const readers = Map.groupBy(watermarks, ([id]) => id.slice(0, id.lastIndexOf('/')));
    const ranges = await rangesOf(admin, [ledgerTopicOf(this.topology.app), HINTS_TOPIC]);
    this.complete = await scan({
      client,
      ranges,
      deadline,
      take: ({ topic }, cursor) => {
        if (topic === HINTS_TOPIC) this.#hear(parseHint(cursor.valueBytes()));
        else {
          const record = parseLedgerRecord(cursor.keyBytes(), cursor.valueBytes());
          if (record?.kind === 'promise') for (const [, each] of readers.get(record.topic) ?? []) each.receive(record);
        }
        return undefined;
      },
    });
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

function inputTopics(topology: Topology): Map<string, number> {
  const sources = topology.subTopologies.flatMap((sub) => sub.sources);
  return new Map(sources.map(({ topic }) => [topic.name, topic.partitions]));
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
