/** The topology of a replay: stages as they are live, under other names for all that they write. */
import { Graph, type AnyTopic, type GraphNode } from '../dsl/graph.ts';
import type { Stage } from '../dsl/stage.ts';
import { buildTopology, type Topology } from '../dsl/topology.ts';
import { ConfigError } from '../errors.ts';

/** The application id of a replay. */
export const replayAppOf = (app: string, id: string): string => `${app}.replay.${id}`;

/** The name under which a replay writes a topic, and that of its stage. */
export const replayNameOf = (name: string, id: string): string => `${name}.${id}`;

/**
 * The chosen stages of a live application ('all': each of them) as an application of their own: `<app>.replay.<id>` writes `<topic>.<id>`,
 * `<stage>.<id>.late`, `<stage>.<id>.dlq` and internal topics of its own. What the stages read and none of them writes is read from the live topics,
 * whose writers it knows. ConfigError SLC_REPLAY_STAGE for a name that is no stage.
 */
export function replayTopology(
  live: Topology,
  options: { readonly id: string; readonly stages: readonly string[] | 'all' },
): Topology {
  const { id } = options;
  const names = options.stages === 'all' ? [] : options.stages.map((name) => stageOf(live, name).name);
  const chosen = live.stages.filter(({ name }) => options.stages === 'all' || names.includes(name));
  const written = new Set(chosen.flatMap((stage) => topicNames(stage, (node) => node.spec.kind === 'sink')));
  const topics = new Map<string, AnyTopic>();
  const renamed = (topic: AnyTopic): AnyTopic => {
    if (!written.has(topic.name)) return topic;
    const known = topics.get(topic.name) ?? { ...topic, name: replayNameOf(topic.name, id) };
    topics.set(topic.name, known);
    return known;
  };
  const stages = chosen.map((stage) => copyOf(stage, replayNameOf(stage.name, id), renamed));
  const built = buildTopology(stages, { app: replayAppOf(live.app, id), time: live.time });
  const read = chosen.flatMap((stage) => topicNames(stage, isSource));
  const foreign = read.flatMap((name) => {
    const writers = written.has(name) ? undefined : live.writers.get(name);
    return writers === undefined ? [] : [[name, writers] as const];
  });
  return { ...built, writers: new Map([...foreign, ...built.writers]) };
}

/** Numbered names of the live application as the replay calls them: what the replay does not write or keep stays as it is. */
export function replayNames(live: Topology, replay: Topology, id: string, names: readonly string[]): string[] {
  const own = new Map<string, string>();
  const changelogs = new Map(replay.changelogs.map(({ store, topic }) => [store, topic]));
  for (const { store, topic } of live.changelogs) own.set(topic, changelogs.get(store) ?? topic);
  const internal = new Set(replay.internalTopics.map(({ name }) => name));
  for (const { name } of live.internalTopics) {
    const renamed = replayInternalOf(live, replay.app, name);
    if (internal.has(renamed)) own.set(name, renamed);
  }
  for (const name of live.writers.keys()) {
    const renamed = replayNameOf(name, id);
    if (!own.has(name) && replay.writers.has(renamed)) own.set(name, renamed);
  }
  return names.map((name) => own.get(name) ?? name);
}

/** What a replay calls a repartition topic of live: its name begins with that of the application that has it. */
export function replayInternalOf(live: Topology, replayApp: string, name: string): string {
  const sub = live.subTopologies.find(({ sources }) => sources.some(({ topic }) => topic.name === name));
  const app = (sub && live.owners.get(sub.stage)) ?? live.app;
  return `${replayApp}${name.slice(app.length)}`;
}

function stageOf(live: Topology, name: string): Stage {
  const found = live.stages.find((stage) => stage.name === name);
  if (found !== undefined) return found;
  throw new ConfigError('SLC_REPLAY_STAGE', `there is no stage ${name}`, {
    hint: `there are: all, ${live.stages.map((stage) => stage.name).join(', ')}`,
  });
}

function topicNames(stage: Stage, which: (node: GraphNode) => boolean): string[] {
  return stage.graph.nodes.filter(which).flatMap((node) => node.topic?.name ?? []);
}

const isSource = ({ parents, spec }: GraphNode): boolean => parents.length === 0 && spec.kind !== 'globalTable';

/**
 * What a node does is a function of the node alone, so the copy may share it. A global table stays live's, whoever writes its topic: it must be whole before
 * the first record, and what the replay writes is not there yet.
 */
function copyOf(stage: Stage, name: string, renamed: (topic: AnyTopic) => AnyTopic): Stage {
  const graph = new Graph(name);
  const copies = new Map<GraphNode, GraphNode>();
  for (const node of stage.graph.nodes) {
    const copied = (nodes: readonly GraphNode[]): GraphNode[] => nodes.flatMap((each) => copies.get(each) ?? []);
    const parents = copied(node.parents);
    const globalTables = node.globalTables && { globalTables: copied(node.globalTables) };
    const isTaken = node.topic === undefined || node.spec.kind === 'globalTable';
    const topic = isTaken ? undefined : renamed(node.topic as AnyTopic);
    const spec = topic === undefined ? node.spec : { ...node.spec, detail: topic.name };
    const named = topic === undefined ? {} : { topic };
    const copy: GraphNode = { ...node, stage: name, parents, spec, ...globalTables, ...named };
    copies.set(node, copy);
    graph.nodes.push(copy);
  }
  return { name, graph };
}
