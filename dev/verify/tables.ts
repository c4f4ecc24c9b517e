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
  /** Has a `<name>.late` topic. */
  readonly late: boolean;
}

/** All tables, in the order in which their oracles build on each other. */
export const VERIFIED_TABLES: readonly VerifiedTable[] = [
  { name: 'silver.users', rows: 'all', deletes: true, identity: ['_key', '_ts'], warehouse: false, late: false },
  { name: 'silver.items', rows: 'all', deletes: true, identity: ['_key', '_ts'], warehouse: false, late: false },
  silver('silver.purchases_enriched', ['purchaseId'], true),
  silver('silver.pageviews_by_items', ['eventId'], false),
  { name: 'gold.sales_perf_24h', rows: 'all', deletes: false, identity: ['_key'], warehouse: true, late: true },
  { name: 'gold.pageviews_by_channel', rows: 'last', deletes: false, identity: ['_key'], warehouse: true, late: true },
  { name: 'gold.registrations_hourly', rows: 'last', deletes: false, identity: ['_key'], warehouse: true, late: true },
];

function silver(name: string, identity: readonly string[], warehouse: boolean): VerifiedTable {
  return { name, rows: 'all', deletes: false, identity, warehouse, late: true };
}

/** The bronze topics that the oracles read. */
export const BRONZE_TOPICS = [
  'bronze.shop.users',
  'bronze.shop.items',
  'bronze.shop.purchases',
  'bronze.app.pageviews',
  'bronze.app.registrations',
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
