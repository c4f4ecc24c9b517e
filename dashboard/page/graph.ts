/** The topology as a picture: nodes with figures that move, edges that flow while something does. */
import type { Snapshot, StageNow, TopologyNow } from '../snapshot.ts';
import { sparkPaths } from './spark.ts';
import { setAttributes, setText, svg } from './dom.ts';
import { countText, durationText, plural, rateText, shortName, shortText, timeText } from './format.ts';
import { type Layout, layoutOf, pathOf, type PlacedEdge, type PlacedNode } from './layout.ts';

/** A lag beyond this is worth a colour, ms: windows and joins wait for minutes by design. */
const LAG_MS = 15 * 60_000;
const POINTS = 60;
const NAME_LENGTH = 27;
/** A longer name takes smaller letters. */
const LONG_NAME = 19;
const SPARK = { width: 84, height: 30 } as const;
const SMALL_SPARK = { width: 64, height: 20 } as const;

interface DrawnNode {
  readonly placed: PlacedNode;
  readonly group: SVGGElement;
  readonly texts: ReadonlyMap<string, SVGTextElement>;
  readonly line: SVGPathElement | undefined;
  readonly area: SVGPathElement | undefined;
  readonly past: (number | null)[];
}

/** What a node shows of a snapshot. */
interface NodeFigures {
  readonly state: 'ok' | 'behind' | 'down' | 'unknown';
  readonly rate: number | null;
  readonly texts: Readonly<Record<string, string>>;
  /** The node as a sentence. */
  readonly sentence: string;
}

/** Draws into an SVG element of the page. */
export class Graph {
  readonly #root: SVGSVGElement;
  readonly #onChoice: (id: string | undefined) => void;
  #layout: Layout | undefined;
  #nodes: DrawnNode[] = [];
  #edges: { readonly placed: PlacedEdge; readonly path: SVGPathElement }[] = [];
  #chosen: string | undefined;
  #shownAt = 0;

  /** `onChoice`: a node was chosen, by mouse or keyboard. */
  constructor(root: SVGSVGElement, onChoice: (id: string | undefined) => void) {
    this.#root = root;
    this.#onChoice = onChoice;
  }

  /** A topology, drawn anew: after a reconnect it may be another. */
  draw(topology: TopologyNow): void {
    const layout = layoutOf(topology);
    if (JSON.stringify(layout) === JSON.stringify(this.#layout)) return;
    this.#layout = layout;
    this.#chosen = undefined;
    const { width, height, bands, edges, nodes } = layout;
    setAttributes(this.#root, { viewBox: `0 0 ${width} ${height}`, width, height });
    this.#edges = edges.map((placed) => ({ placed, path: svg('path', { class: 'edge', d: pathOf(placed.points) }) }));
    this.#nodes = nodes.map((placed) => this.#node(placed));
    this.#root.replaceChildren(
      ...bands.map(({ title, tier, x, width: wide }) =>
        svg(
          'g',
          { class: `band tier-${tier ?? 'none'}` },
          svg('rect', { x: x - 12, y: 4, width: wide + 24, height: height - 8, rx: 12 }),
          svg('text', { x, y: 25 }, title.toUpperCase()),
        ),
      ),
      ...this.#edges.map(({ path }) => path),
      ...this.#nodes.map(({ group }) => group),
    );
    this.#light(undefined);
  }

  /** New figures; the nodes stay. */
  show(snapshot: Snapshot): void {
    const rates = new Map<string, number | null>();
    // Other parts answer in between: rates are as they were then.
    const isNew = snapshot.history.at > this.#shownAt;
    this.#shownAt = snapshot.history.at;
    for (const { placed, group, texts, line, area, past } of this.#nodes) {
      const { state, rate, texts: words, sentence } = figuresOf(placed, snapshot);
      rates.set(placed.id, rate);
      for (const [name, element] of texts) setText(element, words[name] ?? '');
      setAttributes(group, { 'aria-label': sentence, 'data-state': state });
      if (isNew) past.push(rate);
      if (past.length > POINTS) past.shift();
      const { width, height } = sparkOf(placed);
      const { line: d, area: filled } = sparkPaths(past, width, height, POINTS);
      if (line !== undefined) setAttributes(line, { d });
      if (area !== undefined) setAttributes(area, { d: filled });
    }
    for (const { placed, path } of this.#edges) {
      const flows = (rates.get(placed.from) ?? 0) > 0;
      path.classList.toggle('flows', flows);
    }
  }

  #node(placed: PlacedNode): DrawnNode {
    const { id, name, kind, tier, x, y, width, height } = placed;
    const texts = new Map<string, SVGTextElement>();
    const text = (key: string, attributes: Record<string, string | number>): SVGTextElement => {
      const element = svg('text', attributes);
      texts.set(key, element);
      return element;
    };
    const short = shortName(name);
    const title = short.length > NAME_LENGTH ? `${short.slice(0, NAME_LENGTH - 1)}…` : short;
    const group = svg(
      'g',
      {
        class: `node ${kind} tier-${tier ?? 'none'}`,
        transform: `translate(${x} ${y})`,
        tabindex: 0,
        role: 'button',
        'aria-pressed': 'false',
        'data-node': id,
      },
      svg('title', {}, name),
      svg('rect', { class: 'box', width, height, rx: 9 }),
      svg('rect', { class: 'tier', x: 0, y: 10, width: 3, height: height - 20, rx: 1.5 }),
      svg('circle', { class: 'state', cx: width - 15, cy: 20, r: 4 }),
      svg('text', { class: short.length > LONG_NAME ? 'name long' : 'name', x: 14, y: 24 }, title),
    );
    const isStage = kind === 'stage';
    group.append(text('rate', { class: isStage ? 'rate large' : 'rate', x: 14, y: isStage ? 53 : 42 }));
    let line: SVGPathElement | undefined;
    let area: SVGPathElement | undefined;
    if (kind !== 'sink') {
      const size = sparkOf(placed);
      line = svg('path', { class: 'line' });
      area = svg('path', { class: 'area' });
      const place = `translate(${width - size.width - 14} ${isStage ? 32 : 28})`;
      group.append(svg('g', { class: 'spark', transform: place, 'aria-hidden': 'true' }, area, line));
    }
    if (isStage) {
      group.append(
        svg('line', { class: 'rule', x1: 14, x2: width - 14, y1: 68, y2: 68 }),
        text('lag', { class: 'small', x: 14, y: 84 }),
        text('watermark', { class: 'small', x: width - 14, y: 84, 'text-anchor': 'end' }),
        text('held', { class: 'small held', x: 14, y: 101 }),
        text('aside', { class: 'small aside', x: width - 14, y: 101, 'text-anchor': 'end' }),
      );
    }
    if (kind === 'source') group.append(text('aside', { class: 'small aside', x: 66, y: 42 }));
    if (kind === 'sink') group.append(text('behind', { class: 'small', x: 14, y: 57 }));
    group.addEventListener('click', () => this.#choose(id));
    group.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      this.#choose(id);
    });
    group.addEventListener('mouseenter', () => this.#light(id));
    group.addEventListener('mouseleave', () => this.#light(this.#chosen));
    group.addEventListener('focus', () => this.#light(id));
    group.addEventListener('blur', () => this.#light(this.#chosen));
    return { placed, group, texts, line, area, past: [] };
  }

  #choose(id: string): void {
    this.#chosen = this.#chosen === id ? undefined : id;
    for (const { placed, group } of this.#nodes) group.setAttribute('aria-pressed', String(placed.id === this.#chosen));
    this.#light(this.#chosen);
    this.#onChoice(this.#chosen);
  }

  /** What comes from a node, and what it comes from, stands out; edges from far away are seen then only. */
  #light(id: string | undefined): void {
    const lit =
      id === undefined
        ? undefined
        : reachOf(
            id,
            this.#edges.map(({ placed }) => placed),
          );
    this.#root.classList.toggle('lit', lit !== undefined);
    for (const { placed, group } of this.#nodes) group.classList.toggle('on', lit?.has(placed.id) === true);
    for (const { placed, path } of this.#edges) {
      const touches = placed.from === id || placed.to === id;
      const on = placed.isFar ? touches : lit?.has(placed.from) === true && lit.has(placed.to);
      path.classList.toggle('on', on);
      path.classList.toggle('far', placed.isFar);
    }
  }
}

const sparkOf = ({ kind }: PlacedNode): typeof SPARK | typeof SMALL_SPARK => (kind === 'stage' ? SPARK : SMALL_SPARK);

/** All that a node's records come from or go to. */
function reachOf(id: string, edges: readonly PlacedEdge[]): Set<string> {
  const reach = new Set<string>([id]);
  const walk = (from: string, next: (edge: PlacedEdge, at: string) => string | undefined): void => {
    const open = [from];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const edge of edges) {
        const to = next(edge, at);
        if (to === undefined || reach.has(to)) continue;
        reach.add(to);
        open.push(to);
      }
    }
  };
  walk(id, (edge, at) => (edge.to === at ? edge.from : undefined));
  walk(id, (edge, at) => (edge.from === at ? edge.to : undefined));
  return reach;
}

function figuresOf({ name, kind }: PlacedNode, { at, parts, streams, sinks }: Snapshot): NodeFigures {
  const isKnown = parts.some((part) => part.name === 'Kafka' && part.state === 'up');
  if (kind === 'sink') {
    const sink = sinks.find((each) => each.name === name);
    const wrong = sink?.problem !== undefined && sink.problem !== null;
    const isRun = (sink?.members ?? 0) > 0;
    const behind = sink?.behind ?? null;
    const state = sink === undefined || !isKnown ? 'unknown' : wrong || !isRun ? 'down' : 'ok';
    const says = wrong ? 'does not answer' : isRun || sink === undefined ? 'caught up' : 'not running';
    const rate = behind === null || behind === 0 ? says : `${countText(behind)} behind`;
    const texts = { rate, behind: sink === undefined ? '' : plural(sink.members, 'process', 'processes') };
    return { state, rate: null, texts, sentence: `sink ${name}: ${rate}` };
  }
  if (kind === 'source') {
    const topic = streams?.topics.find((each) => each.name === name);
    const rate = topic?.perSecond ?? null;
    const state = !isKnown || topic === undefined ? 'unknown' : 'ok';
    // Of the collector: what it refused for this topic.
    const { dead } = asideOf(streams, name);
    const aside = dead > 0 ? `${shortText(dead)} dead` : '';
    const sentence = `topic ${name}: ${rateText(rate)}, ${dead} dead letters`;
    return { state, rate, texts: { rate: rateText(rate), aside }, sentence };
  }
  const stage = streams?.stages.find((each) => each.name === name);
  const aside = asideOf(streams, name);
  const rate = stage?.outPerSecond ?? null;
  const lag = stage?.lagMs ?? null;
  const isRun = streams?.workers === null || (streams?.workers?.members ?? 0) > 0;
  const state = stage === undefined || !isKnown ? 'unknown' : !isRun ? 'down' : (lag ?? 0) > LAG_MS ? 'behind' : 'ok';
  const held = heldText(stage);
  const texts = {
    rate: rateText(rate),
    lag: `lag ${durationText(lag)}`,
    watermark: timeText(stage?.watermark, at),
    held: held === '' ? '' : `◂ ${held}`,
    aside: [
      aside.late > 0 ? `${shortText(aside.late)} late` : '',
      aside.dead > 0 ? `${shortText(aside.dead)} dead` : '',
    ]
      .filter((text) => text !== '')
      .join(' · '),
  };
  const sentence =
    `stage ${name}: writes ${rateText(rate)}, lag ${durationText(lag)}, watermark ${timeText(stage?.watermark, at)}, ` +
    `held back by ${held || 'nobody'}, ${aside.late} late, ${aside.dead} dead letters`;
  return { state, rate, texts, sentence };
}

/** Late records and dead letters of a stage. */
export function asideOf(streams: Snapshot['streams'], stage: string): { readonly late: number; readonly dead: number } {
  const sum = (kind: 'late' | 'dead'): number =>
    (streams?.putAside ?? []).reduce(
      (all, one) => (one.kind === kind && one.stage === stage ? all + one.count : all),
      0,
    );
  return { late: sum('late'), dead: sum('dead') };
}

/** Who holds a stage back, in short. */
export function heldText(stage: StageNow | undefined): string {
  const held = stage?.heldBackBy;
  if (held === undefined || held === null) return '';
  return shortName(held.writer ?? held.topic);
}
