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

/** A whole application. */
export interface Topology {
  readonly app: string;
  readonly time: TimePolicyName;
  /** Upstream before downstream. */
  readonly stages: readonly Stage[];
  readonly subTopologies: readonly SubTopology[];
  readonly globalTables: readonly GlobalTable[];
  readonly internalTopics: readonly InternalTopic[];
  /** Per repartition topic the declared topics that its values come from: when it is but one, values that nobody changed cross it as their bytes. */
  readonly valueOrigins: ReadonlyMap<string, readonly AnyTopic[]>;
  readonly changelogs: readonly Changelog[];
  /** Per derived topic the stages whose tasks write it. */
  readonly writers: ReadonlyMap<string, readonly { readonly stage: string; readonly partitions: number }[]>;
  /** Changes whenever the topology does: members of different epochs never share slots. */
  readonly epoch: string;
  describe(): string;
  toJSON(): unknown;
  toMermaid(): string;
}

/**
 * Cuts the stages into sub-topologies and checks them. Throws one TopologyError that lists all problems (its code is that of the first). `time`: the
 * policy that decides what is late and when windows close, by default 'watermark'; 'stream-time' is Kafka Streams', whose results depend on the order in
 * which partitions happen to be read.
 */
export function buildTopology(
  stages: readonly Stage[],
  options: { readonly app: string; readonly time?: TimePolicyName },
): Topology {
  const { app, time = 'watermark' } = options;
  const problems: TopologyError[] = [];
  const ordered = orderStages(stages, problems);
  const subTopologies: SubTopology[] = [];
  for (const stage of ordered) {
    for (const sub of cutStage(stage, app, problems)) subTopologies.push({ ...sub, id: subTopologies.length });
  }
  const globalTables = ordered.flatMap(globalTablesOf);
  checkTopology({ stages: ordered, subs: subTopologies, globalTables, time }, problems);
  const [first] = problems;
  if (first !== undefined) {
    const text = problems
      .map((problem) => problem.message + (problem.hint === undefined ? '' : ` (${problem.hint})`))
      .join('\n');
    throw new TopologyError(first.code, text);
  }
  const internalTopics = subTopologies
    .flatMap((sub) => sub.sources.map((source) => source.topic))
    .filter((topic): topic is InternalTopic => !('value' in topic));
  const changelogs = subTopologies.flatMap((sub) =>
    sub.stores.map((store) => ({
      store: store.name,
      topic: `${app}-${store.name}-changelog`,
      partitions: sub.partitions,
    })),
  );
  const json = toJson({ app, time, globalTables }, subTopologies);
  const origins = valueOrigins(subTopologies);
  // What lies in repartition topics is between members of one epoch: versions that wrote JSON only cannot read what these write.
  const passing = [...origins].flatMap(([name, of]) => (of.length === 1 ? [`${name} as ${of[0]?.name}`] : []));
  const whole = JSON.stringify(passing.length === 0 ? json : [json, passing]);
  const epoch = createHash('sha256').update(whole).digest('hex').slice(0, 12);
  return {
    app,
    time,
    stages: ordered,
    subTopologies,
    globalTables,
    internalTopics,
    valueOrigins: origins,
    changelogs,
    writers: writersOf(subTopologies),
    epoch,
    describe: () => describeText({ subTopologies, globalTables, time }),
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
  { app, time, globalTables }: Pick<Topology, 'app' | 'time' | 'globalTables'>,
  subs: readonly SubTopology[],
): unknown {
  const marks = noFunctionOfTheLog(subs);
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
