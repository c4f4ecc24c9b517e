import { TopologyError } from '../errors.ts';
import { DEFAULT_PARTITIONS } from '../topic.ts';
import type { GraphNode, InternalTopic } from './graph.ts';
import type { NodeSpec } from './node.ts';
import type { Stage } from './stage.ts';
import type { SinkNode, SourceNode, SubTopology } from './topology.ts';

/** Cuts a stage's graph at its repartition nodes: each becomes a sink on one side and a source on the other. */
export function cutStage(stage: Stage, app: string, problems: TopologyError[]): Omit<SubTopology, 'id'>[] {
  const topics = repartitionTopics(stage, app);
  const nodes = cutNodes(stage, topics);
  return connected(nodes).map((members) => {
    const sources = sourcesOf(members);
    const counts = new Set(sources.map(({ topic }) => topic.partitions));
    if (counts.size > 1) {
      const text = sources.map(({ topic }) => `${topic.name} has ${topic.partitions}`).join(', ');
      problems.push(
        new TopologyError(
          'SLC_TOPOLOGY_COPARTITION',
          `${stage.name}: topics of one sub-topology need the same number of partitions: ${text}`,
          {
            hint: 'give the topics the same number of partitions, or put a keyBy() before one of them',
          },
        ),
      );
    }
    const sinks: SinkNode[] = members.flatMap((node) =>
      node.spec.kind === 'sink' && node.topic !== undefined ? [{ node, topic: node.topic }] : [],
    );
    const of = { stage: stage.name, place: stage.options?.state };
    const specs = members.flatMap(({ spec }) => [
      ...(spec.store === undefined ? [] : [spec.store]),
      ...(spec.stores ?? []),
    ]);
    const stores = specs.map((spec) => ({ ...spec, of }));
    return { stage: stage.name, partitions: Math.max(0, ...counts), sources, nodes: members, sinks, stores };
  });
}

/** A repartition topic has as many partitions as the topics that it is joined with; else as the widest topic that it is made from, as in Kafka Streams. */
function repartitionTopics(stage: Stage, app: string): Map<GraphNode, InternalTopic> {
  const topics = new Map<GraphNode, InternalTopic>();
  for (const node of stage.graph.nodes) {
    if (node.repartition === undefined) continue;
    const partitions = partnersOf(node, stage.graph.nodes);
    topics.set(node, { name: `${app}-${node.repartition}-repartition`, partitions });
  }
  return topics;
}

function partnersOf(repartition: GraphNode, nodes: readonly GraphNode[]): number {
  const group = new Set<GraphNode>([repartition]);
  for (let before = 0; before !== group.size;) {
    before = group.size;
    for (const node of nodes) {
      const parents = node.repartition !== undefined ? [] : node.parents;
      if (parents.some((parent) => group.has(parent))) group.add(node);
      if (group.has(node)) for (const parent of parents) group.add(parent);
    }
  }
  const counts = [...group].filter((node) => node.parents.length === 0).map((node) => node.topic?.partitions ?? 0);
  if (counts.length > 0) return Math.max(...counts);
  const madeFrom = [...group].filter((node) => node.repartition !== undefined).flatMap(widths);
  return madeFrom.length > 0 ? Math.max(...madeFrom) : DEFAULT_PARTITIONS;
}

/** Partitions of the topics that a node's records come from. */
function widths(node: GraphNode): number[] {
  if (node.parents.length === 0) return [node.topic?.partitions ?? DEFAULT_PARTITIONS];
  return node.parents.flatMap(widths);
}

function cutNodes(stage: Stage, topics: ReadonlyMap<GraphNode, InternalTopic>): GraphNode[] {
  const cut = new Map<GraphNode, GraphNode>();
  const nodes: GraphNode[] = [];
  const add = (node: Omit<GraphNode, 'id'>): GraphNode => {
    const made = { ...node, id: nodes.length };
    nodes.push(made);
    return made;
  };
  for (const node of stage.graph.nodes) {
    // Each process reads it as a whole: no task does.
    if (node.spec.kind === 'globalTable') continue;
    const parents = node.parents.flatMap((parent) => cut.get(parent) ?? []);
    const topic = topics.get(node);
    if (topic === undefined) {
      cut.set(node, add({ ...node, parents }));
      continue;
    }
    const { stage: name } = node;
    const spec: NodeSpec = { kind: 'sink', detail: topic.name };
    add({ stage: name, name: `to ${topic.name}`, spec, parents, topic });
    cut.set(
      node,
      add({
        stage: name,
        name: `from ${topic.name}`,
        spec: { kind: 'source', detail: topic.name },
        parents: [],
        topic,
      }),
    );
  }
  return nodes;
}

function connected(nodes: readonly GraphNode[]): GraphNode[][] {
  const root = new Map<GraphNode, GraphNode>(nodes.map((node) => [node, node]));
  const find = (node: GraphNode): GraphNode => {
    const parent = root.get(node) ?? node;
    return parent === node ? node : find(parent);
  };
  for (const node of nodes) for (const parent of node.parents) root.set(find(node), find(parent));
  return [...Map.groupBy(nodes, find).values()];
}

function sourcesOf(members: readonly GraphNode[]): SourceNode[] {
  const sources = new Map<string, { topic: SourceNode['topic']; nodes: GraphNode[] }>();
  for (const node of members) {
    if (node.parents.length > 0 || node.topic === undefined) continue;
    const known = sources.get(node.topic.name);
    if (known === undefined) sources.set(node.topic.name, { topic: node.topic, nodes: [node] });
    else known.nodes.push(node);
  }
  return [...sources.values()];
}
