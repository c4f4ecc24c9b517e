import type { Graph, GraphNode } from './graph.ts';

/** A table of which every process has all rows, so that a stream can be joined with it by any key. */
export class GlobalKTable<in out K, in out V> {
  /** Never present at run time: carries the types. */
  declare readonly row: (key: K) => V;
  readonly graph: Graph;
  readonly node: GraphNode;

  constructor(graph: Graph, node: GraphNode) {
    this.graph = graph;
    this.node = node;
  }
}
