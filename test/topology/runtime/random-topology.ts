/** Stages that use every operator, and random input for them: small numbers, so that records often lie exactly at an edge. Times in ms. */
import { mergeMap } from 'rxjs';
import {
  aggregate,
  asOfJoin,
  count,
  hopping,
  keyBy,
  type KStream,
  mapValues,
  partitionFor,
  type Pin,
  type Stage,
  stage,
  sum,
  type Topic,
  tumbling,
  windowedBy,
} from '#topology';
import { random, type Random, type TopologyTestDriver } from '#topology/testing';
import { derived, origin } from '../dsl/support.ts';

export interface Event {
  readonly id: string;
  readonly key: string;
  readonly n: number;
}
export interface Rated extends Event {
  readonly rate: number | null;
}
export interface Named<V> {
  readonly key: string;
  readonly start: number;
  readonly value: V;
}

export const PARTITIONS = 3;
export const OUT_OF_ORDERNESS = 5;
/** Windows and graces, for the reference. */
export const HOPS = { size: 20, advance: 5, grace: 3 } as const;
export const ALL = { size: 60, grace: 0 } as const;
export const LISTS = { size: 30, grace: 1 } as const;
export const UPDATES = { size: 25, grace: 2 } as const;
export const JOIN = { grace: 4, tableGrace: 6 } as const;
export const RATED = { size: 40, grace: 1 } as const;

export const events = origin<Event>('events', PARTITIONS, {}, `${OUT_OF_ORDERNESS}ms`);
export const rates = origin<number | null>('rates', PARTITIONS, {}, `${OUT_OF_ORDERNESS}ms`);
export const outputs = {
  hops: derived<Named<number>>('hops', PARTITIONS),
  all: derived<Named<string[]>>('all', PARTITIONS),
  lists: derived<Named<string[]>>('lists', PARTITIONS),
  updates: derived<Named<number>>('updates', PARTITIONS),
  totals: derived<number>('totals', PARTITIONS),
  rates: derived<number>('clean-rates', PARTITIONS),
  joined: derived<Rated>('joined', PARTITIONS),
  chained: derived<Rated>('chained', PARTITIONS),
  rated: derived<Named<number>>('rated', PARTITIONS),
} as const;

/** Both copies of each event have its coordinate: merging must tell them apart. */
const twice = (stream: KStream<string, Event>): KStream<string, Event> => {
  const copy = (name: string): KStream<string, Event> =>
    stream.pipe(mapValues((event) => ({ ...event, id: `${event.id}${name}` })));
  return copy('A').merge(copy('B'));
};

const hops = stage('hops', (s) => {
  s.stream(events)
    .pipe(
      keyBy((r) => r.value.key),
      windowedBy(hopping({ size: `${HOPS.size}ms`, advance: `${HOPS.advance}ms`, grace: `${HOPS.grace}ms` })),
      sum((event) => event.n, { store: 'hops' }),
      mapValues((value, { key, start }) => ({ key, start, value })),
      keyBy((r) => `${r.value.key}@${r.value.start}`),
    )
    .to(outputs.hops);
});

const all = stage('all', (s) => {
  s.stream(outputs.hops)
    .pipe(
      keyBy(() => 'all'),
      windowedBy(tumbling({ size: `${ALL.size}ms`, grace: `${ALL.grace}ms` })),
      aggregate(
        (): string[] => [],
        (list, { key, start, value }) => [...list, `${key}@${start}=${value}`],
        { store: 'all' },
      ),
      mapValues((value, { key, start }) => ({ key, start, value })),
      keyBy((r) => `${r.value.start}`),
    )
    .to(outputs.all);
});

const lists = stage('lists', (s) => {
  twice(s.stream(events))
    .pipe(
      mergeMap((r) => Array.from({ length: r.value.n % 3 }, (_, i) => ({ ...r, value: { ...r.value, n: i } }))),
      keyBy((r) => r.value.key),
      windowedBy(tumbling({ size: `${LISTS.size}ms`, grace: `${LISTS.grace}ms` })),
      aggregate(
        (): string[] => [],
        (list, { id, n }) => [...list, `${id}${n}`],
        { store: 'lists' },
      ),
      mapValues((value, { key, start }) => ({ key, start, value })),
      keyBy((r) => `${r.value.key}@${r.value.start}`),
    )
    .to(outputs.lists);
});

const updates = stage('updates', (s) => {
  s.stream(events)
    .pipe(
      keyBy((r) => r.value.key),
      windowedBy(tumbling({ size: `${UPDATES.size}ms`, grace: `${UPDATES.grace}ms` })),
      count({ store: 'updates', emit: 'updates' }),
    )
    .toStream()
    .pipe(
      mapValues((value, { key, start }) => ({ key, start, value })),
      keyBy((r) => `${r.value.key}@${r.value.start}`),
    )
    .to(outputs.updates);
});

const totals = stage('totals', (s) => {
  s.stream(events)
    .pipe(
      keyBy((r) => r.value.key),
      sum((event) => event.n, { store: 'totals' }),
    )
    .toStream()
    .to(outputs.totals);
});

const cleanRates = stage('clean-rates', (s) => {
  s.stream(rates)
    .pipe(mapValues((rate) => rate))
    .to(outputs.rates);
});

const GRACE = { grace: `${JOIN.grace}ms`, tableGrace: `${JOIN.tableGrace}ms` } as const;

const joined = stage('joined', (s) => {
  const table = s.table(rates, { store: 'rates' });
  twice(s.stream(events))
    .pipe(
      keyBy((r) => r.value.key, { name: 'events-by-key' }),
      asOfJoin(table, (event, rate) => ({ ...event, rate }), { ...GRACE, store: 'awaiting', join: 'left' }),
    )
    .to(outputs.joined);
});

const chained = stage('chained', (s) => {
  const table = s.table(outputs.rates, { store: 'chained-rates' });
  s.stream(outputs.joined)
    .pipe(
      asOfJoin(table, (event, rate) => ({ ...event, rate }), { ...GRACE, store: 'chained-awaiting', join: 'inner' }),
    )
    .to(outputs.chained);
});

const rated = stage('rated', (s) => {
  s.stream(outputs.joined)
    .pipe(
      keyBy((r) => `${r.value.rate}`),
      windowedBy(tumbling({ size: `${RATED.size}ms`, grace: `${RATED.grace}ms` })),
      sum((event) => event.n, { store: 'rated' }),
      mapValues((value, { key, start }) => ({ key, start, value })),
      keyBy((r) => `${r.value.key}@${r.value.start}`),
    )
    .to(outputs.rated);
});

export const stages: readonly Stage[] = [hops, all, lists, updates, totals, cleanRates, joined, chained, rated];

/** A record as it lies in the log. */
export interface Logged<V> {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: string;
  readonly value: V;
}
export interface Fed {
  readonly events: Logged<Event>[];
  readonly rates: Logged<number | null>[];
}

/** Whom the random steps concern besides the log. */
export interface Feeding {
  readonly records: number;
  /** Hints in mid-run: what they pin depends on the schedule. */
  readonly hints: boolean;
  /** Called between records: runs, commits, crashes. */
  readonly between: (driver: TopologyTestDriver, random: Random) => Promise<void>;
}

/** Writes random records, out of order and late, while the driver runs; then says that all is there, and lets it come to rest. */
export async function feed(driver: TopologyTestDriver, seed: number, feeding: Feeding): Promise<Fed> {
  const g = random(seed);
  const order = random(seed + 1);
  const fed: Fed = { events: [], rates: [] };
  let now = 100;
  const put = async <V>(topic: Topic<string, V>, to: Logged<V>[], key: string, value: V, partition: number | null) => {
    const behind = g.chance(0.4) ? g.int(0, 2 * OUT_OF_ORDERNESS) : g.chance(0.1) ? g.int(0, 60) : 0;
    const at = partition ?? partitionFor(Buffer.from(key), PARTITIONS);
    const timestamp = now - behind;
    if (g.chance(0.1)) driver.skipTo(topic, at, (to.findLast((r) => r.partition === at)?.offset ?? 0n) + 3n);
    const offset = await driver.pipeInput(topic, { key, value, timestamp, partition: at });
    to.push({ partition: at, offset, timestamp, key, value });
  };
  for (let id = 0; id < feeding.records; id++) {
    now += g.chance(0.1) ? g.int(0, 40) : g.int(0, 4);
    const key = `k${g.int(0, 3)}`;
    if (g.chance(0.3)) await put(rates, fed.rates, key, g.chance(0.15) ? null : g.int(0, 3), null);
    else await put(events, fed.events, `e${id}`, { id: `e${id}`, key, n: g.int(0, 5) }, g.int(0, PARTITIONS - 1));
    const hint = [g.chance(0.1), g.chance(0.5), now + g.int(-10, 6)] as const;
    if (feeding.hints && hint[0]) {
      if (hint[1]) driver.completeUpTo(events, hint[2]);
      else driver.completeUpTo(rates, hint[2]);
    }
    await feeding.between(driver, order);
  }
  const end = now + g.int(0, 80);
  driver.completeUpTo(events, end);
  driver.completeUpTo(rates, end - (g.chance(0.5) ? g.int(0, 60) : 0));
  await driver.run();
  return fed;
}

/** Writes the same log again, all at once. */
export async function refill(driver: TopologyTestDriver, fed: Fed): Promise<void> {
  const fill = async <V>(topic: Topic<string, V>, records: readonly Logged<V>[]) => {
    for (const { partition, offset, timestamp, key, value } of records) {
      driver.skipTo(topic, partition, offset);
      await driver.pipeInput(topic, { key, value, timestamp, partition });
    }
  };
  await fill(events, fed.events);
  await fill(rates, fed.rates);
}

/** The clock of a partition at each of its records, and at its end: by the definition. */
export function clocked<V>(
  topic: string,
  partition: number,
  records: readonly Logged<V>[],
  pins: readonly Pin[],
): { readonly records: (Logged<V> & { readonly ow: number })[]; readonly end: number } {
  const own = records.filter((record) => record.partition === partition);
  const said = pins.filter((pin) => pin.topic === topic && pin.partition === partition);
  const at = (offset: bigint): number =>
    Math.max(
      -Infinity,
      ...own.filter((r) => r.offset <= offset).map((r) => r.timestamp - OUT_OF_ORDERNESS),
      ...said.filter((pin) => pin.at <= offset).map((pin) => pin.m),
    );
  return { records: own.map((r) => ({ ...r, ow: at(r.offset) })), end: at(2n ** 62n) };
}
