import { filter } from 'rxjs';
import {
  asOfJoin,
  count,
  type Duration,
  globalJoin,
  hopping,
  keyBy,
  mapValues,
  type Stage,
  stage,
  type Topic,
  windowedBy,
} from '#topology';
import type { EnrichedView, Item, ItemViews, Pageview } from './topics.ts';

/** R1 and R2: views per item, channel and hour, every 15 minutes. What is late is a matter of the topic, unless `grace` says more. */
export const itemViews = (
  pageviews: Topic<string, Pageview>,
  views: Topic<string, ItemViews>,
  grace: Duration = '0s',
): Stage =>
  stage('item_views', (s) => {
    s.stream(pageviews)
      .pipe(
        filter((r) => r.value !== null && r.value.item_id !== ''),
        keyBy((r) => `${r.value.item_id}|${r.value.channel}`, { name: 'by-item' }),
        mapValues(() => 1),
        windowedBy(hopping({ size: '1h', advance: '15m', grace })),
        count({ store: 'views', emit: 'updates' }),
      )
      .toStream()
      .pipe(
        mapValues((views_, { key, start }): ItemViews => {
          const bar = key.indexOf('|');
          return { window_start: start, item_id: key.slice(0, bar), channel: key.slice(bar + 1), count: views_ };
        }),
        keyBy(({ value }) => `${value.window_start}|${value.item_id}|${value.channel}`),
      )
      .to(views);
  });

/** R3: each view with its item, as the table has it when the view comes. Nothing is repartitioned, each row keeps the key of its view: as the peer does it. */
export const enrichedViews = (
  pageviews: Topic<string, Pageview>,
  items: Topic<string, Item>,
  enriched: Topic<string, EnrichedView>,
): Stage =>
  stage('enriched_views', (s) => {
    const table = s.globalTable(items, { store: 'items' });
    s.stream(pageviews)
      .pipe(globalJoin(table, (r) => r.value.item_id, enrich, { join: 'left' }))
      .to(enriched);
  });

/** R3-as-of: each view with the item as it was then, the same in every replay. */
export const enrichedAsOf = (
  pageviews: Topic<string, Pageview>,
  items: Topic<string, Item>,
  enriched: Topic<string, EnrichedView>,
): Stage =>
  stage('enriched_views', (s) => {
    const table = s.table(items, { store: 'items' });
    s.stream(pageviews)
      .pipe(
        keyBy((r) => r.value.item_id, { name: 'by-item' }),
        asOfJoin(table, enrich, { store: 'awaiting-items', grace: '6h', tableGrace: '0s', join: 'left' }),
      )
      .to(enriched);
  });

const enrich = (view: Pageview, row: Item | null): EnrichedView => ({
  ...view,
  item_name: row?.name ?? null,
  category: row?.category ?? null,
  price_cents: row?.price_cents ?? null,
});
