/** Places the topology's nodes in columns from left to right, so that edges cross little and pass between nodes. Pure: no DOM. */
import type { TopologyNow } from '../snapshot.ts';

/** What a node stands for. */
export type NodeKind = 'source' | 'stage' | 'sink';

/** A node with its place; x and y are those of its upper left corner. */
export interface PlacedNode {
  readonly id: string;
  readonly name: string;
  readonly kind: NodeKind;
  readonly tier: string | null;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** An edge as points that it passes, from the right side of a node to the left side of another. */
export interface PlacedEdge {
  readonly from: string;
  readonly to: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** To a sink from far away: drawn only when one asks for it. */
  readonly isFar: boolean;
}

/** Columns of one tier. */
export interface Band {
  readonly title: string;
  readonly tier: string | null;
  readonly x: number;
  readonly width: number;
}

/** The whole graph. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  readonly bands: readonly Band[];
}

const WIDTH = 214;
const HEIGHTS: Readonly<Record<NodeKind, number>> = { source: 54, stage: 112, sink: 66 };
/** Of an edge that passes a column. */
const LANE = 12;
const COLUMN_GAP = 64;
const ROW_GAP = 14;
const TOP = 44;
const MARGIN = 16;
const SWEEPS = 8;

interface Item {
  readonly id: string;
  readonly height: number;
  readonly node: { readonly name: string; readonly kind: NodeKind; readonly tier: string | null } | undefined;
  readonly before: Item[];
  readonly after: Item[];
  column: number;
  y: number;
}

interface Link {
  readonly from: Item;
  readonly to: Item;
}

/** Sources, stages by how far they are from them, sinks. A topic that a stage writes is part of that stage's node. */
export function layoutOf(topology: TopologyNow): Layout {
  const items = new Map<string, Item>();
  const links = linksOf(topology, items);
  const last = placeInColumns(topology, items, links);
  const near = links.filter(({ from, to }) => to.node?.kind !== 'sink' || from.column === last - 1);
  const lanes = new Map<Link, Item[]>(near.map((link) => [link, lanesOf(link)]));
  const all = [...items.values(), ...[...lanes.values()].flat()];
  const columns = Array.from({ length: last + 1 }, (_, column) => all.filter((item) => item.column === column));
  order(columns);
  const height = stack(columns);
  const nodes = [...items.values()].flatMap(({ id, node, column, y, height: own }) =>
    node === undefined ? [] : [{ id, ...node, x: xOf(column), y, width: WIDTH, height: own }],
  );
  const edges = links.map((link): PlacedEdge => {
    const lane = lanes.get(link);
    return { from: link.from.id, to: link.to.id, points: pointsOf(link, lane ?? []), isFar: lane === undefined };
  });
  return { width: xOf(last) + WIDTH + MARGIN, height, nodes, edges, bands: bandsOf(items) };
}

function linksOf(topology: TopologyNow, items: Map<string, Item>): Link[] {
  const put = (id: string, name: string, kind: NodeKind, tier: string | null): Item => {
    const item: Item = {
      id,
      height: HEIGHTS[kind],
      node: { name, kind, tier },
      before: [],
      after: [],
      column: 0,
      y: 0,
    };
    items.set(id, item);
    return item;
  };
  const writers = new Map<string, Item>();
  for (const { topic, tier } of topology.sources) writers.set(topic, put(`source ${topic}`, topic, 'source', tier));
  const readers: { readonly item: Item; readonly reads: readonly string[] }[] = [];
  for (const { name, tier, reads, writes } of topology.stages) {
    const item = put(`stage ${name}`, name, 'stage', tier);
    for (const topic of writes) writers.set(topic, item);
    readers.push({ item, reads });
  }
  for (const { name, reads } of topology.sinks) readers.push({ item: put(`sink ${name}`, name, 'sink', null), reads });
  return readers.flatMap(({ item: to, reads }) => {
    const froms = new Set(reads.map((topic) => writers.get(topic)).filter((from) => from !== undefined));
    return [...froms].filter((from) => from !== to).map((from) => ({ from, to }));
  });
}

/** Each node as far left as what it reads allows, but a tier not before all of the tier below; the last column is that of sinks. */
function placeInColumns(topology: TopologyNow, items: ReadonlyMap<string, Item>, links: readonly Link[]): number {
  const stages = topology.stages.map(({ name }) => items.get(`stage ${name}`)).filter((item) => item !== undefined);
  const settle = (): void => {
    // As many rounds as there are stages: a circle, which a topology has not, would end too.
    for (let round = 0; round < stages.length; round++)
      for (const { from, to } of links) if (to.node?.kind === 'stage') to.column = Math.max(to.column, from.column + 1);
  };
  for (const stage of stages) stage.column = 1;
  settle();
  const silver = stages.filter(({ node }) => node?.tier === 'silver').map(({ column }) => column);
  for (const stage of stages)
    if (stage.node?.tier === 'gold') stage.column = Math.max(stage.column, ...silver.map((column) => column + 1));
  settle();
  const last = Math.max(0, ...stages.map(({ column }) => column)) + 1;
  for (const item of items.values()) if (item.node?.kind === 'sink') item.column = last;
  return last;
}

/** Where an edge passes columns; what it joins knows its neighbours then. */
function lanesOf({ from, to }: Link): Item[] {
  const lanes = Array.from({ length: Math.max(0, to.column - from.column - 1) }, (_, i): Item => {
    const id = `lane ${from.id} ${to.id} ${i}`;
    return { id, height: LANE, node: undefined, before: [], after: [], column: from.column + 1 + i, y: 0 };
  });
  const way = [from, ...lanes, to];
  for (const [i, item] of way.entries()) {
    const next = way[i + 1];
    if (next === undefined) continue;
    item.after.push(next);
    next.before.push(item);
  }
  return lanes;
}

/** Orders each column by the middle of its neighbours, to and fro. */
function order(columns: Item[][]): void {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const column of forth ? columns : columns.toReversed()) {
      const places = new Map<Item, number>();
      for (const each of columns) for (const [i, item] of each.entries()) places.set(item, (i + 0.5) / each.length);
      const middle = (item: Item): number => {
        const neighbours = forth ? item.before : item.after;
        const own = places.get(item) ?? 0;
        if (neighbours.length === 0) return own;
        return neighbours.reduce((sum, each) => sum + (places.get(each) ?? 0), 0) / neighbours.length;
      };
      const middles = new Map(column.map((item) => [item, middle(item)]));
      column.sort((a, b) => (middles.get(a) ?? 0) - (middles.get(b) ?? 0));
    }
  }
}

/** Stacks the columns, the shorter ones in the middle of the highest. Returns the height of all. */
function stack(columns: readonly Item[][]): number {
  const heightOf = (column: readonly Item[]): number =>
    column.reduce((sum, { height }) => sum + height + ROW_GAP, -ROW_GAP);
  const highest = Math.max(0, ...columns.map(heightOf));
  for (const column of columns) {
    let y = TOP + (highest - heightOf(column)) / 2;
    for (const item of column) {
      item.y = Math.round(y);
      y += item.height + ROW_GAP;
    }
  }
  return TOP + highest + MARGIN;
}

function pointsOf({ from, to }: Link, lanes: readonly Item[]): PlacedEdge['points'] {
  const middle = ({ y, height }: Item): number => y + height / 2;
  return [
    { x: xOf(from.column) + WIDTH, y: middle(from) },
    ...lanes.flatMap((lane) => [
      { x: xOf(lane.column), y: middle(lane) },
      { x: xOf(lane.column) + WIDTH, y: middle(lane) },
    ]),
    { x: xOf(to.column), y: middle(to) },
  ];
}

function bandsOf(items: ReadonlyMap<string, Item>): Band[] {
  const titleOf = ({ kind, tier }: NonNullable<Item['node']>): string =>
    kind === 'sink' ? 'sinks' : (tier ?? 'other');
  const nodes = [...items.values()].flatMap(({ node, column }) => (node === undefined ? [] : [{ node, column }]));
  return [...Map.groupBy(nodes, ({ node }) => titleOf(node))].map(([title, of]) => {
    const columns = of.map(({ column }) => column);
    const [first, last] = [Math.min(...columns), Math.max(...columns)];
    const tier = of[0]?.node.kind === 'sink' ? null : (of[0]?.node.tier ?? null);
    return { title, tier, x: xOf(first), width: xOf(last) + WIDTH - xOf(first) };
  });
}

function xOf(column: number): number {
  return MARGIN + column * (WIDTH + COLUMN_GAP);
}

/** An SVG path through the points: straight within a column, bent between columns. */
export function pathOf(points: PlacedEdge['points']): string {
  return points
    .map(({ x, y }, i) => {
      const before = points[i - 1];
      if (before === undefined) return `M${x},${y}`;
      if (before.y === y) return `L${x},${y}`;
      const middle = (before.x + x) / 2;
      return `C${middle},${before.y} ${middle},${y} ${x},${y}`;
    })
    .join('');
}
