/** Stages over tables, random changes for them, and what must come out: a function of the last row per key. Times in ms. */
import { cogroup, keyBy, type KTable, partitionFor, type Stage, stage, sum, toTable, type Topic } from '#topology';
import { random, type Random, type TopologyTestDriver } from '#topology/testing';
import { derived, origin } from '../dsl/support.ts';

export const PARTITIONS = 3;

export interface Order {
  readonly id: string;
  readonly item: string | null;
  readonly n: number;
}
export interface Item {
  readonly name: string;
}

export const orders = origin<Order | null>('orders', PARTITIONS, {}, '5ms');
export const items = origin<Item | null>('items', PARTITIONS, {}, '5ms');
export const moves = origin<Order>('moves', PARTITIONS, {}, '5ms');

export const outputs = {
  counts: derived<number>('counts', PARTITIONS),
  sums: derived<number>('sums', PARTITIONS),
  most: derived<number>('most', PARTITIONS),
  inner: derived<string>('inner', PARTITIONS),
  outer: derived<string>('outer', PARTITIONS),
  fkInner: derived<string>('fk-inner', PARTITIONS),
  fkLeft: derived<string>('fk-left', PARTITIONS),
  latest: derived<number>('latest', PARTITIONS),
  both: derived<number>('both', PARTITIONS),
} as const;

const named = (order: Order, item: Item | null): string => `${order.id} ${order.n} ${item?.name ?? 'nothing'}`;

const groups = stage('groups', (s) => {
  const table = s.table(orders, { store: 'orders', keeps: 'latest' }).filter((order) => order !== null);
  const byItem = (table as unknown as KTable<string, Order>).groupBy((order) => order.item);
  byItem.count({ store: 'counts' }).toStream().to(outputs.counts);
  byItem
    .sum((order) => order.n, { store: 'sums' })
    .toStream()
    .to(outputs.sums);
});

/** A grouping of a grouping: how many items have as many orders. */
const most = stage('most', (s) => {
  const table = s.table(orders, { store: 'most-orders', keeps: 'latest' }) as unknown as KTable<string, Order>;
  table
    .groupBy((order) => order.item)
    .count({ store: 'most-counts' })
    .groupBy((n) => `${n}`)
    .aggregate(
      () => 0,
      (n) => n + 1,
      (n) => n - 1,
      { store: 'most', commutative: true },
    )
    .toStream()
    .to(outputs.most);
});

const joins = stage('joins', (s) => {
  const left = s.table(orders, { store: 'join-orders', keeps: 'latest' }) as unknown as KTable<string, Order>;
  const right = s.table(items, { store: 'join-items', keeps: 'latest' }) as unknown as KTable<string, Item>;
  const either = (order: Order | null, item: Item | null): string => `${order?.n ?? 'none'} ${item?.name ?? 'none'}`;
  left.join(right, either, { store: 'inner' }).toStream().to(outputs.inner);
  left.outerJoin(right, either, { store: 'outer' }).toStream().to(outputs.outer);
});

const foreign = stage('foreign', (s) => {
  const left = s.table(orders, { store: 'fk-orders', keeps: 'latest' }) as unknown as KTable<string, Order>;
  const right = s.table(items, { store: 'fk-items', keeps: 'latest' }) as unknown as KTable<string, Item>;
  const key = (order: Order): string | null => order.item;
  left.foreignKeyJoin(right, key, named, { store: 'fk-inner', join: 'inner' }).toStream().to(outputs.fkInner);
  left.foreignKeyJoin(right, key, named, { store: 'fk-left', join: 'left' }).toStream().to(outputs.fkLeft);
});

const latest = stage('latest', (s) => {
  const rekeyed = s.stream(moves).pipe(keyBy((r) => r.value.item ?? 'none', { name: 'moves-by-item' }));
  rekeyed
    .pipe(toTable({ store: 'latest' }))
    .mapValues((order) => order.n)
    .toStream()
    .to(outputs.latest);
});

const both = stage('both', (s) => {
  const of = s.stream(moves).pipe(keyBy((r) => r.value.id));
  const totals = s.stream(moves).pipe(
    keyBy((r) => r.value.id, { name: 'moves-by-id' }),
    sum((move) => move.n, { store: 'totals' }),
  );
  totals.filter((n) => n > 1_000).toStream();
  cogroup(of, (total: number, move) => total + move.n)
    .cogroup(of, (total, move) => total + 1_000 * move.n)
    .aggregate(() => 0, { store: 'both', commutative: true })
    .toStream()
    .to(outputs.both);
});

export const stages: readonly Stage[] = [groups, most, joins, foreign, latest, both];

interface Change {
  readonly topic: 'orders' | 'items' | 'moves';
  readonly partition: number;
  readonly key: string;
  readonly value: Order | Item | null;
  readonly timestamp: number;
}

/** Random changes, out of order too; few keys, so that rows move, vanish and come back. */
export function changesOf(seed: number, count: number): Change[] {
  const g = random(seed);
  const changes: Change[] = [];
  let now = 100;
  for (let i = 0; i < count; i++) {
    now += g.int(0, 4);
    const timestamp = now - (g.chance(0.3) ? g.int(0, 12) : 0);
    const n = g.int(0, 5);
    const item = g.chance(0.1) ? null : `k${g.int(0, 3)}`;
    const placed = (topic: 'orders' | 'items', key: string, value: Change['value']): Change => {
      return { topic, partition: partitionFor(Buffer.from(key), PARTITIONS), key, value, timestamp };
    };
    const key = `k${g.int(0, 7)}`;
    const kind = g.int(0, 9);
    if (kind < 5) changes.push(placed('orders', key, g.chance(0.2) ? null : { id: key, item, n }));
    else if (kind < 8) changes.push(placed('items', `k${g.int(0, 3)}`, g.chance(0.25) ? null : { name: `n${n}` }));
    else {
      const value = { id: key, item: item ?? 'k0', n };
      changes.push({ topic: 'moves', partition: g.int(0, PARTITIONS - 1), key: `m${i}`, value, timestamp });
    }
  }
  return changes;
}

const topics = { orders, items, moves } as const;

/** Feeds the changes while the driver runs as `between` says, then lets it come to rest. */
export async function feed(
  driver: TopologyTestDriver,
  changes: readonly Change[],
  seed: number,
  between: (driver: TopologyTestDriver, g: Random) => Promise<void>,
): Promise<void> {
  const g = random(seed);
  let now = 0;
  for (const { topic, ...input } of changes) {
    now = Math.max(now, input.timestamp);
    await driver.pipeInput(topics[topic] as Topic<string, unknown>, input);
    await between(driver, g);
  }
  for (const topic of Object.values(topics)) driver.completeUpTo(topic as Topic<string, unknown>, now + 100);
  await driver.run();
}

/** What every output holds in the end, by the definition. */
export function expected(changes: readonly Change[]): Record<keyof typeof outputs, Map<string, unknown>> {
  const lastOf = <V>(topic: Change['topic']): Map<string, V> => {
    const rows = new Map<string, V>();
    for (const change of changes.filter((each) => each.topic === topic)) {
      if (change.value === null) rows.delete(change.key);
      else rows.set(change.key, change.value as V);
    }
    return rows;
  };
  const orderRows = lastOf<Order>('orders');
  const itemRows = lastOf<Item>('items');
  const byItem = Map.groupBy(
    [...orderRows.values()].filter((order) => order.item !== null),
    (order) => order.item ?? '',
  );
  const counts = new Map([...byItem].map(([item, own]) => [item, own.length]));
  const sumOf = (own: readonly Order[]): number => own.reduce((total, order) => total + order.n, 0);
  const most = new Map([...Map.groupBy(counts.values(), (n) => `${n}`)].map(([n, all]) => [n, all.length]));
  const text = (key: string): string => `${orderRows.get(key)?.n ?? 'none'} ${itemRows.get(key)?.name ?? 'none'}`;
  const either = new Set([...orderRows.keys(), ...itemRows.keys()]);
  const pointed = [...orderRows].map(([key, order]) => [key, order, itemRows.get(order.item ?? '')] as const);
  const moved = changes
    .map((change, at) => ({ ...change, at, value: change.value as Order }))
    .filter(({ topic }) => topic === 'moves')
    .sort((a, b) => a.timestamp - b.timestamp || a.partition - b.partition || a.at - b.at);
  const all = Map.groupBy(moved, ({ value }) => value.id);
  return {
    counts,
    sums: new Map([...byItem].map(([item, own]) => [item, sumOf(own)])),
    most,
    inner: new Map([...either].filter((key) => orderRows.has(key) && itemRows.has(key)).map((key) => [key, text(key)])),
    outer: new Map([...either].map((key) => [key, text(key)])),
    fkInner: new Map(pointed.flatMap(([key, order, item]) => (item === undefined ? [] : [[key, named(order, item)]]))),
    fkLeft: new Map(pointed.map(([key, order, item]) => [key, named(order, item ?? null)])),
    latest: new Map(moved.map(({ value }) => [value.item ?? '', value.n])),
    both: new Map([...all].map(([id, own]) => [id, 1_001 * sumOf(own.map(({ value }) => value))])),
  };
}
