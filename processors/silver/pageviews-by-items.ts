import { filter } from 'rxjs';
import { asOfJoin, atLeast, checked, contract, dedupe, keyBy, matches, oneOf, stage } from '#topology';
import type { SilverPageviewsByItems } from '#schemas';
import { ONCE } from '../once.ts';
import { topics } from '../topics.ts';
import { CHANNELS, channelOf } from './channel.ts';
import { FORM } from './clean.ts';

/** What silver.pageviews_by_items promises. */
export const pageviewsByItemsContract = contract(topics.silver.pageviewsByItems, {
  grain: 'one row per view of an item, each event once',
  key: 'itemId',
  freshness: '3m',
  since: 'event',
  checks: [atLeast('itemId', 1), matches('category', FORM.lowerCase, 'in lower case'), oneOf('channel', CHANNELS)],
  example: {
    eventId: '6f2c1f0e-0b5e-4b0a-9a53-3f1d7a0c5f10',
    itemId: 3,
    title: 'Quiet Lamp No. 3',
    category: 'home',
    channel: 'search',
    userId: 7,
    anonymousId: 'anon-5',
    occurredAt: Date.UTC(2026, 4, 17, 10),
  },
});

/** silver.pageviews_by_items: views of items, each once, with the item as it was then and the channel normalised. Key: item id. */
export const pageviewsByItems = stage('silver.pageviews_by_items', (s) => {
  const items = s.table(topics.silver.items, { store: 'pageviews-items' });
  s.stream(topics.bronze.app.pageviews)
    .pipe(
      filter((r) => r.value !== null && r.value.itemId !== null),
      dedupe({ by: (r) => r.value.eventId, ...ONCE.pageviews, store: 'pageviews-seen' }),
      keyBy((r) => String(r.value.itemId), { name: 'pageviews-by-item' }),
      asOfJoin(
        items,
        (view, item, itemId): SilverPageviewsByItems => ({
          eventId: view.eventId,
          itemId: Number(itemId),
          title: item?.title ?? null,
          category: item?.category ?? 'unknown',
          channel: channelOf(view.channel),
          userId: view.userId,
          anonymousId: view.anonymousId,
          occurredAt: view.occurredAt,
        }),
        { store: 'pageviews-awaiting-items', grace: '1m', tableGrace: '1m', join: 'left' },
      ),
      checked(pageviewsByItemsContract),
    )
    .to(topics.silver.pageviewsByItems);
});
