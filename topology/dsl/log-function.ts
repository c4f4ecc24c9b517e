import type { GraphNode } from './graph.ts';
import type { SubTopology } from './topology.ts';

/**
 * The nodes whose output is no function of the log, with the reason: joins with what a table holds at the moment, wall-clock punctuation, answers from
 * outside, and all that is behind one of them, through topics and stages too.
 */
export function noFunctionOfTheLog(subs: readonly SubTopology[]): ReadonlyMap<GraphNode, string> {
  const reasons = new Map<GraphNode, string>();
  const topics = new Map<string, string>();
  for (let before = -1; before !== reasons.size + topics.size;) {
    before = reasons.size + topics.size;
    for (const { nodes, sinks } of subs) {
      for (const node of nodes) {
        const reason = reasonOf(node, reasons, topics);
        if (reason !== undefined && !reasons.has(node)) reasons.set(node, reason);
      }
      for (const { node, topic } of sinks) {
        const reason = reasons.get(node);
        if (reason !== undefined && !topics.has(topic.name)) topics.set(topic.name, reason);
      }
    }
  }
  return reasons;
}

function reasonOf(
  { spec, parents, topic }: GraphNode,
  reasons: ReadonlyMap<GraphNode, string>,
  topics: ReadonlyMap<string, string>,
): string | undefined {
  if (spec.nondeterministic !== undefined) return spec.nondeterministic;
  if (parents.length === 0) return topic === undefined ? undefined : topics.get(topic.name);
  for (const parent of parents) {
    const reason = reasons.get(parent);
    if (reason !== undefined) return parent.spec.nondeterministic === undefined ? reason : `behind ${parent.name}`;
  }
  return undefined;
}
