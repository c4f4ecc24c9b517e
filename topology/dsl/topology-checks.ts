import { TopologyError } from '../errors.ts';
import { type GraphNode, isTable } from './graph.ts';
import type { TimePolicyName } from '../time/time-policy.ts';
import type { Stage } from './stage.ts';
import type { GlobalTable, SubTopology } from './topology.ts';

/** What can only be seen with all stages in hand. Adds every problem that it finds. */
export function checkTopology(
  {
    stages,
    subs,
    globalTables,
    time,
  }: {
    stages: readonly Stage[];
    subs: readonly SubTopology[];
    globalTables: readonly GlobalTable[];
    time: TimePolicyName;
  },
  problems: TopologyError[],
): void {
  checkNames({ stages, subs, globalTables }, problems);
  for (const table of globalTables) checkGlobalKeys(table, problems);
  checkWriters(subs, problems);
  for (const { nodes } of subs) for (const node of nodes) checkKeyFormat(node, problems);
  if (time === 'stream-time') for (const { nodes } of subs) for (const node of nodes) checkMerge(node, problems);
  // What follows keeps results independent of the order in which records come: stream-time promises no such thing.
  if (time === 'stream-time') return;
  const updates = updatesTopics(subs);
  for (const { nodes } of subs) for (const node of nodes) checkUpdates(node, updates, problems);
  const written = new Set(subs.flatMap(({ sinks }) => sinks.map(({ topic }) => topic.name)));
  for (const { nodes } of subs) {
    for (const node of nodes) {
      checkLogOrder(node, written, problems);
      checkFoldOrder(node, written, problems);
    }
  }
}

function checkNames(
  {
    stages,
    subs,
    globalTables,
  }: { stages: readonly Stage[]; subs: readonly SubTopology[]; globalTables: readonly GlobalTable[] },
  problems: TopologyError[],
): void {
  for (const [name, same] of Map.groupBy(stages, (stage) => stage.name)) {
    if (same.length > 1)
      problems.push(new TopologyError('SLC_TOPOLOGY_NAME', `${same.length} stages are called ${name}`));
  }
  const stores = [
    ...subs.flatMap((sub) => sub.stores.map((store) => ({ store: store.name, stage: sub.stage }))),
    ...globalTables,
  ];
  for (const [name, same] of Map.groupBy(stores, (each) => each.store)) {
    if (same.length === 1) continue;
    const where = [...new Set(same.map((each) => each.stage))].join(', ');
    problems.push(
      new TopologyError('SLC_TOPOLOGY_NAME', `${same.length} stores are called ${name} (${where})`, {
        hint: 'a store is found by its name: give each one of its own',
      }),
    );
  }
}

/** Its rows are found by the key that a join gives, which is text. */
function checkGlobalKeys({ stage, topic, node }: GlobalTable, problems: TopologyError[]): void {
  if (topic.key === 'text') return;
  problems.push(
    new TopologyError(
      'SLC_TOPOLOGY_KEY_FORMAT',
      `${stage}: ${node.name} needs keys as text, but ${topic.name} has its own key format`,
      { hint: 'write it to a topic with text keys, behind a keyBy(), and read that one' },
    ),
  );
}

/** A task promises for a topic as one writer: two tasks of a stage and partition cannot. */
function checkWriters(subs: readonly SubTopology[], problems: TopologyError[]): void {
  const written = subs.flatMap((sub) =>
    [...new Set(sub.sinks.map((sink) => sink.topic.name))].map((topic) => ({ topic, stage: sub.stage })),
  );
  for (const [id, same] of Map.groupBy(written, (each) => `${each.stage} writes ${each.topic}`)) {
    if (same.length === 1) continue;
    problems.push(
      new TopologyError('SLC_TOPOLOGY_WRITERS', `${id} from ${same.length} sub-topologies`, {
        hint: 'merge() the streams before to()',
      }),
    );
  }
}

/** Keys of foreign topics are in a format of their own: only a key that keyBy made is placed as the engine places keys. */
function checkKeyFormat(node: GraphNode, problems: TopologyError[]): void {
  if (node.spec.keyed !== true) return;
  for (const source of sourcesBefore(node)) {
    if (source.topic === undefined || !('key' in source.topic) || source.topic.key === 'text') continue;
    problems.push(
      new TopologyError(
        'SLC_TOPOLOGY_KEY_FORMAT',
        `${node.stage}: ${node.name} needs keys as text, but ${source.topic.name} has its own key format`,
        {
          hint: 'put a keyBy() before it',
        },
      ),
    );
  }
}

/** Records are folded as they come: two sessions that become one have but their accumulators. */
function checkMerge(node: GraphNode, problems: TopologyError[]): void {
  if (node.spec.aggregates !== true || node.spec.merges === true) return;
  if (node.parents[0]?.spec.windows?.kind !== 'session') return;
  problems.push(
    new TopologyError(
      'SLC_STAGE_SESSION_MERGE',
      `${node.stage}: ${node.name} has sessions, but cannot make one accumulator of two`,
      { hint: 'give it { merge: (a, b) => ... }' },
    ),
  );
}

function sourcesBefore(node: GraphNode): GraphNode[] {
  if (node.parents.length === 0) return [node];
  return node.parents.flatMap(sourcesBefore);
}

/** Topics whose records are updates of a table, in whatever stage. */
export function updatesTopics(subs: readonly SubTopology[]): Set<string> {
  const updates = new Set<string>();
  for (let before = -1; before !== updates.size;) {
    before = updates.size;
    for (const { sinks } of subs)
      for (const { node, topic } of sinks) if (hasUpdates(node, updates)) updates.add(topic.name);
  }
  return updates;
}

/** True when what a node gives are updates of a table, of which only the last per key is promised. */
export function hasUpdates(node: GraphNode, updates: ReadonlySet<string>): boolean {
  // A table that lets only finals through promises every row.
  if (isTable(node) && !isRowByRow(node)) return node.spec.kind !== 'suppress' || node.spec.emits !== 'final';
  if (node.spec.windows !== undefined || node.spec.aggregates === true) return false;
  if (node.parents.length === 0) return node.topic !== undefined && updates.has(node.topic.name);
  return node.parents.some((parent) => hasUpdates(parent, updates));
}

/** Gives one change for each change of its table. */
function isRowByRow({ spec }: GraphNode): boolean {
  return spec.table === true && (spec.kind === 'filter' || spec.kind === 'mapValues');
}

/** TIME.md rule 11: updates promise the last value per key only, so nothing that counts records may read them. */
function checkUpdates(node: GraphNode, updates: ReadonlySet<string>, problems: TopologyError[]): void {
  const counts =
    node.spec.windows !== undefined ||
    (node.spec.aggregates === true && node.parents[0]?.spec.windows === undefined) ||
    ['asOfJoin', 'streamJoin', 'sorted', 'dedupe'].includes(node.spec.kind);
  if (!counts) return;
  // A table of updates has the versions that happened to leave before a commit: read as of a time, it would be no function of the log.
  if (!node.parents.some((parent) => hasUpdates(parent, updates))) return;
  problems.push(
    new TopologyError(
      'SLC_TOPOLOGY_UPDATES',
      `${node.stage}: ${node.name} reads the updates of a table, of which only the last value per key is promised`,
      {
        hint: "let the aggregation before it emit 'final'",
      },
    ),
  );
}

/** TIME.md rule 10: only one partition of an origin topic has an order that every run sees. */
function checkLogOrder(node: GraphNode, written: ReadonlySet<string>, problems: TopologyError[]): void {
  const [stream] = node.parents;
  if (node.spec.inLogOrder !== true || stream === undefined || hasOneOrder(stream, written)) return;
  problems.push(
    new TopologyError(
      'SLC_TOPOLOGY_ORDER',
      `${node.stage}: ${node.name} takes the order of its input, but behind a keyBy(), a merge() or another stage each run has another one`,
      { hint: 'put sorted() before it' },
    ),
  );
}

/** The same for a fold that is not commutative and has no window, at whose close it could put its records in order. */
function checkFoldOrder(node: GraphNode, written: ReadonlySet<string>, problems: TopologyError[]): void {
  const [stream] = node.parents;
  const { spec } = node;
  if (spec.ordered !== true || stream === undefined || (spec.aggregates !== true && spec.table !== true)) return;
  if (stream.spec.windows !== undefined || hasOneOrder(stream, written)) return;
  problems.push(
    new TopologyError(
      'SLC_STAGE_ORDER',
      `${node.stage}: ${spec.kind}() without a window folds records in the order in which they happen to come`,
      {
        hint:
          spec.table === true
            ? 'say { commutative: true } when the order of rows does not matter and subtract() undoes add()'
            : 'put windowedBy() or sorted() before it, or say { commutative: true } when the order does not matter',
      },
    ),
  );
}

function hasOneOrder(node: GraphNode, written: ReadonlySet<string>): boolean {
  const { spec, topic } = node;
  if (spec.kind === 'sorted') return true;
  const [parent] = node.parents;
  if (parent !== undefined) return KEEPS_ORDER.has(spec.kind) && hasOneOrder(parent, written);
  return topic !== undefined && 'origin' in topic && topic.origin !== undefined && !written.has(topic.name);
}

/** What passes records on one by one; merges, joins and aggregations do not. */
const KEEPS_ORDER = new Set(['rx', 'keyBy', 'mapValues', 'branch', 'dedupe']);
