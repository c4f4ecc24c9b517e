/** Which topics of a replay can be compared with live ones, and how far: a matter of the graph, of the plan, and of the replay's promises. */
import type { AnyTopic, GraphNode } from '../dsl/graph.ts';
import type { Stage } from '../dsl/stage.ts';
import type { Topology } from '../dsl/topology.ts';
import type { Windows } from '../dsl/windows.ts';
import { hasUpdates, updatesTopics } from '../dsl/topology-checks.ts';
import type { ReplayPlan } from './replay-plan.ts';

/** A topic that a stage of a replay writes, and its live counterpart. */
export interface ComparedTopic {
  /** Live names. */
  readonly stage: string;
  readonly topic: string;
  readonly replay: AnyTopic;
  /** 'records': each is compared. 'table': the last of each key. */
  readonly kind: 'records' | 'table';
  /** A window of its stage is closed for good when the watermark is this far behind its end, ms: the largest of them. Infinity: no row is ever final. */
  readonly closeDelayMs: number;
  /** Rows whose earliest instant (begin of their window, else their timestamp) is not above this were computed from less than live had, ms. */
  readonly lower: number;
  /** Why it cannot be compared: what its stage does is no function of the log. */
  readonly nondeterministic: string | undefined;
}

/** The topics that the stages of a replay write, in the order of the stages. */
export function comparedTopics(live: Topology, replay: Topology, plan: ReplayPlan): ComparedTopic[] {
  const updates = updatesTopics(replay.subTopologies);
  const reach = new Reach(replay, plan);
  return plan.stages.flatMap((stage) => {
    const written = sinksOf(replay, `${stage}.${plan.id}`);
    return written.map(({ node, topic }): ComparedTopic => {
      const kind = hasUpdates(node, updates) ? 'table' : 'records';
      return {
        stage,
        topic: topic.name.slice(0, -plan.id.length - 1),
        replay: topic,
        kind,
        closeDelayMs:
          kind === 'table' && !isByWindow(node)
            ? Infinity
            : closeDelayOf(live.stages.find(({ name }) => name === stage)),
        lower: reach.lowerOf(node),
        nondeterministic:
          live.time === 'watermark'
            ? reach.nondeterministicOf(node)
            : `the time policy ${live.time} depends on the order of reading`,
      };
    });
  });
}

function sinksOf(topology: Topology, stage: string): { node: GraphNode; topic: AnyTopic }[] {
  const nodes = topology.stages.find(({ name }) => name === stage)?.graph.nodes ?? [];
  const sinks = nodes.flatMap((node) =>
    node.spec.kind === 'sink' && node.topic !== undefined ? [{ node, topic: node.topic as AnyTopic }] : [],
  );
  return [...new Map(sinks.map((sink) => [sink.topic.name, sink])).values()];
}

/** Rows of a table without windows carry the coordinate of what changed them last: the window in it, if there is one, is another stage's. */
function isByWindow({ spec, parents }: GraphNode): boolean {
  if (spec.aggregates === true) return parents[0]?.spec.windows !== undefined;
  return parents.some(isByWindow);
}

function closeDelayOf(stage: Stage | undefined): number {
  // Closed up to 0 at a watermark of closeDelay.
  return Math.max(0, ...(stage?.graph.nodes ?? []).map(({ spec }) => -(spec.windows?.closedUpTo(0) ?? 0)));
}

/** How far before a result's window, which it shows, and of one that it does not show: a session may have begun at any time. */
function windowReach(windows: Windows, isShown: boolean): number {
  if (windows.kind === 'session') return isShown ? windows.gapMs : Infinity;
  if (windows.kind === 'sliding') return windows.differenceMs * (isShown ? 1 : 2);
  return isShown ? 0 : windows.sizeMs;
}

/** Walks from what is written up to the origins, over all stages of the replay. */
class Reach {
  readonly #replay: Topology;
  /** Per topic the largest `before` of its partitions. */
  readonly #before = new Map<string, number>();

  constructor(replay: Topology, plan: ReplayPlan) {
    this.#replay = replay;
    for (const { topic, before } of plan.inputs)
      this.#before.set(topic, Math.max(before, this.#before.get(topic) ?? -Infinity));
  }

  /** The last window before a sink is seen in what it writes; what lies before that one adds its length. */
  lowerOf(node: GraphNode, isWindowKnown = false): number {
    const windows = node.spec.aggregates === true ? node.parents[0]?.spec.windows : undefined;
    const isKnown = isWindowKnown || windows !== undefined;
    const parents = this.#parentsOf(node).map((parent) => this.lowerOf(parent, isKnown));
    const before = Math.max(this.#ownBefore(node), ...parents);
    if (before === -Infinity) return before;
    if (windows !== undefined) return before + windowReach(windows, !isWindowKnown);
    // Without a window it goes back to the first record.
    return node.spec.aggregates === true ? Infinity : before + (node.spec.reachMs ?? 0);
  }

  nondeterministicOf(node: GraphNode): string | undefined {
    const { nondeterministic } = node.spec;
    if (nondeterministic !== undefined) return `${node.stage} / ${node.name}: ${nondeterministic}`;
    return this.#parentsOf(node)
      .map((parent) => this.nondeterministicOf(parent))
      .find((found) => found !== undefined);
  }

  #ownBefore(node: GraphNode): number {
    return node.parents.length > 0 ? -Infinity : (this.#before.get(node.topic?.name ?? '') ?? -Infinity);
  }

  /** A source's are the sinks that write its topic. */
  #parentsOf(node: GraphNode): readonly GraphNode[] {
    if (node.parents.length > 0) return node.parents;
    const name = node.topic?.name ?? '';
    return (this.#replay.writers.get(name) ?? []).flatMap(({ stage }) =>
      sinksOf(this.#replay, stage).flatMap((sink) => (sink.topic.name === name ? [sink.node] : [])),
    );
  }
}
