/** The page: what comes from the server is put where it belongs. */
import type { PartNow, Snapshot, TopologyNow } from '../snapshot.ts';
import { listen } from './connection.ts';
import { byId, type Cell, html, setAttributes, setRows, setText } from './dom.ts';
import { countText, durationText, plural, rateText, timeText } from './format.ts';
import { GoldCards } from './gold.ts';
import { asideOf, Graph, heldText } from './graph.ts';
import { Tiles } from './tiles.ts';

const CLOCK_MS = 1_000;

const graph = new Graph(byId('graph') as unknown as SVGSVGElement, (id) => {
  chosen = id;
  showDetails();
});
const tiles = new Tiles(byId('tiles'));
const gold = new GoldCards(byId('gold'));

let chosen: string | undefined;
let topology: TopologyNow | undefined;
let last: Snapshot | undefined;
let lastAt = 0;
let isLost = false;

listen('/api/events', {
  onTopology(told) {
    topology = told;
    setText(byId('app'), told.app);
    document.title = `Sluice: ${told.app}`;
    graph.draw(told);
    showDetails();
  },
  onHistory: (points) => tiles.begin(points),
  onSnapshot(snapshot) {
    last = snapshot;
    lastAt = performance.now();
    showParts(snapshot.parts, snapshot.at);
    tiles.show(snapshot);
    graph.show(snapshot);
    showStages(snapshot);
    gold.show(snapshot.gold);
    showAside(snapshot);
    showDetails();
    showLive();
  },
  onState(lost) {
    isLost = lost;
    byId('lost').hidden = !lost;
    document.body.classList.toggle('stale', lost);
    showLive();
  },
});
setInterval(showLive, CLOCK_MS);

function showLive(): void {
  const age = last === undefined ? undefined : performance.now() - lastAt;
  const text = age === undefined ? 'connecting' : isLost ? `lost ${durationText(age)} ago` : 'live';
  setText(byId('live-text'), text);
  byId('live').classList.toggle('on', text === 'live');
}

function showParts(parts: readonly PartNow[], now: number): void {
  const list = byId('parts');
  while (list.children.length > parts.length) list.lastElementChild?.remove();
  for (const [i, { name, state, detail, since }] of parts.entries()) {
    const item = list.children[i] ?? list.appendChild(html('li', {}, html('span', { class: 'dot' }), html('span')));
    const down = state === 'down' ? ` down for ${durationText(now - since)}` : state === 'unknown' ? ' not known' : '';
    const title = detail === null ? `${name} is ${state}` : `${name} is ${state}: ${detail}`;
    setAttributes(item, { class: `part ${state}`, title, 'data-part': name, 'data-state': state });
    const text = item.lastElementChild;
    if (text !== null) setText(text, `${name}${down}`);
  }
}

function showStages({ at, streams, sinks }: Snapshot): void {
  const number = (text: string, isLoud = false): Cell => ({ text, class: isLoud ? 'number loud' : 'number' });
  const stages = (streams?.stages ?? []).map((stage): Cell[] => {
    const { late, dead } = asideOf(streams, stage.name);
    return [
      { text: stage.name },
      number(rateText(stage.inPerSecond)),
      number(rateText(stage.outPerSecond)),
      number(countText(stage.behind)),
      number(durationText(stage.lagMs)),
      { text: timeText(stage.watermark, at), class: 'time' },
      { text: whyHeld(stage.heldBackBy) },
      number(countText(late)),
      number(countText(dead), dead > 0),
    ];
  });
  const targets = sinks.map(({ name, behind, members, problem }): Cell[] => {
    const dead = asideOf(streams, `sink.${name}`).dead;
    const says = problem ?? (members === 0 ? 'no process carries it' : '');
    const none = { text: '' };
    return [
      { text: `→ ${name}` },
      none,
      none,
      number(countText(behind), behind === null),
      none,
      none,
      { text: says, class: 'loud' },
      none,
      number(countText(dead), dead > 0),
    ];
  });
  setRows(byId('stages'), [...stages, ...targets]);
}

function whyHeld(held: NonNullable<Snapshot['streams']>['stages'][number]['heldBackBy']): string {
  if (held === null) return '–';
  const through = held.chain.length === 0 ? '' : `, through ${held.chain.join(', ')}`;
  return `${held.writer ?? 'nobody'} at ${held.topic}-${held.partition} (${held.reason})${through}`;
}

function showAside({ at, streams }: Snapshot): void {
  const rows = (streams?.putAside ?? []).map((one): Cell[] => [
    { text: one.stage },
    { text: one.kind === 'late' ? 'late' : 'dead letter', class: one.kind === 'late' ? 'kind-late' : 'kind-dead' },
    { text: one.reason, class: 'code' },
    { text: countText(one.count), class: 'number' },
    { text: timeText(one.newest, at), class: 'time' },
    { text: `${one.example}: ${one.detail}`, class: 'detail', title: one.detail },
  ]);
  setRows(byId('aside'), rows);
  const isNone = streams !== null && streams.counted && rows.length === 0;
  const note = isNone ? 'None.' : streams?.counted === false ? 'Still counting those that were there before.' : '';
  setText(byId('aside-note'), note);
}

/** What is known of the chosen node. */
function showDetails(): void {
  const pairs = chosen === undefined || topology === undefined ? undefined : detailsOf(chosen, topology, last);
  const root = byId('details');
  if (pairs === undefined) {
    root.replaceChildren(html('p', { class: 'hint' }, 'Choose a node to see where its records come from and go to.'));
    return;
  }
  const text = JSON.stringify(pairs);
  if (root.dataset['shown'] === text && root.querySelector('dl') !== null) return;
  root.dataset['shown'] = text;
  const list = pairs.flatMap(([term, value]) => [html('div', {}, html('dt', {}, term), html('dd', {}, value))]);
  root.replaceChildren(html('dl', {}, ...list));
}

function detailsOf(
  id: string,
  { sources, stages, sinks }: TopologyNow,
  snapshot: Snapshot | undefined,
): (readonly [string, string])[] | undefined {
  const now = snapshot?.at ?? 0;
  const [kind, name] = [id.slice(0, id.indexOf(' ')), id.slice(id.indexOf(' ') + 1)];
  const readers = (topic: string): string =>
    [...stages, ...sinks]
      .filter(({ reads }) => reads.includes(topic))
      .map((one) => one.name)
      .join(', ');
  if (kind === 'source' && sources.some(({ topic }) => topic === name)) {
    const topic = snapshot?.streams?.topics.find((each) => each.name === name);
    return [
      ['Topic', name],
      ['Gets', rateText(topic?.perSecond)],
      ['Newest event', timeText(topic?.newest, now)],
      ['Read by', readers(name)],
    ];
  }
  const sink = sinks.find((each) => kind === 'sink' && each.name === name);
  if (sink !== undefined) {
    const figures = snapshot?.sinks.find((each) => each.name === name);
    return [
      ['Sink', name],
      ['Behind', `${countText(figures?.behind)} offsets`],
      ['Processes', countText(figures?.members)],
      ['Reads', sink.reads.join(', ')],
      ...(figures?.problem ? [['Problem', figures.problem] as const] : []),
    ];
  }
  const stage = stages.find((each) => each.name === name);
  if (stage === undefined) return undefined;
  const figures = snapshot?.streams?.stages.find((each) => each.name === name);
  return [
    ['Stage', name],
    ['Made of', `${plural(stage.tasks, 'task')}, ${plural(stage.stores, 'store')}`],
    ['In, out', `${rateText(figures?.inPerSecond)}, ${rateText(figures?.outPerSecond)}`],
    ['Behind', `${countText(figures?.behind)} offsets, ${durationText(figures?.lagMs)}`],
    ['Watermark', timeText(figures?.watermark, now)],
    ['Held back by', heldText(figures) === '' ? '–' : whyHeld(figures?.heldBackBy ?? null)],
    ['Reads', stage.reads.join(', ')],
    ['Read by', stage.writes.map(readers).join(', ') || 'nobody'],
  ];
}
