import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Comparison } from '../../dev/verify/compare.ts';
import type { BronzeDump, BronzeRecord } from '../../dev/verify/oracle-database.ts';
import { VERIFIED_TABLES } from '../../dev/verify/tables.ts';
import { BROKEN_RULES_OF_HOSTS_AND_LOGINS, type BrokenRule } from './broken-rules.ts';
import { BROKEN_VISITS } from './broken-visits.ts';
import { firstWrong, isWrong, verify } from './judge.ts';
import { type Expected, expectedOf, type OutputRow, type Timed } from './reference.ts';
import { restsOnVisits } from './rests-on-visits.ts';
import { SHOWN_BY } from './shown-by.ts';
import { DAY, HOUR, makeDump, MINUTE, SECOND, START } from './synthetic.ts';

const SEEDS = 40;
const FIRST = Number(process.env['SLUICE_SEED'] ?? 1);

/** Of a seed; made once. */
const dumpOf = once(makeDump);
const truthOf = once((seed: number): Expected => expectedOf(dumpOf(seed)));

function once<T>(make: (seed: number) => T): (seed: number) => T {
  const made = new Map<number, T>();
  return (seed) => {
    const known = made.get(seed) ?? make(seed);
    made.set(seed, known);
    return known;
  };
}

describe('oracles', () => {
  test('give the rows that the rules demand, for every seed', async (t) => {
    const rows = new Map<string, number>();
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const results = await verify(dumpOf(seed), truthOf(seed));
      const first = [...results.values()].find(isWrong);
      assert.equal(first, undefined, `SLUICE_SEED=${seed}: ${first?.name}\n${first?.examples.join('\n')}`);
      for (const { name, rows: n } of results.values()) rows.set(name, (rows.get(name) ?? 0) + n);
    }
    // What a join with 60 s of grace let through is never late for a window with 5 min.
    for (const name of [
      'gold.sales_perf_24h.late',
      'gold.pageviews_by_channel.late',
      'gold.top_selling_items.late',
      'gold.top_converting_items.late',
      'gold.login_anomalies.late',
    ])
      assert.equal(rows.get(name), 0);
    for (const [name, n] of rows)
      if (n > 0) assert.ok(n >= 100, `${name}: only ${n} rows in ${SEEDS} seeds show little`);
    t.diagnostic(`seeds ${FIRST}..${FIRST + SEEDS - 1}: ${[...rows].map(([name, n]) => `${name} ${n}`).join(', ')}`);
  });

  test('zero rows are no success', async () => {
    const dump: BronzeDump = { records: [], pins: [], ends: makeDump(1).ends };
    for (const result of (await verify(dump, expectedOf(dump))).values()) {
      if (result.name.endsWith('.late')) continue;
      assert.equal(result.ok, false, result.name);
      assert.match(result.examples.join(), /no rows/);
    }
  });
});

/** A dump in which everything is there: the first seed with rows in every table. */
const [dump, truth] = ((): [BronzeDump, Expected] => {
  for (let seed = 1; ; seed++) {
    const expected = truthOf(seed);
    if (Object.values(expected.tables).every((rows) => rows.length >= 10)) return [dumpOf(seed), expected];
  }
})();

const same = (a: BronzeRecord, b: BronzeRecord): boolean =>
  a.topic === b.topic && a.partition === b.partition && a.offset === b.offset;

/** The dump with one record replaced. */
function changed(record: BronzeRecord, by: Partial<BronzeRecord>): BronzeDump {
  return { ...dump, records: dump.records.map((each) => (same(each, record) ? { ...each, ...by } : each)) };
}

/** The last fitting record that is in time for a join, rather one that moved no clock: without it others may become early or late. */
const lastOf = (topic: string, fits: (value: Record<string, unknown>, record: Timed) => boolean): Timed => {
  const outOfOrderness = topic.startsWith('bronze.shop.') ? 10 * SECOND : MINUTE;
  const fitting = truth.clocked
    .get(topic)!
    .filter((each) => each.value !== null && each.ow > START + HOUR && each.ow <= each.timestamp + MINUTE)
    .filter((each) => fits(each.value as Record<string, unknown>, each));
  const found = fitting.findLast((each) => each.ow > each.timestamp - outOfOrderness) ?? fitting.at(-1);
  assert.ok(found !== undefined, `no fitting record in ${topic}`);
  return found;
};
const withAfter = (record: BronzeRecord, change: object): Partial<BronzeRecord> => {
  const value = record.value as { after: object };
  return { value: { ...value, after: { ...value.after, ...change } } };
};
const idOf = (value: Record<string, unknown>): unknown => (value['after'] as { id: number } | null)?.id;
const inTable = (table: string, column: string, value: unknown): boolean =>
  truth.tables[table]!.some((row) => row[column] === value);

const saidByApp = new Set<unknown>(
  truth.clocked.get('bronze.app.purchase_events')!.map(({ value }) => (value as { purchaseId: number }).purchaseId),
);
/** The row of a purchase of which the app does not speak: no event takes the place of the record. */
const saleOf = (value: Record<string, unknown>, timestamp: number) =>
  truth.tables['silver.purchases_enriched']!.find(
    (row) => row['purchaseId'] === idOf(value) && row._ts === timestamp && !saidByApp.has(row['purchaseId']),
  );

/** A purchase that is in a closed window of the gold table. */
const soldInWindow = (value: Record<string, unknown>, { timestamp }: Timed): boolean => {
  const sale = saleOf(value, timestamp);
  return truth.tables['gold.sales_perf_24h']!.some(
    (row) =>
      sale !== undefined &&
      row['category'] === sale['category'] &&
      row['country'] === sale['country'] &&
      (row['windowStart'] as number) <= sale._ts &&
      sale._ts < (row['windowEnd'] as number) &&
      sale._ow < (row['windowEnd'] as number),
  );
};
const viewed = (value: Record<string, unknown>): boolean =>
  inTable('silver.pageviews_by_items', 'eventId', value['eventId']);

/** Where the record of RESTS_ON must show as late. */
const LATE_WITH: Record<string, string> = {
  'silver.items': 'silver.pageviews_by_items.late',
  'silver.users': 'silver.purchases_enriched.late',
  'silver.purchases_enriched': 'silver.purchases_enriched.late',
  'silver.pageviews_by_items': 'silver.pageviews_by_items.late',
  'silver.sessions': 'silver.sessions.late',
  'gold.conversion_funnel': 'silver.sessions.late',
  'gold.top_converting_items': 'silver.pageviews_by_items.late',
  'gold.order_trends': 'silver.purchases_enriched.late',
  'gold.customer_behaviour': 'silver.purchases_enriched.late',
  'gold.daily_product_performance': 'gold.daily_product_performance.late',
  'gold.sales_perf_24h': 'silver.purchases_enriched.late',
  'gold.pageviews_by_channel': 'silver.pageviews_by_items.late',
  'gold.registrations_hourly': 'gold.registrations_hourly.late',
  'gold.top_selling_items': 'silver.purchases_enriched.late',
  'gold.monthly_purchase_summary': 'silver.purchases_enriched.late',
  'silver.logins_enriched': 'silver.logins_enriched.late',
  'gold.login_anomalies': 'silver.logins_enriched.late',
  'gold.system_load_5m': 'gold.system_load_5m.late',
};

const PREFERS_GERMAN = '{"language": "de", "newsletter": true}';

const rowsOf = (table: string): readonly OutputRow[] => truth.tables[table] ?? [];

/** Per table a bronze record that it rests on, and a change of value that its rows must show. */
const RESTS_ON: Record<string, () => { record: Timed; value: Partial<BronzeRecord> }> = {
  'silver.users': () => {
    const record = lastOf('bronze.shop.users', (value) => value['op'] === 'u');
    return { record, value: withAfter(record, { full_name: 'Somebody Else' }) };
  },
  'silver.items': () => {
    const record = lastOf('bronze.shop.items', (value) => value['op'] === 'u');
    return { record, value: withAfter(record, { price: 1n }) };
  },
  'silver.customer_profiles': () => {
    const record = lastOf(
      'bronze.shop.customer_profiles',
      (value) => value['op'] === 'u' && (value['after'] as { preferences: unknown }).preferences === PREFERS_GERMAN,
    );
    return { record, value: withAfter(record, { preferences: '{"language": "es", "newsletter": true}' }) };
  },
  'silver.purchases_enriched': () => {
    const record = lastOf('bronze.shop.purchases', (value, { timestamp }) => saleOf(value, timestamp) !== undefined);
    return { record, value: withAfter(record, { quantity: 77 }) };
  },
  'silver.pageviews_by_items': () => {
    const record = lastOf('bronze.app.pageviews', viewed);
    return { record, value: { value: { ...(record.value as object), anonymousId: 'somebody else' } } };
  },
  'gold.sales_perf_24h': () => {
    const record = lastOf('bronze.shop.purchases', soldInWindow);
    return { record, value: withAfter(record, { quantity: 77 }) };
  },
  'gold.pageviews_by_channel': () => {
    const record = lastOf('bronze.app.pageviews', (value) => viewed(value) && value['channel'] === 'radio');
    return { record, value: { value: { ...(record.value as object), channel: 'direct' } } };
  },
  'gold.registrations_hourly': () => {
    const record = lastOf(
      'bronze.app.registrations',
      (value, { ow, timestamp }) => ow < timestamp && value['country'] === 'FR',
    );
    return { record, value: { value: { ...(record.value as object), country: 'ES' } } };
  },
  'gold.top_selling_items': () => {
    const record = lastOf('bronze.shop.purchases', soldInWindow);
    return { record, value: withAfter(record, { quantity: 77 }) };
  },
  'gold.monthly_purchase_summary': () => {
    const record = lastOf('bronze.shop.purchases', soldInWindow);
    return { record, value: withAfter(record, { quantity: 77 }) };
  },
  'silver.logins_enriched': () => {
    const record = lastOf('bronze.app.logins', (value) =>
      inTable('silver.logins_enriched', 'eventId', value['eventId']),
    );
    return { record, value: { value: { ...(record.value as object), method: 'smoke signals' } } };
  },
  'gold.system_load_5m': () => {
    const record = lastOf(
      'bronze.ops.system_load',
      (value, { ow, timestamp }) => ow < timestamp && value['host'] === 'db-1',
    );
    return { record, value: { value: { ...(record.value as object), host: 'db-2' } } };
  },
  'gold.login_anomalies': () => {
    const record = lastOf('bronze.app.logins', (value) => inTable('gold.login_anomalies', 'eventId', value['eventId']));
    return { record, value: { value: { ...(record.value as object), succeeded: false } } };
  },
  ...restsOnVisits(rowsOf, lastOf, (value, { timestamp }) => saleOf(value, timestamp) !== undefined),
};

/** What `name` compares to, by the oracle of `table` over a dump. */
async function judged(dump: BronzeDump, table: string, name: string): Promise<Comparison> {
  const found = await firstWrong(dump, truth, { first: table, wrong: (result) => result.name === name });
  assert.ok(found !== undefined, `there is no ${name}`);
  return found;
}

describe('the comparison fails when one bronze row changes', () => {
  test('the unchanged dump passes', async () => {
    assert.deepEqual(
      [...(await verify(dump, truth)).values()].filter((each) => !each.ok),
      [],
    );
  });

  for (const table of VERIFIED_TABLES) {
    test(`${table.name}: another value`, async () => {
      const { record, value } = RESTS_ON[table.name]!();
      const result = await judged(changed(record, value), table.name, table.name);
      assert.equal(result.ok, false);
      assert.ok(result.examples.length > 0 && result.examples.length <= 5);
    });

    test(`${table.name}: a timestamp that makes it late`, async () => {
      const { record } = RESTS_ON[table.name]!();
      const timestamp = START - 3 * DAY;
      const value = {
        ...(record.value as object),
        ...('occurredAt' in (record.value as object) ? { occurredAt: timestamp } : {}),
      };
      const late = changed(record, { timestamp, value });
      assert.equal((await judged(late, table.name, table.name)).ok, false);
      const shows = LATE_WITH[table.name];
      if (shows !== undefined) assert.equal((await judged(late, shows.replace(/\.late$/, ''), shows)).ok, false);
    });
  }
});

/** Each rule of event time broken alone in the SQL. */
const BROKEN: Record<string, BrokenRule> = {
  ...BROKEN_RULES_OF_HOSTS_AND_LOGINS,
  'pins move no clock': {
    file: 'common',
    from: 'NULL, NULL, NULL FROM pin',
    to: 'NULL, NULL, NULL FROM pin WHERE false',
  },
  'pins behind a record move its clock too': {
    file: 'common',
    from: 'SELECT topic, partition, "at", 0, m,',
    to: 'SELECT topic, partition, 0, 0, m,',
  },
  'a pin at the offset comes after the record': {
    file: 'common',
    from: 'SELECT topic, partition, "at", 0, m,',
    to: 'SELECT topic, partition, "at", 2, m,',
  },
  'pins at the end do not count': { file: 'common', from: 'p."at" <= e."end"', to: 'p."at" < e."end"' },
  'pins behind the end count': { file: 'common', from: ' AND p."at" <= e."end"', to: '' },
  'rows of a snapshot move the clock': {
    file: 'common',
    from: "CASE WHEN op = 'r' THEN NULL ELSE ts - out_of_orderness END",
    to: 'ts - out_of_orderness',
  },
  'records far ahead move the clock': { file: 'common', from: '> hour()', to: '> -never()' },
  'the order of the clock is event time': {
    file: 'common',
    from: 'ORDER BY "at", turn',
    to: 'ORDER BY ts, "at", turn',
  },
  'no outOfOrderness': {
    file: 'common',
    from: "'bronze.shop.purchases', 10 * second()",
    to: "'bronze.shop.purchases', 0",
  },
  'promises are not rounded': { file: 'common', from: 'promised(m) AS floor_to(m, second())', to: 'promised(m) AS m' },
  'late items count': { file: 'silver.items', from: 'WHERE _ow <= _ts + minute()\nQUALIFY', to: 'QUALIFY' },
  'late users count': { file: 'silver.users', from: 'WHERE _ow <= _ts + minute()\nQUALIFY', to: 'QUALIFY' },
  'of two versions at one instant the first stands': { file: 'silver.items', from: 'co_offset DESC', to: 'co_offset' },
  'versions of the same instant do not count': {
    file: 'silver.purchases_enriched',
    from: 'p.ts >= i._ts',
    to: 'p.ts > i._ts',
  },
  'the table is read as it is now': {
    file: 'silver.purchases_enriched',
    from: "watermark_of('bronze.shop.items') > p.ts + minute() AS released",
    to: 'true AS released',
  },
  'a purchase at the edge of the grace is late': {
    file: 'silver.purchases_enriched',
    from: 'ow > ts + minute() AS is_late',
    to: 'ow >= ts + minute() AS is_late',
  },
  'the first join holds nothing back': {
    file: 'silver.purchases_enriched',
    from: 'FROM purchase_with_item WHERE NOT released;',
    to: 'FROM purchase_with_item WHERE false;',
  },
  'the second join holds nothing back': {
    file: 'silver.purchases_enriched',
    from: 'FROM purchase_with_user WHERE NOT released;',
    to: 'FROM purchase_with_user WHERE false;',
  },
  'a birthday counts from the day after': {
    file: 'silver.purchases_enriched',
    from: 'day(day) < month',
    to: 'day(day) <= month',
  },
  'windows close one tick later': {
    file: 'gold.sales_perf_24h',
    from: '>= window_end + 5 * minute()\nGROUP',
    to: '> window_end + 5 * minute()\nGROUP',
  },
  'windows accept at the edge of the grace': {
    file: 'gold.registrations_hourly',
    from: 'ow >= window_end',
    to: 'ow > window_end',
  },
  'no grace': { file: 'gold.registrations_hourly', from: 'window_end + 5 * minute()', to: 'window_end' },
  'duplicates stay in': { file: 'common', from: '<= seen_within(topic))) > 0', to: '< 0)) > 0' },
  'duplicates an hour apart stay in': {
    file: 'common',
    from: '<= seen_within(topic))) > 0',
    to: '< seen_within(topic))) > 0',
  },
  'duplicates of any time go': { file: 'common', from: '<= seen_within(topic))) > 0', to: '<= -never())) > 0' },
  'the earliest of duplicates stays, not the first of the log': {
    file: 'common',
    from: `list({'at': "offset", 'ts': ts} ORDER BY "offset")`,
    to: `list({'at': "offset", 'ts': ts} ORDER BY ts, "offset")`,
  },
  'an event at the edge of its horizon is late': { file: 'common', from: 'ow > ts + hour()', to: 'ow >= ts + hour()' },
  'months and days are those of UTC': {
    file: 'common',
    from: `AT TIME ZONE 'UTC' AT TIME ZONE 'Europe/Berlin'`,
    to: `AT TIME ZONE 'UTC' AT TIME ZONE 'UTC'`,
  },
  'ties go to the larger id': {
    file: 'gold.top_selling_items',
    from: 'units DESC, "itemId")',
    to: 'units DESC, "itemId" DESC)',
  },
  'an item is called what it was at first': {
    file: 'gold.top_selling_items',
    from: 'last("title" ORDER BY',
    to: 'first("title" ORDER BY',
  },
  'open hours are ranked too': {
    file: 'gold.top_selling_items',
    from: ` AND watermark_of('silver.purchases_enriched') >= window_end + 5 * minute()`,
    to: '',
  },
};

describe('each rule broken alone is noticed', () => {
  for (const [name, { file, from, to }] of Object.entries({ ...BROKEN, ...BROKEN_VISITS })) {
    test(name, async (t) => {
      const edit = (sql: string, of: string): string => {
        if (of !== file) return sql;
        assert.ok(sql.includes(from), `${file}.sql no longer holds ${from}`);
        return sql.replace(from, () => to);
      };
      const first = SHOWN_BY[name] ?? 1;
      const others = Array.from({ length: SEEDS }, (_, i) => i + 1).filter((seed) => seed !== first);
      for (const seeds of [[first], others]) {
        // What the file itself makes of a seed is cheaper than what all files make of it.
        for (const alone of file === 'common' ? [false] : [true, false]) {
          for (const seed of seeds) {
            const found = await firstWrong(dumpOf(seed), truthOf(seed), { edit, first: file, alone, wrong: isWrong });
            if (found !== undefined) return t.diagnostic(`seed ${seed}: ${found.name}`);
          }
        }
      }
      assert.fail(`${SEEDS} seeds and no row differs`);
    });
  }
});
