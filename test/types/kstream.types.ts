// Compiled by `npm run check`, never run: each @ts-expect-error line must be an error, everything else must compile without explicit generics.
import { distinctUntilChanged, filter, map, mergeMap, pipe, tap } from 'rxjs';
import { aggregate, asOfJoin, atLeast, checked, contract, count, matches, hopping, keyBy, type KStream, type KTable, mapValues, reduce, type Schema, session, sliding, stage, streamJoin, sum, topic, untilTimeLimit, untilWindowCloses, windowedBy, type WindowKey } from '#topology';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<B>() {
  return <A>(_: A, ok: Equal<A, B>): void => void ok;
}
interface Buy {
  readonly item: string;
  readonly units: number;
  readonly price: bigint;
}
type Event = { kind: 'view'; url: string } | { kind: 'buy'; amount: number };
const schema = <T>(name: string): Schema<T> => ({ name, definition: {} });
const buys = topic('buys', { value: schema<Buy>('buys') });
const events = topic('events', { value: schema<Event>('events') });
const people = topic<{ name: string }, number>('people', { value: schema<{ name: string }>('people') });
const items = topic('items', { value: schema<{ cat: string }>('items') });
const hour = hopping({ size: '1h', advance: '15m', grace: '5m' });
// @ts-expect-error a duration needs a unit
hopping({ size: '1 hour', advance: '15m', grace: '5m' });

export const types = stage('types', (s) => {
  const b = s.stream(buys);
  same<KStream<string, Buy>>()(b, true);
  same<KStream<number, Buy>>()(b.pipe(filter((r) => r.value.units > 0), keyBy((r) => r.value.units)), true);
  same<KStream<WindowKey<string>, number>>()(b.pipe(keyBy((r) => r.value.item), windowedBy(hour), count({ store: 'c', emit: 'final' })), true);
  same<KTable<number, bigint>>()(b.pipe(keyBy((r) => r.value.units), sum((v) => v.price, { store: 't' })), true);
  same<KTable<string, number>>()(b.pipe(sum((v) => v.units, { store: 'n' })), true);
  const w = b.pipe(windowedBy(hour), sum((v) => v.price, { store: 'w' }), mapValues((n, key) => ({ revenue: n, item: key.key, from: key.start })));
  same<KStream<WindowKey<string>, { revenue: bigint; item: string; from: number }>>()(w, true);
  const a = b.pipe(windowedBy(hour), aggregate(() => ({ n: 0, max: 0 }), (acc, v) => ({ n: acc.n + 1, max: Math.max(acc.max, v.units) }), { store: 'a' }));
  same<KStream<WindowKey<string>, { n: number; max: number }>>()(a, true);
  same<KTable<WindowKey<string>, number>>()(b.pipe(windowedBy(hour), count({ store: 'u', emit: 'updates' })), true);
  same<KStream<WindowKey<string>, number>>()(b.pipe(windowedBy(hour), count({ store: 'd' })), true);
  // @ts-expect-error a table is no stream of records: RxJS operators may not read its changes
  b.pipe(count({ store: 'u' }), filter((r) => r.value > 1));
  // @ts-expect-error wrong field in filter
  b.pipe(filter((r) => r.value.unit > 0));
  // @ts-expect-error wrong field in keyBy
  b.pipe(keyBy((r) => r.value.itemm));
  // @ts-expect-error wrong field in a later operator
  b.pipe(keyBy((r) => r.value.item), mapValues((v) => v.pricee));
  // @ts-expect-error wrong field in sum after windowedBy
  b.pipe(windowedBy(hour), sum((v) => v.amount, { store: 'x' }));
  // @ts-expect-error a windowed stream is not a stream of records
  b.pipe(keyBy((r) => r.value.item), windowedBy(hour)).to(buys);
  // @ts-expect-error no field access between windowedBy and the aggregation
  b.pipe(windowedBy(hour), filter((r) => r.value.units > 0), count({ store: 'x' }));
  // @ts-expect-error a plain value is not a record
  b.pipe(map((r) => r.value));
  // @ts-expect-error store is mandatory
  b.pipe(windowedBy(hour), count({ emit: 'final' }));
  // @ts-expect-error a wrong output field: the topic wants `cat`
  b.pipe(mapValues((v) => ({ category: v.item }))).to(items);
  // @ts-expect-error the key of the topic is a number
  b.pipe(mapValues((v) => ({ name: v.item }))).to(people);
  // @ts-expect-error windowed keys do not fit a topic keyed by text
  b.pipe(windowedBy(hour), count({ store: 'x' }), mapValues((n) => ({ cat: String(n) }))).to(items);
  b.pipe(mapValues((v) => ({ cat: v.item, extra: 1 }))).to(items); // an additional field compiles: width subtyping
  b.pipe(mapValues((v) => (v.units > 0 ? { cat: v.item } : null))).to(items); // null is a tombstone
  const tab = s.table(items, { store: 'items' });
  const byNumber = s.table(people, { store: 'people' });
  const left = { store: 'j', grace: '1m', tableGrace: '1m', join: 'left' } as const;
  const inner = { ...left, join: 'inner' } as const;
  const joined = b.pipe(keyBy((r) => r.value.item), asOfJoin(tab, (v, row) => ({ c: row.cat, u: v.units }), inner));
  same<KStream<string, { c: string; u: number }>>()(joined, true);
  // @ts-expect-error a left join may have no row
  b.pipe(asOfJoin(tab, (v, row) => ({ c: row.cat, u: v.units }), left));
  b.pipe(asOfJoin(tab, (v, row) => ({ c: row?.cat ?? '', u: v.units }), left));
  // @ts-expect-error key types differ: the stream is keyed by text, the table by number
  b.pipe(asOfJoin(byNumber, (v, row) => ({ v, row }), inner));
  b.pipe(keyBy((r) => r.value.units), asOfJoin(byNumber, (v, row) => ({ n: row.name, u: v.units }), inner));
  // @ts-expect-error wrong field of the table row
  b.pipe(asOfJoin(tab, (v, row) => ({ v, c: row.category }), inner));
  same<KStream<WindowKey<string>, Buy>>()(b.pipe(windowedBy(session({ gap: '5m', grace: '1m' })), reduce((x, y) => (x.units > y.units ? x : y), { store: 'r' })), true);
  same<KTable<WindowKey<string>, number>>()(b.pipe(windowedBy(sliding({ difference: '5m', grace: '1m' })), count({ store: 's', emit: 'updates' })), true);
  const counted = b.pipe(windowedBy(hour), count({ store: 'k', emit: 'updates' }));
  same<KTable<WindowKey<string>, number>>()(counted.suppress({ store: 'sup', until: untilWindowCloses({ maxRecords: 10 }) }), true);
  const totals = b.pipe(count({ store: 'total' }));
  same<KTable<string, number>>()(totals.suppress({ store: 'sup2', until: untilTimeLimit('5s', { maxBytes: 1_000 }) }), true);
  // @ts-expect-error a table without windows has none that could close
  totals.suppress({ store: 'sup3', until: untilWindowCloses() });
  // @ts-expect-error reduce gives what it takes
  b.pipe(reduce((x, y) => x.units + y.units, { store: 'r2' }));
  const within = { within: { before: '1m', after: '0s' }, grace: '5s', store: 'sj' } as const;
  const pairs = b.pipe(streamJoin(s.stream(items), (x, y, key) => ({ u: x.units, c: y.cat, key }), { ...within, join: 'inner' }));
  same<KStream<string, { u: number; c: string; key: string }>>()(pairs, true);
  // @ts-expect-error a left join may have no right record
  b.pipe(streamJoin(s.stream(items), (x, y) => ({ u: x.units, c: y.cat }), { ...within, join: 'left' }));
  b.pipe(streamJoin(s.stream(items), (x, y) => ({ u: x.units, c: y?.cat ?? '' }), { ...within, join: 'left' }));
  // @ts-expect-error an outer join may have no left record
  b.pipe(streamJoin(s.stream(items), (x, y) => ({ u: x.units, c: y?.cat ?? '' }), { ...within, join: 'outer' }));
  // @ts-expect-error key types differ: one stream is keyed by text, the other by number
  b.pipe(streamJoin(s.stream(people), (x, y) => ({ x, y }), { ...within, join: 'inner' }));
  b.pipe(keyBy((r) => r.value.units), streamJoin(s.stream(people), (x, y) => ({ u: x.units, n: y.name }), { ...within, join: 'inner' }));
  // @ts-expect-error a join without a grace
  b.pipe(streamJoin(s.stream(items), (x, y) => ({ x, y }), { within: '1m', store: 'sj', join: 'inner' }));
  const { views, rest } = s.stream(events).split({ views: (v) => v.kind === 'view', big: (v) => v.kind === 'buy' && v.amount > 100 });
  same<KStream<string, Event>>()(rest, true);
  views.pipe(mapValues((v) => v.url)); // narrowed by the inferred type predicate
  // @ts-expect-error no such branch
  void s.stream(events).split({ views: (v) => v.kind === 'view' }).clicks;
  b.pipe(pipe(filter((r) => r.value.units > 0), keyBy((r) => r.value.item)), tap((r) => r.value.price), distinctUntilChanged(), mergeMap((r) => [r, r]));
  // @ts-expect-error two streams of different values
  b.merge(s.stream(items));
});

const parts = { grain: 'g', key: 'k', freshness: '1s', since: 'event', example: { item: 'i', units: 1, price: 2n } } as const;
export const promised = contract(buys, { ...parts, checks: [atLeast('units', 1), matches('item', /i/, 'an item')] });
// @ts-expect-error a column that the rows do not have
contract(buys, { ...parts, checks: [atLeast('unit', 1)] });
// @ts-expect-error text is in no range
contract(buys, { ...parts, checks: [atLeast('item', 1)] });
// @ts-expect-error the example is no row of the topic
contract(buys, { ...parts, checks: [], example: { item: 'i' } });
export const guarded = stage('guarded', (s) => {
  same<KStream<string, Buy>>()(s.stream(buys).pipe(checked(promised)), true);
  // @ts-expect-error the contract of other rows
  s.stream(items).pipe(checked(promised));
});
