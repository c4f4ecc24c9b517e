/** What the stages of random-topology.ts must give, by the definitions of docs/SEMANTICS.md over the whole log and the pins: no tasks, no order of arrival. */
import { partitionFor, type Pin } from '#topology';
import {
  ALL,
  clocked,
  type Event,
  events,
  type Fed,
  HOPS,
  JOIN,
  LISTS,
  type Logged,
  PARTITIONS,
  RATED,
  rates,
  type Rated,
  UPDATES,
} from './random-topology.ts';

type Timed<V> = Logged<V> & { readonly ow: number };

/** Output rows as sorted text per topic, and what is late per stage. */
export interface Expectation {
  readonly rows: Record<string, string[]>;
  readonly late: Record<string, string[]>;
}

const partitions = Array.from({ length: PARTITIONS }, (_, p) => p);
const placeOf = (key: string): number => partitionFor(Buffer.from(key), PARTITIONS);
const inLogOrder = <V>(a: Timed<V>, b: Timed<V>): number =>
  a.timestamp - b.timestamp || a.partition - b.partition || Number(a.offset - b.offset);

interface Windowing {
  readonly size: number;
  readonly advance?: number;
  readonly grace: number;
}
interface Pane<R> {
  readonly start: number;
  readonly end: number;
  readonly key: string;
  readonly records: R[];
}

/** Puts each record into the windows that accept it. */
function panes<R extends { readonly timestamp: number; readonly ow: number }>(
  records: readonly R[],
  keyOf: (record: R) => string,
  { size, advance = size, grace }: Windowing,
): { readonly panes: Pane<R>[]; readonly late: string[] } {
  const found = new Map<string, Pane<R>>();
  const late: string[] = [];
  for (const record of records) {
    for (
      let start = Math.floor(record.timestamp / advance) * advance;
      start > record.timestamp - size;
      start -= advance
    ) {
      const end = start + size;
      const id = `${keyOf(record)}@${start}`;
      if (record.ow >= end + grace) {
        late.push(`${id} ${record.timestamp}`);
        continue;
      }
      const pane = found.get(id) ?? { start, end, key: keyOf(record), records: [] };
      found.set(id, pane);
      pane.records.push(record);
    }
  }
  return { panes: [...found.values()], late };
}

const total = (list: readonly { readonly value: { readonly n: number } }[]): number =>
  list.reduce((all, { value }) => all + value.n, 0);
const named = (key: string, start: number, value: unknown): string =>
  `${key}@${start} ${JSON.stringify({ key, start, value })}`;

/** What is expected of a log and its pins. */
export function expect(fed: Fed, pins: readonly Pin[]): Expectation {
  const clocks = partitions.map((p) => clocked(events.name, p, fed.events, pins));
  const tables = partitions.map((p) => clocked(rates.name, p, fed.rates, pins));
  const input = clocks.flatMap((clock) => clock.records);
  const M = Math.min(...clocks.map((clock) => clock.end));
  const rows: Record<string, string[]> = {};
  const late: Record<string, string[]> = {};

  const hops = panes(input, (r) => r.value.key, HOPS);
  const closedHops = hops.panes.filter(({ end }) => M >= end + HOPS.grace);
  rows['hops'] = closedHops.map(({ key, start, records }) => named(key, start, total(records)));
  late['hops'] = hops.late;

  const finals = closedHops
    .toSorted((a, b) => a.end - b.end || a.start - b.start || (a.key < b.key ? -1 : 1))
    .map(({ key, start, end, records }) => ({
      timestamp: end - 1,
      ow: end - 1,
      text: `${key}@${start}=${total(records)}`,
    }));
  rows['all'] = panes(finals, () => 'all', ALL)
    .panes.filter(({ end }) => M - HOPS.grace >= end + ALL.grace)
    .map(
      ({ start, records }) => `${start} ${JSON.stringify({ key: 'all', start, value: records.map((r) => r.text) })}`,
    );
  late['all'] = [];

  const copies = input.toSorted(inLogOrder).flatMap((record) => {
    const split = Array.from({ length: record.value.n % 3 }, (_, i) => i);
    return ['A', 'B'].flatMap((name) => split.map((i) => ({ ...record, text: `${record.value.id}${name}${i}` })));
  });
  const lists = panes(copies, (r) => r.value.key, LISTS);
  rows['lists'] = lists.panes
    .filter(({ end }) => M >= end + LISTS.grace)
    .map(({ key, start, records }) =>
      named(
        key,
        start,
        records.map((r) => r.text),
      ),
    );
  late['lists'] = lists.late;

  const updates = panes(input, (r) => r.value.key, UPDATES);
  rows['updates'] = updates.panes.map(({ key, start, records }) => named(key, start, records.length));
  late['updates'] = updates.late;

  const keys = [...new Set(input.map((r) => r.value.key))];
  rows['totals'] = keys.map((key) => `${key} ${total(input.filter((r) => r.value.key === key))}`);

  joins({ rows, late, input, M, tables });
  for (const list of [...Object.values(rows), ...Object.values(late)]) list.sort();
  return { rows, late };
}

interface Joining extends Expectation {
  readonly input: readonly Timed<Event>[];
  readonly M: number;
  readonly tables: readonly { readonly records: readonly Timed<number | null>[]; readonly end: number }[];
}

function joins({ rows, late, input, M, tables }: Joining): void {
  const versions = tables.flatMap((table) => table.records);
  const lateRows = versions.filter((r) => r.ow > r.timestamp + JOIN.tableGrace).map((r) => `${r.key} ${r.timestamp}`);
  const inTime = versions.filter((r) => r.ow <= r.timestamp + JOIN.tableGrace).sort(inLogOrder);
  const asOf = (key: string, t: number): number | null =>
    inTime.findLast((r) => r.key === key && r.timestamp <= t)?.value ?? null;
  const copies = input.flatMap((r) =>
    ['A', 'B'].map((name) => ({ ...r, value: { ...r.value, id: `${r.value.id}${name}` } })),
  );
  const accepted = copies.filter((r) => r.ow <= r.timestamp + JOIN.grace);
  const ready = (r: Timed<Event>, complete: number): boolean => complete > r.timestamp + JOIN.tableGrace;
  // The first join reads the partition where the key lies; the second a topic that one task per partition writes, each under its own name.
  const joined = accepted
    .filter((r) => ready(r, tables[placeOf(r.value.key)]?.end ?? NaN))
    .map((r) => ({ ...r, value: { ...r.value, rate: asOf(r.value.key, r.timestamp) } satisfies Rated }));
  rows['joined'] = joined.map((r) => `${r.value.key} ${JSON.stringify(r.value)}`);
  late['joined'] = [
    ...copies.filter((r) => !accepted.includes(r)).map((r) => `${r.value.key} ${r.timestamp}`),
    ...lateRows,
  ];
  const all = Math.min(...tables.map((table) => table.end));
  rows['clean-rates'] = versions.map((r) => `${r.key} ${r.value}`);
  rows['chained'] = joined
    .filter((r) => ready(r, all) && r.value.rate !== null)
    .map((r) => `${r.value.key} ${JSON.stringify(r.value)}`);
  late['chained'] = lateRows;
  const waiting = accepted.filter((r) => !ready(r, tables[placeOf(r.value.key)]?.end ?? NaN));
  const complete = Math.min(M, ...waiting.map((r) => r.ow));
  const rated = panes(joined, (r) => `${r.value.rate}`, RATED);
  rows['rated'] = rated.panes
    .filter(({ end }) => complete >= end + RATED.grace)
    .map(({ key, start, records }) => named(key, start, total(records)));
  late['rated'] = rated.late;
}
