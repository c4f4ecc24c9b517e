import type { GraphNode } from './graph.ts';
import type { GlobalTable, SubTopology, Topology } from './topology.ts';

/** The topology as text, one node a line. */
export function describeText({
  subTopologies: subs,
  globalTables,
  time,
  marks,
}: Pick<Topology, 'subTopologies' | 'globalTables' | 'time' | 'marks'>): string {
  const names = new Set([...subs, ...globalTables].map(({ stage }) => stage));
  const ofStages = [...names].map((name) => [name, subs.filter(({ stage }) => stage === name)] as const);
  const stages = ofStages.flatMap(([stage, own]) => [
    `stage ${stage}`,
    ...globalTables.filter((table) => table.stage === stage).flatMap((table) => globalTableLines(table, own)),
    ...own.flatMap((sub) => [
      `  sub-topology ${sub.id} (${sub.partitions} tasks)`,
      ...topicLines('reads', sub.sources),
      ...topicLines('writes', sub.sinks),
      ...sub.stores.map((store) => `    store ${store.name} (${storeText(store)})`),
      ...nodeLines(sub, marks),
    ]),
  ]);
  return [...(time === 'watermark' ? [] : [`time ${time}`]), ...stages].join('\n');
}

function topicLines(verb: string, ends: SubTopology['sources'] | SubTopology['sinks']): string[] {
  const names = new Map(ends.map(({ topic }) => [topic.name, topic.partitions]));
  return [...names].map(([name, partitions]) => `    ${verb} ${name} (${partitions} partitions)`);
}

function storeText({ kind, retentionMs, of }: SubTopology['stores'][number]): string {
  const place = of?.place === undefined ? '' : `, ${of.place === 'memory' ? 'in memory' : 'on disk'}`;
  const kept = retentionMs === undefined ? '' : `, kept ${retentionMs / 1_000} s of event time`;
  return kind + place + kept;
}

function globalTableLines({ store, topic, node }: GlobalTable, subs: readonly SubTopology[]): string[] {
  const joins = subs.flatMap(({ nodes }) => nodes).filter((each) => each.globalTables?.includes(node) === true);
  const to = joins.map(({ name }) => name);
  return [
    '  in every process',
    `    reads ${topic.name} (${topic.partitions} partitions, all of them)`,
    `    ${node.name} (${topic.name}) [store ${store}]${to.length > 0 ? ` -> ${to.join(', ')}` : ''}`,
  ];
}

function nodeLines(sub: SubTopology, marks: ReadonlyMap<GraphNode, string>): string[] {
  return sub.nodes.map((node) => {
    const to = childrenOf(node, sub).map((child) => child.name);
    const detail = node.spec.detail === undefined ? '' : ` (${node.spec.detail})`;
    const store = node.spec.store === undefined ? '' : ` [store ${node.spec.store.name}]`;
    const guard = node.keyGuard === true ? ' {key checked}' : '';
    const reason = marks.get(node);
    const mark = reason === undefined ? '' : ` {no function of the log: ${reason}}`;
    return `    ${node.name}${detail}${store}${guard}${mark}${to.length > 0 ? ` -> ${to.join(', ')}` : ''}`;
  });
}

function childrenOf(node: GraphNode, sub: SubTopology): GraphNode[] {
  return sub.nodes.filter((each) => each.parents.includes(node));
}

/** Topics and stages as a Mermaid flowchart. */
export function toMermaid({
  subTopologies: subs,
  globalTables,
}: Pick<Topology, 'subTopologies' | 'globalTables'>): string {
  const ids = new Map<string, string>();
  const lines: string[] = [];
  const idOf = (name: string, open: string, close: string): string => {
    const known = ids.get(name);
    if (known !== undefined) return known;
    const id = `n${ids.size}`;
    ids.set(name, id);
    lines.push(`  ${id}${open}"${name}"${close}`);
    return id;
  };
  for (const sub of subs) {
    const task = idOf(`${sub.stage} #${sub.id}`, '[', ']');
    for (const { topic } of sub.sources) lines.push(`  ${idOf(topic.name, '([', '])')} --> ${task}`);
    for (const { topic } of sub.sinks) lines.push(`  ${task} --> ${idOf(topic.name, '([', '])')}`);
    for (const { name } of sub.stores) lines.push(`  ${task} -.- ${idOf(name, '[(', ')]')}`);
  }
  for (const { store, topic, node } of globalTables) {
    const table = idOf(store, '[(', ')]');
    lines.push(`  ${idOf(topic.name, '([', '])')} --> ${table}`);
    for (const sub of subs.filter(({ nodes }) => nodes.some((each) => each.globalTables?.includes(node) === true))) {
      lines.push(`  ${table} --> ${idOf(`${sub.stage} #${sub.id}`, '[', ']')}`);
    }
  }
  return ['flowchart LR', ...lines].join('\n');
}
