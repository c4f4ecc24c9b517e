/** What the stages of stream-topology.ts must give, by the definitions of docs/SEMANTICS.md over the whole log and the pins: no tasks, no order of arrival. */
import type { Pin } from '#topology';
import { clocked, type Event, events, type Fed, type Logged, PARTITIONS, rates } from './random-topology.ts';
import { CLOSED, DAY, LEFT, OUTER, PAIRS, SESSION, SLIDING } from './stream-topology.ts';

type Timed<V> = Logged<V> & { readonly ow: number };
/** A record of a chained stage. */
interface Chained {
  readonly timestamp: number;
  readonly ow: number;
  readonly key: string;
  readonly text: string;
  readonly order: readonly (number | bigint | string)[];
}

export interface StreamExpectation {
  readonly rows: Record<string, string[]>;
  readonly late: Record<string, string[]>;
}

const partitions = Array.from({ length: PARTITIONS }, (_, p) => p);

/** By parts: numbers by size, text by code units. */
function compare(a: readonly (number | bigint | string)[], b: readonly (number | bigint | string)[]): number {
  for (const [i, one] of a.entries()) {
    const other = b[i] ?? 0;
    if (one !== other) return one < other ? -1 : 1;
  }
  return a.length - b.length;
}

const inOrder = (a: Timed<unknown>, b: Timed<unknown>): number =>
  compare([a.timestamp, a.partition, a.offset], [b.timestamp, b.partition, b.offset]);
const keysOf = (records: readonly Timed<Event>[]): string[] => [...new Set(records.map((r) => r.value.key))];
const concat = (records: readonly Timed<Event>[]): string => records.map((r) => `+${r.value.id}`).join('');

interface Session {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly records: Timed<Event>[];
}

function sessionsOf(input: readonly Timed<Event>[]): Session[] {
  const accepted = input.filter((r) => r.ow <= r.timestamp + SESSION.grace).toSorted(inOrder);
  return keysOf(accepted).flatMap((key) => {
    const found: Session[] = [];
    for (const r of accepted.filter((each) => each.value.key === key)) {
      const last = found.at(-1);
      if (last !== undefined && r.timestamp <= last.end + SESSION.gap)
        found[found.length - 1] = { ...last, end: r.timestamp, records: [...last.records, r] };
      else found.push({ key, start: r.timestamp, end: r.timestamp, records: [r] });
    }
    return found;
  });
}

interface Slide {
  readonly key: string;
  readonly end: number;
  readonly records: Timed<Event>[];
}

function slidesOf(input: readonly Timed<Event>[]): Slide[] {
  const { difference: d, grace } = SLIDING;
  const entered = input.filter((r) => r.ow <= r.timestamp + d + grace).toSorted(inOrder);
  return keysOf(entered).flatMap((key) => {
    const own = entered.filter((r) => r.value.key === key);
    const ends = new Set(own.flatMap(({ timestamp: t, ow }) => (ow <= t + grace ? [t, t + 1 + d] : [t + 1 + d])));
    return [...ends].flatMap((end) => {
      const records = own.filter((r) => r.timestamp >= end - d && r.timestamp <= end && r.ow <= end + grace);
      return records.length > 0 ? [{ key, end, records }] : [];
    });
  });
}

interface Joined {
  readonly key: string;
  readonly left: Timed<Event> | undefined;
  readonly right: Timed<number | null> | undefined;
  readonly timestamp: number;
  readonly ow: number;
}

/** All pairs, and who leaves alone by the watermark M. */
function joinOf(
  lefts: readonly Timed<Event>[],
  rights: readonly Timed<number | null>[],
  { before, after, grace }: { readonly before: number; readonly after: number; readonly grace: number },
  M: number,
  isOuter: boolean,
): Joined[] {
  const l = lefts.filter((r) => r.ow <= r.timestamp + grace);
  const r = rights.filter((each) => each.value !== null && each.ow <= each.timestamp + grace);
  const match = (one: Timed<Event>, other: Timed<number | null>): boolean =>
    one.value.key === other.key &&
    other.timestamp >= one.timestamp - before &&
    other.timestamp <= one.timestamp + after;
  const pairs = l.flatMap((one) =>
    r
      .filter((other) => match(one, other))
      .map((other): Joined => {
        const timestamp = Math.max(one.timestamp, other.timestamp);
        return { key: other.key, left: one, right: other, timestamp, ow: Math.max(one.ow, other.ow) };
      }),
  );
  const alone = l
    .filter((one) => M > one.timestamp + after + grace && !r.some((other) => match(one, other)))
    .map((one): Joined => ({ key: one.value.key, left: one, right: undefined, ...at(one.timestamp) }));
  const others = r
    .filter((other) => isOuter && M > other.timestamp + before + grace && !l.some((one) => match(one, other)))
    .map((other): Joined => ({ key: other.key, left: undefined, right: other, ...at(other.timestamp) }));
  return [...pairs, ...alone, ...others];
}

const at = (timestamp: number): { timestamp: number; ow: number } => ({ timestamp, ow: timestamp });
const textOf = ({ left, right }: Joined): string => `${left?.value.id ?? null}&${right?.value ?? null}`;

/** Tumbling windows over the output of another stage, folded in order; closed by the watermark M. */
function tumble(
  records: readonly Chained[],
  { size, grace }: { readonly size: number; readonly grace: number },
  M: number,
): { readonly rows: string[]; readonly late: string[] } {
  const windows = new Map<string, Chained[]>();
  const late: string[] = [];
  for (const record of records) {
    const start = Math.floor(record.timestamp / size) * size;
    const id = `${record.key}@${start}`;
    if (record.ow >= start + size + grace) late.push(`${id} ${record.timestamp}`);
    else windows.set(id, [...(windows.get(id) ?? []), record]);
  }
  const rows = [...windows.values()].flatMap((members) => {
    const [first] = members;
    if (first === undefined) return [];
    const start = Math.floor(first.timestamp / size) * size;
    if (M < start + size + grace) return [];
    const text = members
      .toSorted((a, b) => compare(a.order, b.order))
      .map((r) => `+${r.text}`)
      .join('');
    return [`${first.key} ${start}/${start + size}=${text}`];
  });
  return { rows, late };
}

/** What is expected of a log and its pins. */
export function expectStreams(fed: Fed, pins: readonly Pin[]): StreamExpectation {
  const clocks = partitions.map((p) => clocked(events.name, p, fed.events, pins));
  const others = partitions.map((p) => clocked(rates.name, p, fed.rates, pins));
  const input = clocks.flatMap((clock) => clock.records);
  const right = others.flatMap((clock) => clock.records);
  const M = Math.min(...clocks.map((clock) => clock.end));
  const both = Math.min(M, ...others.map((clock) => clock.end));
  const rows: Record<string, string[]> = {};
  const late: Record<string, string[]> = {};

  const sessions = sessionsOf(input);
  const ended = sessions.filter(({ end }) => M > end + SESSION.gap + SESSION.grace);
  const sessionText = ({ start, end, records }: Session): string => `${start}/${end}=${concat(records)}`;
  rows['sessions'] = ended.map((each) => `${each.key} ${sessionText(each)}`);
  rows['session-counts'] = sessions.map(({ key, start, end, records }) => `${key} ${start}/${end}=${records.length}`);
  late['sessions'] = input
    .filter((r) => r.ow > r.timestamp + SESSION.grace)
    .map((r) => `${r.value.key}@${r.timestamp} ${r.timestamp}`);
  late['session-counts'] = [...late['sessions']];
  late['closed-sessions'] = [...late['sessions']];
  rows['closed-sessions'] = ended.map(({ key, start, end, records }) => `${key} ${start}/${end}=${records.length}`);

  const slides = slidesOf(input);
  const slideText = ({ key, end }: Slide, value: string | number): string =>
    `${key} ${end - SLIDING.difference}/${end}=${value}`;
  rows['sliding'] = slides
    .filter(({ end }) => M > end + SLIDING.grace)
    .map((each) => slideText(each, concat(each.records)));
  rows['sliding-counts'] = slides.map((each) => slideText(each, each.records.length));
  late['sliding'] = input
    .filter((r) => r.ow > r.timestamp + SLIDING.difference + SLIDING.grace)
    .map((r) => `${r.value.key}@${r.timestamp} ${r.timestamp}`);
  late['sliding-counts'] = [...late['sliding']];

  const lefts = joinOf(input, right, LEFT, both, false);
  rows['left'] = lefts.map((each) => `${each.key} ${textOf(each)}`);
  rows['outer'] = joinOf(input, right, OUTER, both, true).map((each) => `${each.key} ${textOf(each)}`);
  const afterJoin = (grace: number): string[] => [
    ...input.filter((r) => r.ow > r.timestamp + grace).map((r) => `${r.value.key} ${r.timestamp}`),
    ...right.filter((r) => r.value !== null && r.ow > r.timestamp + grace).map((r) => `${r.key} ${r.timestamp}`),
  ];
  late['left'] = afterJoin(LEFT.grace);
  late['outer'] = afterJoin(OUTER.grace);

  const place = (r: Timed<unknown> | undefined): (number | bigint)[] =>
    r === undefined ? [] : [r.partition, r.offset];
  const pairs = tumble(
    lefts.map((each) => ({
      ...each,
      text: textOf(each),
      order: [each.timestamp, ...place(each.left), ...place(each.right)],
    })),
    PAIRS,
    both - LEFT.after - LEFT.grace,
  );
  rows['pairs'] = pairs.rows;
  late['pairs'] = pairs.late;

  const days = tumble(
    ended.map((each) => ({
      ...at(each.end),
      key: 'all',
      text: sessionText(each),
      order: [each.end, each.start, each.key],
    })),
    DAY,
    M - SESSION.gap - SESSION.grace,
  );
  rows['days'] = days.rows;
  late['days'] = [];

  const counted = new Map<string, number>();
  late['closed'] = [];
  for (const r of input) {
    const start = Math.floor(r.timestamp / CLOSED.size) * CLOSED.size;
    const end = start + CLOSED.size;
    if (r.ow >= end + CLOSED.grace) late['closed'].push(`${r.value.key}@${start} ${r.timestamp}`);
    else if (M >= end + CLOSED.grace) {
      const id = `${r.value.key} ${start}/${end}`;
      counted.set(id, (counted.get(id) ?? 0) + 1);
    }
  }
  rows['closed'] = [...counted].map(([id, n]) => `${id}=${n}`);

  for (const texts of [...Object.values(rows), ...Object.values(late)]) texts.sort();
  return { rows, late };
}
