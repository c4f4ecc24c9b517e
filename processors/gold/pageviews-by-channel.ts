import { count, keyBy, mapValues, stage, tumbling, windowedBy } from '#topology';
import type { GoldPageviewsByChannel } from '#schemas';
import { topics } from '../topics.ts';
import { windowName } from './window-name.ts';

/** gold.pageviews_by_channel: views of items per hour and channel, up to the last commit. Key: windowStart|channel. */
export const pageviewsByChannel = stage('gold.pageviews_by_channel', (s) => {
  s.stream(topics.silver.pageviewsByItems)
    .pipe(
      keyBy((r) => r.value.channel),
      windowedBy(tumbling({ size: '1h', grace: '5m' })),
      count({ store: 'pageviews-by-channel', emit: 'updates' }),
    )
    .toStream()
    .pipe(
      mapValues((views, { key, start, end }): GoldPageviewsByChannel => ({
        windowStart: start,
        windowEnd: end,
        channel: key,
        views,
      })),
      keyBy((r) => windowName(r.value.windowStart, r.value.channel)),
    )
    .to(topics.gold.pageviewsByChannel);
});
