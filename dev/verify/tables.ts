/** What `sluice verify` compares: the silver and gold tables, and how a row of each becomes comparable text. */

/** A table that has an oracle (test/oracles/<name>.sql). */
export interface VerifiedTable {
  /** Name of the topic, the schema and the stage. */
  readonly name: string;
  /** 'all': every record of the topic, as a multiset. 'last': the last value per key (tables that emit updates). */
  readonly rows: 'all' | 'last';
  /** The topic holds deletes: records without value. */
  readonly deletes: boolean;
  /** Columns that say which row it is: a row that is missing and one that is extra with the same identity are one that differs. */
  readonly identity: readonly string[];
  /** Written to PostgreSQL as the table of the same name. */
  readonly warehouse: boolean;
  /** Has a `<name>.late` topic that the oracle counts. */
  readonly late: boolean;
  /** Fewer rows of it show nothing. */
  readonly fewest: number;
  /** What its tasks promise in the ledger when all is done: the oracle's watermark of `of`, less the grace of finals, ms. */
  readonly promise: { readonly of: string; readonly lessMs: number };
}

/** All tables, in the order in which their oracles build on each other. */
export const VERIFIED_TABLES: readonly VerifiedTable[] = [
  table('silver.users', ['_key', '_ts'], { deletes: true, late: false, of: 'bronze.shop.users' }),
  table('silver.items', ['_key', '_ts'], { deletes: true, late: false, of: 'bronze.shop.items' }),
  table('silver.customer_profiles', ['_key', '_ts'], {
    deletes: true,
    late: false,
    warehouse: true,
    of: 'bronze.shop.customer_profiles',
  }),
  table('silver.purchases_enriched', ['purchaseId'], { warehouse: true }),
  table('silver.pageviews_by_items', ['eventId']),
  table('silver.sessions', ['_key'], { warehouse: true }),
  table('gold.sales_perf_24h', ['_key'], { warehouse: true, of: 'silver.purchases_enriched', lessMs: 5 * 60_000 }),
  table('gold.pageviews_by_channel', ['_key'], { rows: 'last', warehouse: true, of: 'silver.pageviews_by_items' }),
  table('gold.registrations_hourly', ['_key'], { rows: 'last', warehouse: true, of: 'bronze.app.registrations' }),
  table('gold.top_selling_items', ['_key'], { warehouse: true, of: 'silver.purchases_enriched', lessMs: 5 * 60_000 }),
  table('gold.monthly_purchase_summary', ['_key'], { rows: 'last', warehouse: true, of: 'silver.purchases_enriched' }),
  table('silver.logins_enriched', ['eventId', '_ts']),
  table('gold.system_load_5m', ['_key'], { rows: 'last', warehouse: true, of: 'bronze.ops.system_load' }),
  table('gold.login_anomalies', ['_key'], { warehouse: true, of: 'silver.logins_enriched', lessMs: 60_000 }),
  // A row per day and entry channel: a run of seconds has one or two days.
  table('gold.conversion_funnel', ['_key'], { rows: 'last', warehouse: true, fewest: 8, of: 'silver.sessions' }),
  table('gold.daily_product_performance', ['_key'], { rows: 'last', warehouse: true }),
  table('gold.top_converting_items', ['_key'], { warehouse: true, of: 'items viewed and sold', lessMs: 5 * 60_000 }),
  table('gold.order_trends', ['_key'], { rows: 'last', late: false, warehouse: true, of: 'silver.purchases_enriched' }),
  table('gold.customer_behaviour', ['_key'], { rows: 'last', late: false, warehouse: true, of: 'silver.sessions' }),
  table('gold.user_engagement_segments', ['_key'], { warehouse: true }),
  table('gold.segment_changes', ['_key', '_ts'], { late: false, of: 'gold.user_engagement_segments' }),
];

function table(
  name: string,
  identity: readonly string[],
  rest: Partial<VerifiedTable> & { readonly of?: string; readonly lessMs?: number } = {},
): VerifiedTable {
  const { rows = 'all', deletes = false, warehouse = false, late = true, fewest = 20, of = name, lessMs = 0 } = rest;
  return { name, rows, deletes, identity, warehouse, late, fewest, promise: { of, lessMs } };
}

/** The bronze topics that the oracles read. */
export const BRONZE_TOPICS = [
  'bronze.shop.users',
  'bronze.shop.items',
  'bronze.shop.purchases',
  'bronze.shop.customer_profiles',
  'bronze.app.pageviews',
  'bronze.app.cart_events',
  'bronze.app.registrations',
  'bronze.app.logins',
  'bronze.app.purchase_events',
  'bronze.ops.system_load',
] as const;

/** The topics that the collector writes, read by an oracle or not. */
export const APP_TOPICS = [
  'bronze.app.session_recordings',
  'bronze.app.pageviews',
  'bronze.app.cart_events',
  'bronze.app.registrations',
  'bronze.app.logins',
  'bronze.app.purchase_events',
  'bronze.ops.system_load',
] as const;

/** An Avro record schema, as far as columns go. */
export interface RecordDefinition {
  readonly fields: readonly { readonly name: string; readonly type: unknown }[];
}

/** Schema name -> its Avro definition; handed in by the composition root. */
export type Definitions = Readonly<Record<string, RecordDefinition>>;

/** A row as text, in the order of the table's columns. null = SQL NULL. Decimals are their unscaled integer, times ms, dates days. */
export type Row = readonly (string | null)[];

/** Columns of a table's rows: `_key`, then for whole records `_ts` (event time), `_ow` (origin watermark) and `_deleted`, then every field. */
export function columnsOf(table: VerifiedTable, definitions: Definitions): string[] {
  const fields = definitions[table.name]?.fields.map((field) => field.name) ?? [];
  const meta = table.rows === 'last' ? [] : table.deletes ? ['_ts', '_ow', '_deleted'] : ['_ts', '_ow'];
  return ['_key', ...meta, ...fields];
}

/** The text of one value. -infinity is the oracles' `never()`. */
export function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (value === -Infinity) return NEVER;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value);
}

/** What common.sql writes for -infinity. */
export const NEVER = '-9000000000000000';
