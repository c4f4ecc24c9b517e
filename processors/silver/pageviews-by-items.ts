import { filter } from 'rxjs';
import { asOfJoin, dedupe, keyBy, stage } from '#topology';
import type { SilverPageviewsByItems } from '#schemas';
import { topics } from '../topics.ts';
import { channelOf } from './channel.ts';

/** silver.pageviews_by_items: views of items, each once, with the item as it was then and the channel normalised. Key: item id. */
export const pageviewsByItems = stage('silver.pageviews_by_items', (s) => {
  const items = s.table(topics.silver.items, { store: 'pageviews-items' });
  s.stream(topics.bronze.app.pageviews)
    .pipe(
      filter((r) => r.value !== null && r.value.itemId !== null),
      dedupe({ by: (r) => r.value.eventId, within: '1h', store: 'pageviews-seen' }),
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
    )
    .to(topics.silver.pageviewsByItems);
});
