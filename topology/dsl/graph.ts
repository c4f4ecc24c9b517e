/** The graph of a stage: what its pipelines became, before any record flows. */
import { TopologyError } from '../errors.ts';
import type { Topic } from '../topic.ts';
import type { CreateProcessor, NodeSpec } from './node.ts';
import { rxSegment } from './rx-segment.ts';
import type { Windows } from './windows.ts';
import type { AnyOperator, EngineEntry, RxEntry, TraceEntry } from './trace.ts';

/** A repartition topic: made by the engine, named `<app>-<name>-repartition`. */
export interface InternalTopic {
  readonly name: string;
  readonly partitions: number;
}

/** A topic that a stage declares, of any types. */
export type AnyTopic = Topic<never, never>;

/** One node. Its parents were made before it, so the order of creation is a topological order. */
export interface GraphNode {
  readonly id: number;
  readonly stage: string;
  readonly name: string;
  readonly spec: NodeSpec;
  readonly parents: readonly GraphNode[];
  /** Global tables that it looks into: nothing flows from them, so they are no parents. */
  readonly globalTables?: readonly GraphNode[];
  readonly create?: CreateProcessor<never, unknown>;
  /** What a source or table reads, or a sink writes. */
  readonly topic?: AnyTopic | InternalTopic;
  /** A repartition node: the part of its topic's name that is its own. */
  readonly repartition?: string;
  /** A segment of plain RxJS operators upstream of a keyed operator: the key may not change in it. */
  keyGuard?: boolean;
}

/** Builds the graph of one stage. */
export class Graph {
  readonly stage: string;
  readonly nodes: GraphNode[] = [];

  constructor(stage: string) {
    this.stage = stage;
  }

  add(spec: NodeSpec, parents: readonly GraphNode[], rest: Partial<GraphNode> = {}): GraphNode {
    const nth = this.nodes.filter((node) => node.spec.kind === spec.kind).length;
    const name =
      spec.store === undefined ? `${spec.kind}${nth > 0 ? `-${nth + 1}` : ''}` : `${spec.kind} ${spec.store.name}`;
    const node: GraphNode = { id: this.nodes.length, stage: this.stage, name, spec, parents, ...rest };
    this.nodes.push(node);
    return node;
  }

  /** Turns what a pipe noted into nodes behind `tail`; returns the last one. */
  append(tail: GraphNode, entries: readonly TraceEntry[]): GraphNode {
    let node = tail;
    for (let i = 0; i < entries.length;) {
      const entry = entries[i];
      if (entry === undefined) break;
      this.#checkOrder(node, entry, i);
      if (entry.rx) {
        const run: RxEntry[] = [];
        for (let next: TraceEntry | undefined = entry; next?.rx === true; next = entries[++i]) run.push(next);
        node = this.#segment(node, run);
        continue;
      }
      if (entry.spec.keyed === true && needsRepartition(node)) node = this.#repartition(node, nameBehind(entries, i));
      if (entry.spec.keyed === true) guardKeys(node);
      const spec = withWindows(entry.spec, node.spec.windows);
      const others = entry.streams.map((other) => this.#keyed(other, `${spec.store?.name ?? spec.kind}-right`));
      const { create, globalTables } = entry;
      if (!globalTables.every((table) => this.nodes.includes(table))) {
        throw this.#error(
          'SLC_STAGE_JOIN',
          `${spec.kind}() looks into a global table of another stage`,
          'declare it in this stage too, under a store name of its own: a process keeps one copy of a topic',
        );
      }
      const more = globalTables.length === 0 ? { create } : { create, globalTables };
      node = this.add(spec, [node, ...entry.tables, ...others], more);
      i++;
    }
    if (node.spec.windows !== undefined)
      throw this.#error('SLC_STAGE_WINDOW', 'windowedBy() is not followed by an aggregation');
    return node;
  }

  #checkOrder(node: GraphNode, entry: TraceEntry, index: number): void {
    if (index > 0 && isTable(node)) {
      throw this.#error('SLC_STAGE_TABLE', `${node.name} gives a table, so it ends the pipe`, 'go on with toStream()');
    }
    if (node.spec.windows === undefined) return;
    if (entry.rx) {
      const what = entry.names.join(', ') || 'a custom function';
      throw this.#error('SLC_STAGE_WINDOW', `windowedBy() is followed by ${what}, not by an aggregation`);
    }
    if (entry.spec.aggregates !== true) {
      throw this.#error('SLC_STAGE_WINDOW', `windowedBy() is followed by ${entry.spec.kind}(), not by an aggregation`);
    }
  }

  #segment(parent: GraphNode, run: readonly RxEntry[]): GraphNode {
    const detail = run.flatMap((entry) => entry.names).join(', ') || 'custom function';
    const operators: readonly AnyOperator[] = run.map((entry) => entry.operator);
    const where = `${this.stage} / rx (${detail})`;
    const node: GraphNode = this.add({ kind: 'rx', detail }, [parent], {
      create: (context, emit) => rxSegment(operators, where, () => node.keyGuard === true, context, emit),
    });
    return node;
  }

  /** Another stream of this stage, ready for a keyed operator. */
  #keyed(other: GraphNode, name: string): GraphNode {
    if (!this.nodes.includes(other)) {
      throw this.#error(
        'SLC_STAGE_JOIN',
        `it joins a stream of stage ${other.stage}`,
        'read the topic that the other stage writes, with stream()',
      );
    }
    guardKeys(other);
    return needsRepartition(other) ? this.#repartition(other, name) : other;
  }

  /** One repartition topic per keyBy, shared by all keyed nodes behind it. */
  #repartition(from: GraphNode, name: string): GraphNode {
    const shared = this.nodes.find((node) => node.repartition !== undefined && node.parents[0] === from);
    const own = explicitName(from) ?? name;
    return shared ?? this.add({ kind: 'repartition', detail: own }, [from], { repartition: own });
  }

  #error(code: string, message: string, hint?: string): TopologyError {
    return new TopologyError(code, `${this.stage}: ${message}`, hint === undefined ? {} : { hint });
  }
}

/** What a node is behind these windows. */
export function withWindows(spec: NodeSpec, windows: Windows | undefined): NodeSpec {
  if (windows === undefined) return unwindowed(spec);
  if (spec.store === undefined || windows.kind === 'hopping' || windows.kind === 'calendar') return spec;
  const isWhole = windows.kind === 'sliding';
  return { ...spec, store: { ...spec.store, kind: 'session', ...(isWhole && { isWhole }) } };
}

/** What an aggregation is without windowedBy before it: a table by key. Other nodes stay what they are. */
export function unwindowed(spec: NodeSpec): NodeSpec {
  if (spec.aggregates !== true || spec.store === undefined) return spec;
  const detail = spec.detail?.replace(/emit final$/, 'emit updates') ?? 'emit updates';
  return { ...spec, detail, emits: 'updates', store: { ...spec.store, kind: 'key-value' } };
}

/** True when a node's output is a table: an aggregation without a window, or with emit 'updates'. */
export function isTable(node: GraphNode): boolean {
  if (node.spec.table === true) return true;
  if (node.spec.aggregates !== true) return false;
  return node.spec.emits === 'updates' || node.parents[0]?.spec.windows === undefined;
}

/** The windows by which the rows of a table are keyed; undefined when its keys are no windows. */
export function windowsBefore(node: GraphNode): Windows | undefined {
  const [parent] = node.parents;
  if (parent === undefined || node.repartition !== undefined || node.spec.changesKey === true) return undefined;
  return parent.spec.windows ?? windowsBefore(parent);
}

/** The engine's entries that hold a store behind position `i`: the first names the repartition topic. */
function nameBehind(entries: readonly TraceEntry[], i: number): string {
  const holder = entries.slice(i).find((entry): entry is EngineEntry => !entry.rx && entry.spec.store !== undefined);
  return holder?.spec.store?.name ?? 'keyed';
}

/** The name given to the keyBy that made the repartition necessary. */
function explicitName(node: GraphNode): string | undefined {
  if (node.spec.changesKey === true) return node.spec.detail;
  const [parent] = node.parents;
  return parent === undefined ? undefined : explicitName(parent);
}

function needsRepartition(node: GraphNode): boolean {
  if (node.spec.changesKey === true) return true;
  if (node.topic !== undefined || node.repartition !== undefined || node.spec.keyed === true) return false;
  return node.parents.some(needsRepartition);
}

/** RxJS code between the last change of the key and a keyed node must leave the key alone: checked per record. */
function guardKeys(node: GraphNode): void {
  if (node.repartition !== undefined || node.topic !== undefined || node.spec.changesKey === true) return;
  if (node.spec.kind === 'rx') node.keyGuard = true;
  for (const parent of node.parents) guardKeys(parent);
}
