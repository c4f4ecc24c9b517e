/** What random-topology.ts and stream-topology.ts leave out: dedupe behind sorted, topN with ties, last values, three chained stages; and their definition. */
import {
  aggregate,
  dedupe,
  keyBy,
  type KStream,
  mapValues,
  type Pin,
  sorted,
  stage,
  toTable,
  type Topic,
  topN,
  tumbling,
  windowedBy,
  type WindowKey,
} from '#topology';
import { derived } from '../dsl/support.ts';
import { clocked, type Event, events, type Fed, type Logged, PARTITIONS } from '../runtime/random-topology.ts';
import type { Row } from '../runtime/stream-topology.ts';
import type { Expectation, Scenario } from './scenario.ts';

const UNIQUE = { grace: 4, within: 8 } as const;
const BEST = { size: 20, grace: 3, n: 2 } as const;
const CHAIN = [
  { size: 12, grace: 3 },
  { size: 30, grace: 0 },
  { size: 50, grace: 0 },
] as const;

const ms = (n: number): `${number}ms` => `${n}ms`;
const rowTopic = (name: string): Topic<string, Row> => derived<Row>(name, PARTITIONS);
const outputs = {
  unique: rowTopic('unique'),
  best: rowTopic('best'),
  last: rowTopic('last'),
  chain1: rowTopic('chain-1'),
  chain2: rowTopic('chain-2'),
  chain3: rowTopic('chain-3'),
} as const;
const byKey = keyBy<string, Event, string>((r) => r.value.key);

function named(windows: KStream<WindowKey<string>, string>): KStream<string, Row> {
  return windows.pipe(
    mapValues((value, { key, start }) => ({ key, text: `${start}=${value}` })),
    keyBy((r) => `${r.key.key}@${r.key.start}`),
  );
}

const unique = stage('unique', (s) => {
  s.stream(events)
    .pipe(
      byKey,
      sorted({ grace: ms(UNIQUE.grace), store: 'in-order' }),
      dedupe({ by: (r) => r.value.n, within: ms(UNIQUE.within), store: 'seen' }),
      mapValues(({ id, key }) => ({ key, text: id })),
    )
    .to(outputs.unique);
});

const best = stage('best', (s) => {
  const windows = tumbling({ size: ms(BEST.size), grace: ms(BEST.grace) });
  named(
    s.stream(events).pipe(
      byKey,
      windowedBy(windows),
      // Three scores for all records: most of them tie.
      topN(BEST.n, ({ n }) => n % 3, { store: 'best', tie: ({ n }) => n % 2 }),
      mapValues((list) => list.map(({ id }) => id).join('+')),
    ),
  ).to(outputs.best);
});

const last = stage('last', (s) => {
  const table = s.stream(events).pipe(byKey, toTable({ store: 'last' }));
  table
    .toStream()
    .pipe(mapValues(({ id, key }) => ({ key, text: id })))
    .to(outputs.last);
});

const concat = (all: string, value: { readonly id?: string; readonly text?: string }): string =>
  `${all}+${value.id ?? value.text}`;
const windows = CHAIN.map(({ size, grace }) => tumbling({ size: ms(size), grace: ms(grace) }));
const [first, second, third] = windows as [(typeof windows)[0], (typeof windows)[0], (typeof windows)[0]];

const chain1 = stage('chain-1', (s) => {
  named(
    s.stream(events).pipe(
      byKey,
      windowedBy(first),
      aggregate(() => '', concat, { store: 'chain-1' }),
    ),
  ).to(outputs.chain1);
});
const chain2 = stage('chain-2', (s) => {
  const rows = s.stream(outputs.chain1).pipe(keyBy((r) => pairOf(r.value.key)));
  named(
    rows.pipe(
      windowedBy(second),
      aggregate(() => '', concat, { store: 'chain-2' }),
    ),
  ).to(outputs.chain2);
});
const chain3 = stage('chain-3', (s) => {
  const rows = s.stream(outputs.chain2).pipe(keyBy(() => 'all'));
  named(
    rows.pipe(
      windowedBy(third),
      aggregate(() => '', concat, { store: 'chain-3' }),
    ),
  ).to(outputs.chain3);
});

/** Two of the four keys each. */
const pairOf = (key: string): string => (key < 'k2' ? 'low' : 'high');

type Timed = Logged<Event> & { readonly ow: number };
/** A record of a chain. */
interface Link {
  readonly key: string;
  readonly ts: number;
  readonly ow: number;
  readonly text: string;
  readonly order: readonly (number | string)[];
}

const inOrder = (a: Timed, b: Timed): number =>
  a.timestamp - b.timestamp || a.partition - b.partition || Number(a.offset - b.offset);

function compare(a: Link, b: Link): number {
  for (const [i, one] of a.order.entries()) {
    const other = b.order[i] ?? 0;
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

interface Pane {
  readonly key: string;
  readonly start: number;
  readonly items: Link[];
}

function panes(
  links: readonly Link[],
  { size, grace }: { readonly size: number; readonly grace: number },
  M: number,
): { readonly closed: Pane[]; readonly late: string[] } {
  const open = new Map<string, Pane>();
  const late: string[] = [];
  for (const link of links) {
    const start = Math.floor(link.ts / size) * size;
    const id = `${link.key}@${start}`;
    if (link.ow >= start + size + grace) {
      late.push(`${id} ${link.ts}`);
      continue;
    }
    const pane = open.get(id) ?? { key: link.key, start, items: [] };
    open.set(id, pane);
    pane.items.push(link);
  }
  const closed = [...open.values()].filter(({ start }) => M >= start + size + grace);
  for (const { items } of closed) items.sort(compare);
  return { closed, late };
}

const rowOf = ({ key, start }: Pane, text: string): string => `${key} ${start}=${text}`;
const joined = ({ items }: Pane): string => items.map(({ text }) => `+${text}`).join('');

/** A closed window as the record that the next stage reads. */
const linkOf = (pane: Pane, size: number, keyOf: (key: string) => string): Link => {
  const end = pane.start + size;
  const order = [end - 1, pane.start, pane.key];
  return { key: keyOf(pane.key), ts: end - 1, ow: end - 1, text: `${pane.start}=${joined(pane)}`, order };
};

function chainOf(links: readonly Link[], M: number, into: Expectation): void {
  const keys = [pairOf, () => 'all', () => ''];
  let input = links;
  let watermark = M;
  for (const [i, window] of CHAIN.entries()) {
    const { closed, late } = panes(input, window, watermark);
    into.rows[`chain-${i + 1}`] = closed.map((pane) => rowOf(pane, joined(pane)));
    into.late[`chain-${i + 1}`] = late;
    input = closed.map((pane) => linkOf(pane, window.size, keys[i] ?? String));
    // What a stage promises is held back by its grace.
    watermark -= window.grace;
  }
}

function uniqueOf(input: readonly Timed[], M: number): string[] {
  const kept = new Map<string, number[]>();
  return input
    .filter((r) => r.ow <= r.timestamp + UNIQUE.grace && M > r.timestamp + UNIQUE.grace)
    .sort(inOrder)
    .filter(({ value: { key, n }, timestamp }) => {
      const times = kept.get(`${key}/${n}`) ?? [];
      if (times.some((time) => Math.abs(time - timestamp) <= UNIQUE.within)) return false;
      kept.set(`${key}/${n}`, [...times, timestamp]);
      return true;
    })
    .map(({ value: { id, key } }) => `${key} ${id}`);
}

/** topN by its words: the larger score, then the smaller tie, then the smaller content. */
function bestOf({ items }: { readonly items: readonly Link[] }, by: ReadonlyMap<string, Event>): string {
  const values = items.flatMap(({ text }) => by.get(text) ?? []);
  const sorts = (a: Event, b: Event): number =>
    (b.n % 3) - (a.n % 3) || (a.n % 2) - (b.n % 2) || (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return values
    .sort(sorts)
    .slice(0, BEST.n)
    .map(({ id }) => id)
    .join('+');
}

function expect(fed: Fed, pins: readonly Pin[]): Expectation {
  const clocks = Array.from({ length: PARTITIONS }, (_, p) => clocked(events.name, p, fed.events, pins));
  const input = clocks.flatMap(({ records }) => records);
  const M = Math.min(...clocks.map(({ end }) => end));
  const into: Expectation = { rows: {}, late: {} };
  const links = input.map(({ value, timestamp: ts, ow, partition, offset }): Link => {
    return { key: value.key, ts, ow, text: value.id, order: [ts, partition, Number(offset)] };
  });
  chainOf(links, M, into);
  into.rows['unique'] = uniqueOf(input, M);
  into.late['unique'] = input
    .filter((r) => r.ow > r.timestamp + UNIQUE.grace)
    .map((r) => `${r.value.key} ${r.timestamp}`);
  const byId = new Map(input.map(({ value }) => [value.id, value]));
  const top = panes(links, BEST, M);
  into.rows['best'] = top.closed.map((pane) => rowOf(pane, bestOf(pane, byId)));
  into.late['best'] = top.late;
  const newest = new Map(input.toSorted(inOrder).map(({ value }) => [value.key, value.id]));
  into.rows['last'] = [...newest].map(([key, id]) => `${key} ${id}`);
  into.late['last'] = [];
  for (const list of [...Object.values(into.rows), ...Object.values(into.late)]) list.sort();
  return into;
}

export const ranked: Scenario = {
  name: 'ranked',
  stages: [unique, best, last, chain1, chain2, chain3],
  outputs: Object.values(outputs),
  updated: new Set(['last']),
  expect,
  textOf: ({ value }) => `${(value as Row).key} ${(value as Row).text}`,
};
