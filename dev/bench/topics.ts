/** Topics of the benchmark as Sluice reads and writes them. */
import { type Duration, originTopic, type Schema, topic, type Topic } from '#topology';
import { PARTITIONS } from './workload.ts';

type Field = readonly [name: string, type: unknown];

const record = <T>(name: string, fields: readonly Field[]): Schema<T> => ({
  name,
  definition: { type: 'record', name, fields: fields.map(([each, type]) => ({ name: each, type })) },
});

const TIME = { type: 'long', logicalType: 'timestamp-millis' };
const VIEW: readonly Field[] = ['event_id', 'user_id', 'item_id', 'channel', 'url'].map((name) => [name, 'string']);

export interface Pageview {
  readonly event_id: string;
  readonly user_id: string;
  readonly item_id: string;
  readonly channel: string;
  readonly url: string;
  readonly ts: number;
}
export interface Item {
  readonly item_id: string;
  readonly name: string;
  readonly category: string;
  readonly price_cents: number;
}
export interface ItemViews {
  readonly window_start: number;
  readonly item_id: string;
  readonly channel: string;
  readonly count: number;
}
export interface EnrichedView extends Pageview {
  readonly item_name: string | null;
  readonly category: string | null;
  readonly price_cents: number | null;
}

const pageview = record<Pageview>('PageView', [...VIEW, ['ts', TIME]]);
const counts = record<ItemViews>('ItemViews', [
  ['window_start', TIME],
  ['item_id', 'string'],
  ['channel', 'string'],
  ['count', 'long'],
]);
const enriched = record<EnrichedView>('Enriched', [
  ...VIEW,
  ['ts', 'long'],
  ['item_name', ['null', 'string']],
  ['category', ['null', 'string']],
  ['price_cents', ['null', 'long']],
]);
const item = record<Item>('Item', [
  ['item_id', 'string'],
  ['name', 'string'],
  ['category', 'string'],
  ['price_cents', 'long'],
]);

/** In the order of their ids (workload.ts, SCHEMA_IDS). */
export const SCHEMAS: readonly Schema<unknown>[] = [pageview, counts, enriched, item];

/** The lateness rule of the workload: a view counts while it is at most 1 h behind the newest of its partition. */
export const pageviewTopic = (
  name: string,
  { outOfOrderness = '1h', ...more }: { readonly outOfOrderness?: Duration; readonly partitions?: number } = {},
): Topic<string, Pageview> => originTopic(name, { value: pageview, outOfOrderness, ...more });
export const itemTopic = (name: string): Topic<string, Item> =>
  originTopic(name, { value: item, outOfOrderness: '0s' });
export const countTopic = (name: string, partitions: number = PARTITIONS): Topic<string, ItemViews> =>
  topic(name, { value: counts, partitions });
export const enrichedTopic = (name: string): Topic<string, EnrichedView> => topic(name, { value: enriched });
