/** An application's topology: stages cut into sub-topologies, with their internal topics, before any record flows. */
import { createHash } from 'node:crypto';
import { TopologyError } from '../errors.ts';
import type { StoreSpec } from '../state/store.ts';
import type { TimePolicyName } from '../time/time-policy.ts';
import { describeText, toMermaid } from './describe.ts';
import type { AnyTopic, GraphNode, InternalTopic } from './graph.ts';
import type { Stage } from './stage.ts';
import { cutStage } from './sub-topologies.ts';
import { noFunctionOfTheLog } from './log-function.ts';
import { applicationsOf, checkParts, foreignTopics, ownersOf, type Parts } from './parts.ts';
import { checkTopology } from './topology-checks.ts';
import { valueOrigins } from './value-origins.ts';

/** A topic that a sub-topology reads, and the nodes that take its records. */
export interface SourceNode {
  readonly topic: AnyTopic | InternalTopic;
  readonly nodes: readonly GraphNode[];
}

/** A node that writes a topic. */
export interface SinkNode {
  readonly topic: AnyTopic | InternalTopic;
  readonly node: GraphNode;
}

/** What runs as one task per partition: connected nodes without a repartition topic between them. */
export interface SubTopology {
  readonly id: number;
  readonly stage: string;
  readonly partitions: number;
  readonly sources: readonly SourceNode[];
  /** In topological order. */
  readonly nodes: readonly GraphNode[];
  readonly sinks: readonly SinkNode[];
  readonly stores: readonly StoreSpec[];
}

/** A store's changelog topic. */
export interface Changelog {
  readonly store: string;
  readonly topic: string;
  readonly partitions: number;
}

/** A topic that each process reads as a whole. */
export interface GlobalTable {
  readonly stage: string;
  readonly store: string;
  readonly topic: AnyTopic;
  /** What the joins that look into it have among their `globalTables`. */
  readonly node: GraphNode;
}

/** A whole application; of a project divided into several, the project as `buildTopology` gives it, or one of them as `partTopology` does. */
export interface Topology {
  readonly app: string;
  /** The application under whose name the project goes: `app`, but of a part. */
  readonly base: string;
  /** Per stage of the project the application that runs it. */
  readonly owners: ReadonlyMap<string, string>;
  /** Per derived topic that is read here and written by another application, that application: its ledger tells the watermark. */
  readonly foreign: ReadonlyMap<string, string>;
  readonly time: TimePolicyName;
  /** Upstream before downstream. */
  readonly stages: readonly Stage[];
  readonly subTopologies: readonly SubTopology[];
  readonly globalTables: readonly GlobalTable[];
  readonly internalTopics: readonly InternalTopic[];
  /** Per repartition topic the declared topics that its values come from: when it is but one, values that nobody changed cross it as their bytes. */
  readonly valueOrigins: ReadonlyMap<string, readonly AnyTopic[]>;
  readonly changelogs: readonly Changelog[];
  /** Per derived topic that is written or read here the stages whose tasks write it. */
  readonly writers: ReadonlyMap<string, readonly { readonly stage: string; readonly partitions: number }[]>;
  /** The nodes whose output is no function of the log, with the reason; upstream applications count. */
  readonly marks: ReadonlyMap<GraphNode, string>;
  /** Changes whenever the topology does: members of different epochs never share slots. */
  readonly epoch: string;
  describe(): string;
  toJSON(): unknown;
  toMermaid(): string;
}

/**
 * Cuts the stages into sub-topologies and checks them. Throws one TopologyError that lists all problems (its code is that of the first). `time`: the
 * policy that decides what is late and when windows close, by default 'watermark'; 'stream-time' is Kafka Streams', whose results depend on the order in
 * which partitions happen to be read. `parts`: stages that run as applications of their own; `partTopology` gives what each of them runs.
 */
export function buildTopology(
  stages: readonly Stage[],
  options: { readonly app: string; readonly time?: TimePolicyName; readonly parts?: Parts },
): Topology {
  const { app, time = 'watermark', parts = {} } = options;
  const problems: TopologyError[] = [];
  const ordered = orderStages(stages, problems);
  const owners = ownersOf(ordered, { app, parts }, problems);
  const subTopologies: SubTopology[] = [];
  for (const stage of ordered) {
    const owner = owners.get(stage.name) ?? app;
    for (const sub of cutStage(stage, owner, problems)) subTopologies.push({ ...sub, id: subTopologies.length });
  }
  const globalTables = ordered.flatMap(globalTablesOf);
  checkTopology({ stages: ordered, subs: subTopologies, globalTables, time }, problems);
  checkParts(subTopologies, owners, problems);
  const [first] = problems;
  if (first !== undefined) {
    const text = problems
      .map((problem) => problem.message + (problem.hint === undefined ? '' : ` (${problem.hint})`))
      .join('\n');
    throw new TopologyError(first.code, text);
  }
  const marks = noFunctionOfTheLog(subTopologies);
  const writers = writersOf(subTopologies);
  return assemble({ app, base: app, owners, time, stages: ordered, subTopologies, globalTables, marks, writers });
}

/**
 * What one application of a project runs: `app` is the project's name for the rest, `<name>.<part>` for a part. A project without parts is its own. What it
 * reads of other applications it finds in `foreign`. TopologyError SLC_TOPOLOGY_PARTS when there is no such application.
 */
export function partTopology(project: Topology, app: string): Topology {
  const apps = applicationsOf(project);
  if (!apps.includes(app)) {
    throw new TopologyError('SLC_TOPOLOGY_PARTS', `there is no application ${app}`, {
      where: app,
      hint: `there are: ${apps.join(', ')}`,
    });
  }
  if (apps.length === 1) return project;
  const { owners, subTopologies: subs, stages, globalTables } = project;
  const isOwn = (stage: string): boolean => owners.get(stage) === app;
  const own = subs.filter(({ stage }) => isOwn(stage)).map((sub, id) => ({ ...sub, id }));
  const topics = new Set(own.flatMap(({ sources, sinks }) => [...sources, ...sinks].map(({ topic }) => topic.name)));
  return assemble({
    ...project,
    app,
    stages: stages.filter(({ name }) => isOwn(name)),
    subTopologies: own,
    globalTables: globalTables.filter(({ stage }) => isOwn(stage)),
    // What stages of other applications have made is marked here too.
    marks: noFunctionOfTheLog(subs),
    writers: new Map([...project.writers].filter(([topic]) => topics.has(topic))),
  });
}

type Assembled = Pick<
  Topology,
  'app' | 'base' | 'owners' | 'time' | 'stages' | 'subTopologies' | 'globalTables' | 'writers' | 'marks'
>;

function assemble({ marks, ...parts }: Assembled): Topology {
  const { app, base, owners, time, stages, subTopologies, globalTables, writers } = parts;
  const internalTopics = subTopologies
    .flatMap((sub) => sub.sources.map((source) => source.topic))
    .filter((topic): topic is InternalTopic => !('value' in topic));
  const changelogs = subTopologies.flatMap((sub) =>
    sub.stores.map((store) => ({
      store: store.name,
      topic: `${owners.get(sub.stage) ?? app}-${store.name}-changelog`,
      partitions: sub.partitions,
    })),
  );
  const json = toJson({ app, time, globalTables, marks }, subTopologies);
  const origins = valueOrigins(subTopologies);
  // What lies in repartition topics is between members of one epoch: versions that wrote JSON only cannot read what these write.
  const passing = [...origins].flatMap(([name, of]) => (of.length === 1 ? [`${name} as ${of[0]?.name}`] : []));
  const whole = JSON.stringify(passing.length === 0 ? json : [json, passing]);
  const epoch = createHash('sha256').update(whole).digest('hex').slice(0, 12);
  return {
    app,
    base,
    owners,
    foreign: foreignTopics(subTopologies, writers, { app, owners }),
    time,
    stages,
    subTopologies,
    globalTables,
    internalTopics,
    valueOrigins: origins,
    changelogs,
    writers,
    marks,
    epoch,
    describe: () => describeText({ subTopologies, globalTables, time, marks }),
    toJSON: () => json,
    toMermaid: () => toMermaid({ subTopologies, globalTables }),
  };
}

/** Stages so that whoever writes a topic comes before whoever reads it. */
function orderStages(stages: readonly Stage[], problems: TopologyError[]): Stage[] {
  const writersOfTopic = new Map<string, Stage[]>();
  for (const stage of stages) {
    for (const topic of topicsOfKind(stage, 'sink'))
      writersOfTopic.set(topic, [...(writersOfTopic.get(topic) ?? []), stage]);
  }
  const ordered: Stage[] = [];
  const underWay = new Set<Stage>();
  const visit = (stage: Stage): void => {
    if (ordered.includes(stage)) return;
    if (underWay.has(stage)) {
      problems.push(
        new TopologyError('SLC_TOPOLOGY_CYCLE', `${stage.name} reads, through other stages, what it writes`),
      );
      return;
    }
    underWay.add(stage);
    for (const kind of ['source', 'table', 'globalTable']) {
      for (const topic of topicsOfKind(stage, kind))
        for (const writer of writersOfTopic.get(topic) ?? []) visit(writer);
    }
    underWay.delete(stage);
    ordered.push(stage);
  };
  for (const stage of stages) visit(stage);
  return ordered;
}

function topicsOfKind(stage: Stage, kind: string): string[] {
  return stage.graph.nodes.filter((node) => node.spec.kind === kind).flatMap((node) => node.topic?.name ?? []);
}

function writersOf(subs: readonly SubTopology[]): Map<string, { stage: string; partitions: number }[]> {
  const writers = new Map<string, { stage: string; partitions: number }[]>();
  for (const { stage, partitions, sinks } of subs) {
    for (const name of new Set(sinks.map((sink) => sink.topic.name))) {
      writers.set(name, [...(writers.get(name) ?? []), { stage, partitions }]);
    }
  }
  return writers;
}

function globalTablesOf({ name, graph }: Stage): GlobalTable[] {
  return graph.nodes.flatMap((node) => {
    const { spec, topic } = node;
    if (spec.kind !== 'globalTable' || spec.store === undefined || topic === undefined || !('value' in topic))
      return [];
    return [{ stage: name, store: spec.store.name, topic, node }];
  });
}

function toJson(
  { app, time, globalTables, marks }: Pick<Assembled, 'app' | 'time' | 'globalTables' | 'marks'>,
  subs: readonly SubTopology[],
): unknown {
  const nodeJson = (node: GraphNode): unknown => {
    const { name, spec, parents, globalTables: tables, topic } = node;
    return {
      name,
      kind: spec.kind,
      ...(spec.detail === undefined ? {} : { detail: spec.detail }),
      ...(spec.store === undefined ? {} : { store: spec.store.name }),
      ...(spec.stores === undefined ? {} : { stores: spec.stores.map((store) => store.name) }),
      ...(topic === undefined ? {} : { topic: topic.name }),
      ...(marks.has(node) ? { nondeterministic: marks.get(node) } : {}),
      parents: parents.map((parent) => parent.name),
      ...(tables === undefined ? {} : { globalTables: tables.map((table) => table.name) }),
    };
  };
  return {
    app,
    ...(time === 'watermark' ? {} : { time }),
    ...(globalTables.length === 0 ? {} : { globalTables: globalTables.map(globalTableJson) }),
    subTopologies: subs.map(({ id, stage, partitions, nodes }) => ({
      id,
      stage,
      partitions,
      nodes: nodes.map(nodeJson),
    })),
  };
}

function globalTableJson({ stage, store, topic, node }: GlobalTable): unknown {
  return { name: node.name, stage, store, topic: topic.name, partitions: topic.partitions };
}
