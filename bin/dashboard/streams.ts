/** What the dashboard shows of Kafka: asked again and again, over connections that are thrown away after a failure. */
import {
  applicationsOf,
  createKafkaClient,
  type KafkaAdmin,
  type KafkaClient,
  type Logger,
  type Topology,
} from '#topology';
import type { Probe, SinkNow, StageNow, StreamsNow, TopologyNow } from '../../dashboard/index.ts';
import { Catalogue } from '../../dev/inspect/catalogue.ts';
import { ClockFollower, type Clocks, type HeldBack } from '../../dev/inspect/clocks.ts';
import { sinkLags, type SinkTarget, stageLags, type TaskLag } from '../../dev/inspect/lag.ts';
import { PutAsideCounter } from '../../dev/inspect/put-aside.ts';
import { RecordRates, type TopicRate } from '../../dev/inspect/record-rates.ts';
import { lakeTopics } from '../../processors/sinks/lake.ts';
import { shopProject } from '../project.ts';

/** A connection to Kafka for one probe at a time; made when it is needed. */
export class KafkaConnection {
  readonly #brokers: readonly string[];
  readonly #logger: Logger;
  #opened: Promise<{ readonly client: KafkaClient; readonly admin: KafkaAdmin }> | undefined;

  constructor(brokers: readonly string[], logger: Logger) {
    this.#brokers = brokers;
    this.#logger = logger;
  }

  async open(): Promise<{ readonly client: KafkaClient; readonly admin: KafkaAdmin }> {
    this.#opened ??= this.#connect();
    return await this.#opened;
  }

  /** Throws the connection away. */
  reset(): void {
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened !== undefined) void close(opened);
  }

  async #connect(): Promise<{ readonly client: KafkaClient; readonly admin: KafkaAdmin }> {
    const client = createKafkaClient({
      brokers: [...this.#brokers],
      clientId: 'sluice-dashboard',
      logger: this.#logger,
    });
    try {
      return { client, admin: await client.admin() };
    } catch (error) {
      void client.close().catch(() => undefined);
      throw error;
    }
  }
}

/** Closes what came of it, if anything. */
async function close(opened: Promise<{ readonly client: KafkaClient; readonly admin: KafkaAdmin }>): Promise<void> {
  try {
    const { client, admin } = await opened;
    await admin.close().catch(() => undefined);
    await client.close();
  } catch {
    // It was not open, or is gone already.
  }
}

/** The shop's topology, and how the page sees it. */
export function shopTopology(app: string): { readonly topology: Topology; readonly catalogue: Catalogue } {
  const topology = shopProject(app);
  return { topology, catalogue: new Catalogue(topology, Object.values(lakeTopics).flat()) };
}

/** Topics of tiers only: what a stage keeps for itself is left out. */
export function topologyOf(
  topology: Topology,
  catalogue: Catalogue,
  sinks: readonly { readonly name: string; readonly topics: readonly { readonly name: string }[] }[],
): TopologyNow {
  const isShown = (name: string): boolean => catalogue.of(name).tier !== null;
  const stages = topology.stages.map(({ name }) => {
    const subs = topology.subTopologies.filter((sub) => sub.stage === name);
    const tables = topology.globalTables.filter(({ stage }) => stage === name);
    const names = (ends: readonly { readonly topic: { readonly name: string } }[]): string[] =>
      [...new Set(ends.map(({ topic }) => topic.name))].filter(isShown);
    return {
      name,
      tier: tierOf(name),
      reads: names([...subs.flatMap(({ sources }) => sources), ...tables]),
      writes: names(subs.flatMap(({ sinks }) => sinks)),
      tasks: subs.reduce((sum, sub) => sum + sub.partitions, 0),
      stores: subs.reduce((sum, sub) => sum + sub.stores.length, 0),
    };
  });
  const written = new Set(stages.flatMap(({ writes }) => writes));
  const read = [
    ...stages.flatMap(({ reads }) => reads),
    ...sinks.flatMap(({ topics }) => topics.map(({ name }) => name)),
  ];
  return {
    app: topology.app,
    sources: [...new Set(read)]
      .filter((topic) => !written.has(topic))
      .map((topic) => ({ topic, tier: catalogue.of(topic).tier })),
    stages,
    sinks: sinks.map(({ name, topics }) => ({ name, reads: topics.map((topic) => topic.name) })),
  };
}

/** Rates, lag, clocks, late records and dead letters. */
export function streamsProbe(
  connection: KafkaConnection,
  { topology, catalogue }: ReturnType<typeof shopTopology>,
  graph: TopologyNow,
): Probe<StreamsNow> {
  const follower = new ClockFollower(topology);
  const rates = new RecordRates();
  const counter = new PutAsideCounter();
  const reads = new ReadRates();
  const names = [
    ...new Set([...graph.sources.map(({ topic }) => topic), ...graph.stages.flatMap(({ writes }) => writes)]),
  ];
  return {
    name: 'Kafka',
    everyMs: EVERY_MS,
    timeoutMs: TIMEOUT_MS,
    async read(deadline) {
      const { client, admin } = await connection.open();
      const clocks = await follower.read(client, admin, deadline);
      const [topics, workers, all] = [
        await rates.read(client, admin, names, deadline),
        await workersOf(admin, applicationsOf(topology)),
        await admin.listTopics(),
      ];
      const aside = all.filter((name) => name.endsWith('.late') || name.endsWith('.dlq'));
      const { counts, complete } = await counter.read(client, admin, aside, deadline);
      const readRates = reads.read(clocks, topics);
      return {
        newestClock: finite(clocks.newest),
        topics: names.map((name) => ({
          name,
          tier: catalogue.of(name).tier,
          perSecond: topics.get(name)?.perSecond ?? null,
          newest: topics.get(name)?.newest ?? null,
        })),
        stages: stagesOf(clocks, graph, topics, readRates),
        writers: [...clocks.writers].map(([name, at]) => ({ name, at })).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        workers,
        putAside: counts.map((each) => ({ ...each, newest: finite(each.newest) })),
        counted: complete,
      };
    },
    reset: () => connection.reset(),
  };
}

/** A sink, how it is found out where it is. */
export interface ShownSink {
  readonly name: string;
  readonly topics: readonly { readonly name: string; readonly partitions: number }[];
  /** Asks its target; undefined: its positions are those of its group. */
  readonly target: SinkTarget | undefined;
}

/** Where the targets of sinks say that they are, and who carries them. */
export function sinksProbe(
  connection: KafkaConnection,
  app: string,
  sinks: readonly ShownSink[],
): Probe<readonly SinkNow[]> {
  return {
    name: 'Sinks',
    everyMs: EVERY_MS,
    timeoutMs: TIMEOUT_MS,
    async read() {
      const { admin } = await connection.open();
      const targets = sinks.map(({ name, topics, target }): SinkTarget => {
        return target ?? { name, topics, positions: () => groupPositions(admin, `${app}.sink.${name}`, topics) };
      });
      const { sinks: lags, problems } = await sinkLags(admin, targets);
      const members: StreamsNow['workers'][] = [];
      for (const { name } of sinks) members.push(await workersOf(admin, [`${app}.sink.${name}`]));
      return sinks.map(({ name }, i) => {
        const problem = problems.find(({ sink }) => sink === name)?.reason ?? null;
        const behind = lags.reduce((sum, each) => sum + (each.sink === name ? each.behind : 0), 0);
        // While it is being shared out there is somebody.
        return { name, behind: problem === null ? behind : null, members: members[i]?.members ?? 1, problem };
      });
    },
    reset: () => connection.reset(),
  };
}

async function groupPositions(
  admin: KafkaAdmin,
  group: string,
  topics: ShownSink['topics'],
): Promise<Map<string, bigint>> {
  const partitions = topics.flatMap(({ name, partitions: count }) =>
    Array.from({ length: count }, (_, partition) => ({ topic: name, partition })),
  );
  const held = await admin.committedOffsets(group, partitions);
  return new Map(held.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
}

const EVERY_MS = 1_500;
const TIMEOUT_MS = 8_000;

/** How fast each topic is read by the application: by its committed positions. */
class ReadRates {
  #last: { readonly at: number; readonly positions: ReadonlyMap<string, bigint> } | undefined;

  /** Records per second by `<application>|<topic>`; empty at the first reading. */
  read(clocks: Clocks, topics: ReadonlyMap<string, TopicRate>): Map<string, number> {
    const at = performance.now();
    const rates = new Map<string, number>();
    const positions = new Map<string, bigint>();
    for (const [id, { app, topic, position }] of clocks.inputs) {
      if (position === null) continue;
      positions.set(id, position);
      const before = this.#last?.positions.get(id);
      if (this.#last === undefined || before === undefined) continue;
      const share = topics.get(topic)?.share ?? 1;
      const came = (Math.max(0, Number(position - before)) * share) / ((at - this.#last.at) / 1_000);
      const reader = `${app}|${topic}`;
      rates.set(reader, (rates.get(reader) ?? 0) + came);
    }
    this.#last = { at, positions };
    return rates;
  }
}

/** Of all these groups. */
async function workersOf(admin: KafkaAdmin, groups: readonly string[]): Promise<StreamsNow['workers']> {
  try {
    let [all, slots] = [0, 0];
    for (const group of groups) {
      const members = await admin.groupMembers(group);
      all += members.length;
      slots += new Set(members.flatMap(({ partitions }) => partitions)).size;
    }
    return { members: all, slots };
  } catch (error) {
    if ((error as { code?: string }).code === 'SLC_BROKER_REBALANCING') return null;
    throw error;
  }
}

function stagesOf(
  clocks: Clocks,
  graph: TopologyNow,
  topics: ReadonlyMap<string, TopicRate>,
  reads: ReadonlyMap<string, number>,
): StageNow[] {
  const tasks = Map.groupBy(stageLags(clocks), ({ stage }) => stage);
  return graph.stages.map(({ name, reads: from, writes }) => {
    const own = tasks.get(name) ?? [];
    const slowest = own.reduce<TaskLag | undefined>(
      (least, each) => (least === undefined || each.watermark < least.watermark ? each : least),
      undefined,
    );
    const written = writes.map((topic) => topics.get(topic)?.perSecond ?? null);
    const app = clocks.topology.owners.get(name) ?? clocks.topology.app;
    const read = from.map((topic) => reads.get(`${app}|${topic}`) ?? null);
    return {
      name,
      inPerSecond: sumOf(read),
      outPerSecond: sumOf(written),
      behind: own.reduce((sum, { behind }) => sum + behind, 0),
      watermark: finite(slowest?.watermark),
      lagMs: slowest?.lagMs ?? null,
      heldBackBy: heldBackOf(slowest?.heldBack),
    };
  });
}

function heldBackOf(held: HeldBack | undefined): StageNow['heldBackBy'] {
  if (held === undefined) return null;
  const { writer, topic, partition, reason, chain } = held;
  return { writer, topic, partition, reason, chain: [...chain] };
}

/** Of those that are known; null when none is. */
function sumOf(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
}

function tierOf(name: string): string | null {
  return /^(bronze|silver|gold)(?=\.)/.exec(name)?.[1] ?? null;
}

const finite = (value: number | undefined): number | null =>
  value !== undefined && Number.isFinite(value) ? value : null;
