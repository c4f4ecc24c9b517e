/** A small shop's bronze topics and pins by seed: out of order, late, far ahead, snapshots, deletes, gaps in the offsets, idle partitions. */
import { MOST_BUYER, purchaseEvents, type Sold } from './synthetic-purchases.ts';
import { systemLoad } from './synthetic-load.ts';
import { logins } from './synthetic-logins.ts';
import type { BronzeDump, BronzeRecord, LogEnd, PinRow } from '../../dev/verify/oracle-database.ts';

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
export const PARTITIONS = 3;
/** First instant of the streams: a full hour, two days before the birthday of those born on a leap day. */
export const START = Date.UTC(2026, 1, 27);

export interface Rng {
  /** A whole number in [low, high]. */
  int(low: number, high: number): number;
  chance(p: number): boolean;
  pick<T>(of: readonly T[]): T;
}

export function rng(seed: number): Rng {
  let a = (seed * 2654435761) >>> 0; // mulberry32
  const next = (): number => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1));
  return { int, chance: (p) => next() < p, pick: (of) => of[int(0, of.length - 1)]! };
}

interface Written {
  readonly key: unknown;
  readonly value: unknown;
  readonly at?: number;
}
/** What is written at an event time; `at` in the answer: under another one after all; `next`: what follows it at once. */
type Write = (
  at: number,
  partition: number,
) => Written & { readonly tombstone?: boolean; readonly next?: readonly Written[] };

export interface Stream {
  readonly topic: string;
  readonly records: number;
  readonly snapshot?: (partition: number) => { key: unknown; value: unknown; at: number }[];
  readonly write: Write;
}

class Log {
  readonly records: BronzeRecord[] = [];
  readonly pins: PinRow[] = [];
  readonly ends: LogEnd[] = [];
  readonly #g: Rng;
  /** Instants at which a join with one of the tables stops to release. */
  readonly #edges: number[] = [];

  constructor(g: Rng) {
    this.#g = g;
  }

  /** One topic: three partitions, the third nearly idle now and then. `last`: what is said of all at their end. */
  write(stream: Stream, until: number, silent: boolean): void {
    const last = until - this.#g.pick([0, 0, 1, 500, 999, 999, 10 * SECOND, MINUTE]);
    const early = this.#g.chance(0.2); // pins behind the frozen end: they must not count
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const count = partition === 2 && this.#g.chance(0.3) ? this.#g.int(0, 3) : stream.records;
      this.#partition(stream, partition, count, until, silent && partition === 1 ? undefined : last);
      const end = this.ends.at(-1)?.end ?? 0n;
      if (early) this.pins.push({ topic: stream.topic, partition, at: end + 1n, m: until + 30 * DAY });
    }
    if (stream.snapshot !== undefined) this.#edges.push(last - MINUTE);
  }

  #partition(stream: Stream, partition: number, count: number, until: number, last: number | undefined): void {
    const g = this.#g;
    const { topic } = stream;
    let offset = BigInt(g.int(0, 2));
    const put = (timestamp: number, key: unknown, value: unknown): void => {
      this.records.push({ topic, partition, offset, timestamp, key, value });
      offset += g.chance(0.15) ? BigInt(g.int(2, 4)) : 1n; // transaction markers, aborted and undecodable records
    };
    const pin = (m: number, at = offset): void => void this.pins.push({ topic, partition, at, m });
    const snapshot = stream.snapshot?.(partition) ?? [];
    for (const row of snapshot) put(row.at, row.key, row.value);
    if (snapshot.length > 0) pin(START - HOUR);
    const again = snapshot.length > 0 && g.chance(0.3) ? g.int(0, count) : -1;
    let t = START;
    const step = Math.ceil((until - START) / Math.max(1, count) / (10 * SECOND));
    for (let i = 0; i < count; i++) {
      if (i === again) for (const row of snapshot) put(t - g.int(0, 5) * HOUR, row.key, row.value);
      t = Math.min(this.#step(t, g.int(0, 2 * step) * 10 * SECOND), until - 10 * MINUTE);
      if (g.chance(0.06)) {
        t = Math.min(t + g.int(1, 5) * HOUR, until - 10 * MINUTE);
        pin(t - g.pick([0, 1, 60 * SECOND, 70 * SECOND])); // said idle; the next record may break it
      }
      if (g.chance(0.04)) pin(t - HOUR, offset - BigInt(g.int(0, 2)));
      const eventTime = this.#eventTime(t);
      const { key, value, at = eventTime, tombstone, next = [] } = stream.write(eventTime, partition);
      put(at, key, value);
      for (const one of next) put(one.at ?? at, one.key, one.value);
      if (tombstone === true) put(at, key, null);
    }
    this.ends.push({ topic, partition, end: offset });
    if (last !== undefined) pin(last);
  }

  /** The next instant; often one at which something is decided. */
  #step(t: number, by: number): number {
    if (this.#g.chance(0.15)) return t;
    const next = t + by;
    const edge = this.#edges.find((each) => t < each - SECOND && each <= next);
    if (edge !== undefined) return edge + this.#g.pick([-SECOND, -999, -500, -1, 0, 1]);
    const half = Math.ceil(next / (30 * MINUTE)) * 30 * MINUTE;
    return this.#g.chance(0.3) ? half + this.#g.pick([0, 0, 0, 6 * MINUTE]) : next;
  }

  /** Mostly t; sometimes out of order, sometimes too late by the rules, often exactly at an edge of them. */
  #eventTime(t: number): number {
    const g = this.#g;
    if (g.chance(0.25)) return t - g.int(1, 6) * 10 * SECOND;
    if (g.chance(0.1)) return t - g.pick([70, 80, 120, 130, 370, 420]) * SECOND;
    if (g.chance(0.08)) return t - g.int(1, 30) * HOUR;
    return t;
  }
}

const COUNTRIES = ['de', ' DE', 'fr\t', 'FR', 'Us', 'Germany', '', null, 'x1', 'ñz', '\u00a0it\u3000'];
const CATEGORIES = ['Books', ' books ', 'TOYS', 'toys\n', null, '', '  ', 'Garden Tools'];
const CHANNELS = [
  null,
  '',
  ' ',
  'Direct',
  'google / organic',
  'Google Ads',
  'cpc',
  'Facebook',
  'newsletter mail',
  'partner-7',
  'fb',
  'radio',
  'TikTok',
];

/** What app events have in common. */
export interface AppEvents {
  readonly appEvent: typeof appEvent;
  readonly again: typeof again;
}

/** A dump by seed. About three days of event time, so that windows of 24 h close. */
export function makeDump(seed: number): BronzeDump {
  const g = rng(seed);
  const log = new Log(g);
  // Purchases are complete a minute before: at the edge of five minutes after an hour, in whole ticks.
  const until = START + 3 * DAY + g.pick([0, 6 * MINUTE, 6 * MINUTE + SECOND, 6 * MINUTE + SECOND, 37 * MINUTE]);
  const behind = (): number => until - (g.chance(0.25) ? g.int(1, 20) * HOUR : 0); // a table that stops early holds joins back
  const silent = (): boolean => g.chance(0.06); // a partition that nobody ever speaks for at the end
  log.write(users(g), behind(), silent());
  log.write(items(g), behind(), silent());
  const bought: Sold[] = [];
  log.write(purchases(g, bought), until, silent());
  log.write(pageviews(g), until, silent());
  log.write(registrations(g), until, silent());
  log.write(logins(g, { appEvent, again }), until, silent());
  log.write(profiles(g), behind(), silent());
  log.write(cartEvents(g), until, silent());
  log.write(purchaseEvents(g, { appEvent, again }, bought), behind(), silent());
  log.write(systemLoad(g, { appEvent, again }), until, silent());
  return log;
}

function envelope(g: Rng, op: string, at: number, before: object | null, after: object | null): object {
  const ahead = g.chance(0.02);
  const tsMs = g.chance(0.05) ? null : ahead ? at - HOUR - g.pick([0, 1, DAY]) : at + g.int(-HOUR, HOUR);
  return { before, after, op, ts_ms: tsMs };
}

/** A price, unscaled. */
const price = (g: Rng): bigint => BigInt(g.int(1, 9_999));

/** Ids of a partition: a key lives in one partition. */
const idsOf = (partition: number, most: number): number[] =>
  Array.from({ length: most }, (_, i) => i + 1).filter((id) => id % PARTITIONS === partition);

function tableOf(topic: string, g: Rng, most: number, row: (id: number, at: number) => object, name = 'id'): Stream {
  const ids = (partition: number): number[] => idsOf(partition, most);
  const last = new Map<number, { id: number; at: number }>();
  return {
    topic,
    records: 26,
    snapshot: (partition) =>
      ids(partition).flatMap((id) => {
        const at = START - g.int(1, 300) * DAY;
        return g.chance(0.6)
          ? [{ key: { [name]: id }, at, value: { ...envelope(g, 'r', at, null, row(id, at)), ts_ms: START } }]
          : [];
      }),
    write: (at, partition) => {
      const before = last.get(partition);
      if (before !== undefined && g.chance(0.1)) {
        // the same row again within the same millisecond
        return {
          key: { [name]: before.id },
          value: envelope(g, 'u', before.at, null, row(before.id, before.at)),
          at: before.at,
        };
      }
      const id = g.pick(ids(partition));
      last.set(partition, { id, at });
      if (g.chance(0.12))
        return { key: { [name]: id }, value: envelope(g, 'd', at, row(id, at), null), tombstone: true };
      return { key: { [name]: id }, value: envelope(g, g.pick(['c', 'u']), at, null, row(id, at)) };
    },
  };
}

/** Days since the epoch; most have a birthday that changes their age band while the streams run. */
function birthDate(g: Rng): number {
  if (g.chance(0.2)) return Date.UTC(2008, 1, 29) / DAY;
  return Date.UTC(2026 - g.pick([18, 25, 35, 45, 55, 65, 70]), 1, 27 + g.int(-1, 4)) / DAY;
}

const users = (g: Rng): Stream =>
  tableOf('bronze.shop.users', g, 12, (id, at) => ({
    id,
    email: g.pick([` User${id}@Example.COM `, null, `u${id}@x.io`, ' ']),
    full_name: g.pick([` Ann ${g.int(1, 99)} `, null, '\t']),
    country: g.pick(COUNTRIES),
    birth_date: g.chance(0.15) ? null : birthDate(g),
    created_at: at,
    updated_at: at,
  }));

const items = (g: Rng): Stream =>
  tableOf('bronze.shop.items', g, 9, (id, at) => ({
    id,
    title: ` Item ${id} v${g.int(1, 999)} `,
    category: g.pick(CATEGORIES),
    price: price(g),
    active: g.int(0, 1),
    created_at: at,
    updated_at: at,
  }));

const AGE_BANDS = ['18-24', ' 25-34 ', '65+', 'UNDER-18', '30', '', null];
const PREFERENCES = [
  '{"language": "de", "newsletter": true}',
  '{"language": " FR\\u00a0", "newsletter": false, "pages": 3}',
  '{"language": "German", "newsletter": "yes"}',
  '{"language": 7, "newsletter": null}',
  '[1]',
  '"de"',
  'null',
  'no JSON',
  '',
  null,
];

const profiles = (g: Rng): Stream =>
  tableOf(
    'bronze.shop.customer_profiles',
    g,
    12,
    (id, at) => ({
      user_id: id,
      age_band: g.pick(AGE_BANDS),
      marketing_consent: g.int(0, 1),
      preferences: g.pick(PREFERENCES),
      created_at: at,
      updated_at: at,
    }),
    'user_id',
  );

function purchases(g: Rng, bought: Sold[]): Stream {
  let last = 0;
  const row = (at: number): { id: number; [column: string]: unknown } => ({
    id: ++last,
    user_id: g.int(1, MOST_BUYER),
    item_id: g.int(1, 11),
    quantity: g.int(1, 5),
    unit_price: price(g),
    created_at: at,
    updated_at: at,
  });
  return {
    topic: 'bronze.shop.purchases',
    records: 60,
    snapshot: () =>
      Array.from({ length: g.int(0, 12) }, () => {
        // Many by a few, over months and both changes of segments: some go, and come back.
        const hours = g.chance(0.3) ? g.int(1, 50) : g.chance(0.5) ? g.int(4 * 24, 7 * 24) : g.int(1, 130 * 24);
        const at = START - hours * HOUR;
        const after = g.chance(0.6) ? { ...row(at), user_id: g.int(1, 3) } : row(at);
        bought.push({ at, row: after });
        return { key: { id: after.id }, at, value: envelope(g, 'r', at, null, after) };
      }),
    write: (at) => {
      const after = row(at);
      const op = g.chance(0.9) ? 'c' : 'u';
      bought.push({ at, row: after });
      return { key: { id: after.id }, value: envelope(g, op, at, null, after) };
    },
  };
}

function appEvent(g: Rng, at: number, n: number): Record<string, unknown> {
  const receivedAt = g.chance(0.02) ? at - HOUR - g.pick([0, 1, DAY]) : at + g.int(-HOUR, HOUR);
  return {
    eventId: `e-${n}`,
    userId: g.chance(0.5) ? g.int(1, 14) : null,
    anonymousId: `anon-${g.int(1, 9)}`,
    sessionId: null,
    occurredAt: at,
    receivedAt,
  };
}

/**
 * An event that was sent twice: at `at`, by which somebody has tried again hours or days later; else at once, now and then under another time, at the edge of
 * an hour.
 */
function again(g: Rng, event: Record<string, unknown>, at?: number): { key: unknown; value: unknown; at: number } {
  if (at !== undefined) return { key: event['eventId'], value: { ...event, receivedAt: at }, at };
  const back = g.chance(0.4) ? g.pick([30 * MINUTE, HOUR, HOUR + 1, 100 * MINUTE]) : 0;
  return { key: event['eventId'], value: event, at: (event['occurredAt'] as number) - back };
}

function pageviews(g: Rng): Stream {
  let n = 0;
  let last: Record<string, unknown> | undefined;
  return {
    topic: 'bronze.app.pageviews',
    records: 80,
    write: (at) => {
      if (last !== undefined && g.chance(0.05)) return again(g, last);
      const itemId = g.chance(0.1) ? null : g.int(1, 11);
      last = { ...appEvent(g, at, ++n), url: '/', itemId, channel: g.pick(CHANNELS), referrer: null };
      return { key: last['eventId'], value: last };
    },
  };
}

const ACTIONS = ['add', 'add', ' Add', 'remove', 'added'];

function cartEvents(g: Rng): Stream {
  let n = 1_000_000; // no pageview has such an id
  const last = new Map<number, Record<string, unknown>>();
  return {
    topic: 'bronze.app.cart_events',
    records: 40,
    write: (at, partition) => {
      const before = last.get(partition);
      if (before !== undefined && g.chance(0.08)) return again(g, before);
      const [action, itemId, quantity] = [g.pick(ACTIONS), g.int(1, 11), g.int(1, 3)];
      const event: Record<string, unknown> = {
        ...appEvent(g, at, ++n),
        action,
        itemId,
        quantity,
        channel: g.pick(CHANNELS),
      };
      last.set(partition, event);
      return { key: event['eventId'], value: event };
    },
  };
}

function registrations(g: Rng): Stream {
  let n = 0;
  const last = new Map<number, Record<string, unknown>>();
  const first = new Map<number, Record<string, unknown>>();
  return {
    topic: 'bronze.app.registrations',
    records: 50,
    write: (at, partition) => {
      const oldest = first.get(partition);
      if (oldest !== undefined && g.chance(0.05)) return again(g, oldest, at);
      const before = last.get(partition);
      if (before !== undefined && g.chance(0.08)) return again(g, before);
      const event: Record<string, unknown> = {
        ...appEvent(g, at, ++n),
        email: null,
        country: g.pick(COUNTRIES),
        channel: null,
      };
      last.set(partition, event);
      first.set(partition, oldest ?? event);
      return { key: event['eventId'], value: event };
    },
  };
}
