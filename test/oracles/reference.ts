/**
 * The rows of every table by the rules of event time, in plain TypeScript over the same dump: what the SQL of the oracles is tested against.
 * Written from the rules alone; shares no code with the SQL, the engine or the processors.
 */
import type { BronzeDump, BronzeRecord } from '../../dev/verify/oracle-database.ts';
import { LOAD_WINDOW, loadOf } from './reference-load.ts';
import { enrichedLogins, strangeLogins } from './reference-logins.ts';
import { boughtOnce } from './reference-purchases.ts';
import { soldIn, topSelling, trendsOf, WINDOW_GRACE } from './reference-sold.ts';
import { dailyPerformance, eventsOf, topConverting } from './reference-products.ts';
import { changesOf, segmentsOf } from './reference-segments.ts';
import { windowed } from './reference-windows.ts';
import { ageBand, channelOf } from './reference-words.ts';
import { behaviourOf, funnelOf, sessionsOf, statedBy } from './reference-visits.ts';
import { DAY, HOUR, MINUTE, SECOND } from './synthetic.ts';

type Fields = Record<string, unknown>;
/** A record with its origin watermark. */
export interface Timed extends BronzeRecord {
  readonly ow: number;
}
/** An output row by column; `_key`, `_ts`, `_ow`, `_deleted` and the Avro fields. */
export type OutputRow = Fields & { readonly _key: string; readonly _ts: number; readonly _ow: number };
export interface Expected {
  readonly tables: Record<string, OutputRow[]>;
  readonly late: Record<string, number>;
  readonly clocked: Map<string, Timed[]>;
}

const OUT_OF_ORDERNESS: Record<string, number> = {
  'bronze.shop.users': 10 * SECOND,
  'bronze.shop.items': 10 * SECOND,
  'bronze.shop.purchases': 10 * SECOND,
  'bronze.shop.customer_profiles': 10 * SECOND,
  'bronze.app.pageviews': MINUTE,
  'bronze.app.cart_events': MINUTE,
  'bronze.app.registrations': MINUTE,
  'bronze.app.logins': MINUTE,
  'bronze.app.purchase_events': MINUTE,
  'bronze.ops.system_load': MINUTE,
};
const GRACE = MINUTE;
const tick = (m: number): number => (Number.isFinite(m) ? Math.floor(m / SECOND) * SECOND : m);
const field = (record: BronzeRecord, name: string): unknown => (record.value as Fields | null)?.[name];
const after = (record: BronzeRecord): Fields => (field(record, 'after') ?? {}) as Fields;
const text = (value: unknown): string | null => (typeof value === 'string' ? value.trim() : null);

/** Walks one partition in offset order, pins first: the clock as the slot that reads it sees it. */
function walk(dump: BronzeDump, topic: string, partition: number, end: bigint): { records: Timed[]; clock: number } {
  const records: Timed[] = [];
  const pins = dump.pins
    .filter((pin) => pin.topic === topic && pin.partition === partition)
    .sort((a, b) => Number(a.at - b.at));
  let clock = -Infinity;
  let next = 0;
  const pinsTo = (offset: bigint): void => {
    for (; next < pins.length && pins[next]!.at <= offset; next++) clock = Math.max(clock, pins[next]!.m);
  };
  const log = dump.records.filter((record) => record.topic === topic && record.partition === partition);
  for (const record of log.sort((a, b) => Number(a.offset - b.offset))) {
    pinsTo(record.offset);
    const received = (field(record, 'receivedAt') ?? field(record, 'ts_ms')) as number | null | undefined;
    if (received !== null && received !== undefined && record.timestamp > received + HOUR) continue; // dead letter
    if (field(record, 'op') !== 'r') clock = Math.max(clock, record.timestamp - OUT_OF_ORDERNESS[topic]!);
    records.push({ ...record, ow: clock });
  }
  pinsTo(end);
  return { records, clock };
}

interface Version {
  readonly ts: number;
  readonly row: OutputRow;
}
type Table = Map<string, Version[]>;

/** The versions of a table that a join with 60 s of grace takes, in (ts, offset) order. */
function versions(rows: readonly OutputRow[]): { table: Table; late: number } {
  const table: Table = new Map();
  let late = 0;
  for (const row of rows) {
    if (row._ow > row._ts + GRACE) {
      late++;
      continue;
    }
    const list = table.get(row._key) ?? [];
    table.set(row._key, list);
    list.splice(list.findLastIndex((version) => version.ts <= row._ts) + 1, 0, { ts: row._ts, row });
  }
  return { table, late };
}

const asOf = (table: Table, key: unknown, t: number): OutputRow | undefined => {
  const row = table.get(String(key))?.findLast((version) => version.ts <= t)?.row;
  return row === undefined || row['_deleted'] === true ? undefined : row;
};

const twoLetters = (value: unknown): string | null => {
  const code = text(value)?.toUpperCase() ?? '';
  return /^[A-Z][A-Z]$/.test(code) ? code : null;
};

function changes(records: readonly Timed[], row: (after: Fields) => Fields): OutputRow[] {
  return records.flatMap((record) => {
    const op = field(record, 'op');
    const meta = { _key: String(Object.values(record.key as object)[0]), _ts: record.timestamp, _ow: record.ow };
    if (op === 'd') return [{ ...meta, _deleted: true }];
    return ['c', 'u', 'r'].includes(String(op)) ? [{ ...meta, _deleted: false, ...row(after(record)) }] : [];
  });
}

/** Each event once: in the order of the log, the first within so much event time. More than an hour behind its clock: late. */
function once(records: readonly Timed[], within = HOUR): { kept: Timed[]; late: number } {
  const kept: Timed[] = [];
  const known = new Map<string, number[]>();
  let late = 0;
  for (const record of records) {
    if (record.ow - record.timestamp > HOUR) {
      late++;
      continue;
    }
    const id = `${record.partition} ${String(field(record, 'eventId'))}`;
    const times = known.get(id) ?? [];
    known.set(id, times);
    if (times.some((time) => time - within <= record.timestamp && record.timestamp <= time + within)) continue;
    times.push(record.timestamp);
    kept.push(record);
  }
  return { kept, late };
}

/** All tables, late counts and clocks of a dump. */
export function expectedOf(dump: BronzeDump): Expected {
  const clocked = new Map<string, Timed[]>();
  const complete = new Map<string, number>();
  for (const { topic, partition, end } of dump.ends) {
    const { records, clock } = walk(dump, topic, partition, end);
    clocked.set(topic, [...(clocked.get(topic) ?? []), ...records]);
    complete.set(topic, Math.min(complete.get(topic) ?? Infinity, tick(clock)));
  }
  const of = (topic: string): Timed[] => clocked.get(topic) ?? [];
  const until = (topic: string): number => complete.get(topic) ?? -Infinity;

  const users = changes(of('bronze.shop.users'), (row) => ({
    userId: row['id'],
    email: text(row['email'])?.toLowerCase() || null,
    name: text(row['full_name']) || null,
    country: twoLetters(row['country']),
    birthDate: row['birth_date'],
    createdAt: row['created_at'],
    updatedAt: row['updated_at'],
  }));
  const items = changes(of('bronze.shop.items'), (row) => ({
    itemId: row['id'],
    title: row['title'],
    category: text(row['category'])?.toLowerCase() || 'unknown',
    price: row['price'],
    active: row['active'] !== 0,
    createdAt: row['created_at'],
    updatedAt: row['updated_at'],
  }));
  const profiles = changes(of('bronze.shop.customer_profiles'), (row) => ({
    userId: row['user_id'],
    ...statedBy(row),
    createdAt: row['created_at'],
    updatedAt: row['updated_at'],
  }));
  const itemTable = versions(items);
  const userTable = versions(users);

  const bought = boughtOnce(
    of('bronze.shop.purchases'),
    of('bronze.app.purchase_events'),
    Math.min(until('bronze.shop.purchases'), until('bronze.app.purchase_events')),
  );
  const pastItems = bought.kept.filter((record) => until('bronze.shop.items') > record.timestamp + GRACE);
  const enriched = pastItems.filter((record) => until('bronze.shop.users') > record.timestamp + GRACE);
  const leastHeld = (all: readonly Timed[], gone: readonly Timed[]): number =>
    Math.min(Infinity, ...all.filter((record) => !gone.includes(record)).map((record) => record.ow));
  const afterItems = tick(Math.min(bought.complete, leastHeld(bought.kept, pastItems)));
  const salesComplete = tick(Math.min(afterItems, leastHeld(pastItems, enriched)));
  const purchases = enriched.map((record) => {
    const { row } = record;
    const item = asOf(itemTable.table, row['item_id'], record.timestamp);
    const user = asOf(userTable.table, row['user_id'], record.timestamp);
    return {
      _key: String(row['id']),
      _ts: record.timestamp,
      _ow: record.ow,
      purchaseId: row['id'],
      userId: row['user_id'],
      itemId: row['item_id'],
      quantity: row['quantity'] as number,
      unitPrice: row['unit_price'],
      revenue: BigInt(row['quantity'] as number) * (row['unit_price'] as bigint),
      title: item?.['title'] ?? null,
      category: (item?.['category'] ?? 'unknown') as string,
      country: (user?.['country'] ?? 'unknown') as string,
      ageBand: ageBand(user?.['birthDate'], record.timestamp),
      purchasedAt: record.timestamp,
    };
  });

  const onceSeen = once(of('bronze.app.pageviews'));
  const onceInCart = once(of('bronze.app.cart_events'));
  const visits = [...onceSeen.kept, ...onceInCart.kept].map((record) => ({
    ts: record.timestamp,
    ow: record.ow,
    userId: field(record, 'userId') as number | null,
    anonymousId: field(record, 'anonymousId') as string,
    said: { id: String(field(record, 'eventId')), channel: channelOf(field(record, 'channel')) },
    action: text(field(record, 'action'))?.toLowerCase() ?? 'view',
  }));
  const sessionsUntil = Math.min(until('bronze.app.pageviews'), until('bronze.app.cart_events'), salesComplete);
  const sessions = sessionsOf(visits, purchases, sessionsUntil);

  const onceViewed = once(of('bronze.app.pageviews').filter((record) => field(record, 'itemId') !== null));
  const viewed = onceViewed.kept;
  const viewsInTime = viewed.filter((record) => record.ow <= record.timestamp + GRACE);
  const pageviews = viewsInTime
    .filter((record) => until('bronze.shop.items') > record.timestamp + GRACE)
    .map((record) => {
      const item = asOf(itemTable.table, field(record, 'itemId'), record.timestamp);
      return {
        _key: String(field(record, 'itemId')),
        _ts: record.timestamp,
        _ow: record.ow,
        eventId: field(record, 'eventId'),
        itemId: field(record, 'itemId'),
        title: item?.['title'] ?? null,
        category: item?.['category'] ?? 'unknown',
        channel: channelOf(field(record, 'channel')),
        userId: field(record, 'userId'),
        anonymousId: field(record, 'anonymousId'),
        occurredAt: field(record, 'occurredAt'),
      };
    });

  const putInCart = once(
    of('bronze.app.cart_events').filter((record) => text(field(record, 'action'))?.toLowerCase() === 'add'),
  );
  const cartRows = putInCart.kept.map((record) => ({
    ...(record.value as Fields),
    _key: '',
    _ts: record.timestamp,
    _ow: record.ow,
    quantity: 0,
  }));
  const seenAndSold = [...eventsOf('view', pageviews), ...eventsOf('sale', purchases)];
  const viewsHeld = leastHeld(
    viewsInTime,
    viewsInTime.filter((record) => until('bronze.shop.items') > record.timestamp + GRACE),
  );
  const viewsComplete = tick(Math.min(until('bronze.app.pageviews'), viewsHeld));
  const converting = topConverting(seenAndSold, Math.min(viewsComplete, salesComplete));
  const daily = dailyPerformance([...seenAndSold, ...eventsOf('cart', cartRows)]);

  const profileTable = versions(profiles);
  const segments = segmentsOf(sessions.rows, tick(sessionsUntil - 35 * MINUTE), (id, at) =>
    asOf(profileTable.table, id, at),
  ).filter((row) => until('bronze.shop.customer_profiles') > row._ts + GRACE);

  const timed = <T extends OutputRow>(row: T, group: string): T & { ts: number; ow: number; group: string } => ({
    ...row,
    ts: row._ts,
    ow: row._ow,
    group,
  });
  const sales = windowed(
    purchases.map((row) => timed(row, `${row.category}|${row.country}`)),
    24 * HOUR,
    HOUR,
  );
  const top = topSelling(purchases, salesComplete);
  const monthly = soldIn(purchases, 'month', (row) => `${String(row.userId)}|${row.category}`);
  const views = windowed(
    pageviews.map((row) => timed(row, row.channel)),
    HOUR,
    HOUR,
  );
  const onceRegistered = once(of('bronze.app.registrations'), 7 * DAY);
  const registered = windowed(
    onceRegistered.kept.map((record) => ({
      ts: record.timestamp,
      ow: record.ow,
      group: twoLetters(field(record, 'country')) ?? 'unknown',
    })),
    HOUR,
    15 * MINUTE,
  );
  const onceMeasured = once(of('bronze.ops.system_load'));
  const measured = windowed(
    onceMeasured.kept.map((record) => ({
      record,
      ts: record.timestamp,
      ow: record.ow,
      group: (text(field(record, 'host')) ?? '').toLowerCase(),
    })),
    LOAD_WINDOW,
    LOAD_WINDOW,
  );
  const onceTried = once(
    of('bronze.app.logins').filter((record) => field(record, 'userId') !== null),
    7 * DAY,
  );
  const triedInTime = onceTried.kept.filter((record) => record.ow <= record.timestamp + GRACE);
  const tried = triedInTime.filter((record) => until('bronze.shop.users') > record.timestamp + GRACE);
  const loginsComplete = tick(Math.min(until('bronze.app.logins'), leastHeld(triedInTime, tried)));
  const logins = enrichedLogins(tried, twoLetters, (id, at) => asOf(userTable.table, id, at));
  const bounds = (window: { start: number; end: number }): Fields & { _ts: number; _ow: number } => ({
    _ts: window.end - 1,
    _ow: window.end - 1,
    windowStart: window.start,
    windowEnd: window.end,
  });
  return {
    clocked,
    tables: {
      'silver.users': users,
      'silver.items': items,
      'silver.customer_profiles': profiles,
      'silver.purchases_enriched': purchases,
      'silver.pageviews_by_items': pageviews,
      'silver.sessions': sessions.rows,
      'gold.sales_perf_24h': [...sales.windows]
        .filter(([, window]) => salesComplete >= window.end + WINDOW_GRACE)
        .map(([id, window]) => {
          const orders = BigInt(window.rows.length);
          const revenue = window.rows.reduce((sum, row) => sum + row.revenue, 0n);
          const rest = revenue % orders;
          return {
            ...bounds(window),
            _key: id,
            category: window.rows[0]!.category,
            country: window.rows[0]!.country,
            orders,
            units: window.rows.reduce((sum, row) => sum + row.quantity, 0),
            revenue,
            averageOrderValue: revenue / orders + (rest * 2n >= orders ? 1n : 0n),
          };
        }),
      'gold.pageviews_by_channel': [...views.windows].map(([id, window]) => ({
        ...bounds(window),
        _key: id,
        channel: window.group,
        views: window.rows.length,
      })),
      'gold.registrations_hourly': [...registered.windows].map(([id, window]) => ({
        ...bounds(window),
        _key: id,
        country: window.group,
        registrations: window.rows.length,
      })),
      'gold.top_selling_items': top.rows,
      'gold.conversion_funnel': funnelOf(sessions.rows),
      'gold.daily_product_performance': daily.rows,
      'gold.top_converting_items': converting.rows,
      'gold.order_trends': trendsOf(purchases),
      'gold.customer_behaviour': behaviourOf(purchases, sessions.rows),
      'gold.user_engagement_segments': segments,
      'gold.segment_changes': changesOf(segments),
      'gold.monthly_purchase_summary': monthly.windows.map(({ start, end, rows: [first], sums }) => ({
        ...bounds({ start, end }),
        _key: `${new Date(start).toISOString()}|${String(first?.userId)}|${String(first?.category)}`,
        userId: first?.userId,
        category: first?.category,
        ...sums,
      })),
      'silver.logins_enriched': logins,
      'gold.system_load_5m': [...measured.windows].map(([id, window]) => ({
        ...bounds(window),
        _key: id,
        host: window.group,
        ...loadOf(window.rows.map(({ record }) => record)),
      })),
      'gold.login_anomalies': strangeLogins(logins, loginsComplete),
    },
    late: {
      'silver.purchases_enriched': bought.late + itemTable.late + userTable.late,
      'silver.pageviews_by_items': onceViewed.late + viewed.length - viewsInTime.length + itemTable.late,
      'silver.sessions': onceSeen.late + onceInCart.late + sessions.late,
      'gold.sales_perf_24h': sales.late,
      'gold.pageviews_by_channel': views.late,
      'gold.registrations_hourly': onceRegistered.late + registered.late,
      'gold.top_selling_items': top.late,
      'gold.conversion_funnel': 0,
      'gold.top_converting_items': converting.late,
      'gold.daily_product_performance': putInCart.late + daily.late,
      'gold.monthly_purchase_summary': monthly.late,
      'gold.user_engagement_segments': profileTable.late,
      'silver.logins_enriched': onceTried.late + onceTried.kept.length - triedInTime.length + userTable.late,
      'gold.login_anomalies': 0,
      'gold.system_load_5m': onceMeasured.late + measured.late,
    },
  };
}
