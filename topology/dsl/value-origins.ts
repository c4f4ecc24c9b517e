/** Whose values may cross a repartition topic unchanged: known before any record. */
import type { AnyTopic, GraphNode, InternalTopic } from './graph.ts';
import type { SubTopology } from './topology.ts';

/** Per repartition topic the declared topics that what is written there comes from, through other repartition topics too. */
export function valueOrigins(subs: readonly Pick<SubTopology, 'sinks'>[]): Map<string, readonly AnyTopic[]> {
  const writers = new Map<string, GraphNode[]>();
  for (const { node, topic } of subs.flatMap((sub) => sub.sinks)) {
    if (!isDeclared(topic)) writers.set(topic.name, [...(writers.get(topic.name) ?? []), node]);
  }
  const found = new Map<string, readonly AnyTopic[]>();
  const originsOf = (node: GraphNode): readonly AnyTopic[] => {
    if (node.parents.length > 0) return node.parents.flatMap(originsOf);
    if (node.topic === undefined) return [];
    return isDeclared(node.topic) ? [node.topic] : ofInternal(node.topic.name);
  };
  const ofInternal = (name: string): readonly AnyTopic[] => {
    let origins = found.get(name);
    if (origins === undefined) {
      const all = (writers.get(name) ?? []).flatMap((sink) => sink.parents.flatMap(originsOf));
      origins = [...new Map(all.map((topic) => [topic.name, topic])).values()];
      found.set(name, origins);
    }
    return origins;
  };
  for (const name of writers.keys()) ofInternal(name);
  return found;
}

function isDeclared(topic: AnyTopic | InternalTopic): topic is AnyTopic {
  return 'value' in topic;
}
