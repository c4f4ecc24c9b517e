// Compiled by `npm run check`, never run: each @ts-expect-error line must be an error, everything else must compile without explicit generics.
import { cogroup, flatMapValues, globalJoin, keyBy, type KStream, type KTable, latestJoin, peek, type Schema, stage, toTable, topic, tumbling, type WindowKey } from '#topology';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<B>() {
  return <A>(_: A, ok: Equal<A, B>): void => void ok;
}
interface Buy {
  readonly item: string;
  readonly units: number;
}
interface Item {
  readonly cat: string;
}
const schema = <T>(name: string): Schema<T> => ({ name, definition: {} });
const buys = topic('buys', { value: schema<Buy>('buys') });
const items = topic('items', { value: schema<Item>('items') });
const people = topic<Item, number>('people', { key: schema<number>('people-key'), value: schema<Item>('people') });

export const types = stage('types', (s) => {
  const b = s.stream(buys);
  const table = s.table(buys, { store: 'buys', keeps: 'latest' });
  const other = s.table(items, { store: 'items', keeps: 'latest' });
  const numbered = s.table(people, { store: 'people', keeps: 'latest' });
  same<KTable<string, Buy>>()(b.pipe(toTable({ store: 't' })), true);
  same<KTable<number, Buy>>()(b.pipe(keyBy((r) => r.value.units), toTable({ store: 'n' })), true);
  same<KTable<string, number>>()(table.filter((buy) => buy.units > 0).mapValues((buy) => buy.units), true);
  same<KTable<string, number>>()(table.groupBy((buy) => buy.item).count({ store: 'c' }), true);
  same<KTable<number, number>>()(table.groupBy((buy) => buy.units).sum((buy) => buy.units, { store: 's' }), true);
  same<KTable<string, Buy>>()(table.groupBy((buy) => buy.item).reduce((a) => a, (a) => a, { store: 'r' }), true);
  same<KTable<string, string>>()(table.join(other, (buy, item) => buy.item + item.cat, { store: 'j' }), true);
  same<KTable<string, string>>()(table.foreignKeyJoin(numbered, (buy) => buy.units, (_buy, item) => item.cat, { store: 'f', join: 'inner' }), true);
  same<KStream<string, string>>()(b.pipe(latestJoin(other, (buy, item) => buy.item + item.cat, { store: 'l', join: 'inner' })), true);
  const everywhere = s.globalTable(people, { store: 'g' });
  same<KStream<string, string>>()(b.pipe(globalJoin(everywhere, (r) => r.value.units, (_buy, item) => item.cat, { join: 'inner' })), true);
  same<KStream<string, string>>()(b.pipe(peek((r) => void r.value.units), flatMapValues((buy) => [buy.item])), true);
  const both = cogroup(b, (n: number, buy) => n + buy.units).cogroup(s.stream(items), (n, item) => n + item.cat.length);
  same<KTable<string, number>>()(both.aggregate(() => 0, { store: 'b' }), true);
  same<KStream<WindowKey<string>, number>>()(both.windowedBy(tumbling({ size: '1h', grace: '0s' }), () => 0, { store: 'bw' }), true);
  // @ts-expect-error a table of another key type
  table.join(numbered, () => '', { store: 'x1' });
  // @ts-expect-error a stream with a table of another key type
  b.pipe(latestJoin(numbered, () => '', { store: 'x2', join: 'inner' }));
  // @ts-expect-error a foreign key of another type than the other table's keys
  table.foreignKeyJoin(numbered, (buy) => buy.item, () => '', { store: 'x3', join: 'inner' });
  // @ts-expect-error a global table asked for a key of another type
  b.pipe(globalJoin(everywhere, (r) => r.value.item, () => '', { join: 'inner' }));
  // @ts-expect-error a left join may have no row
  table.leftJoin(other, (buy, item) => buy.item + item.cat, { store: 'x5' });
  // @ts-expect-error streams of different key types
  cogroup(b, (n: number) => n).cogroup(s.stream(people), (n) => n);
  // @ts-expect-error wrong field
  table.groupBy((buy) => buy.unit);
});
