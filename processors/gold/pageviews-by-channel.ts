import {
  atLeast,
  checked,
  contract,
  count,
  keyBy,
  mapValues,
  oneOf,
  rule,
  stage,
  tumbling,
  windowedBy,
} from '#topology';
import type { GoldPageviewsByChannel } from '#schemas';
import { CHANNELS } from '../silver/channel.ts';
import { topics } from '../topics.ts';
import { windowName } from './window-name.ts';

const HOUR = 3_600_000;

/** What gold.pageviews_by_channel promises. */
export const pageviewsByChannelContract = contract(topics.gold.pageviewsByChannel, {
  grain: 'one row per full hour and channel; updated while the hour lasts',
  key: 'windowStart|channel',
  freshness: '3m',
  since: 'event',
  checks: [
    rule(
      'the window is a full hour',
      (row) => row.windowEnd - row.windowStart === HOUR && row.windowStart % HOUR === 0,
    ),
    oneOf('channel', CHANNELS),
    atLeast('views', 1),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 17, 10),
    windowEnd: Date.UTC(2026, 4, 17, 11),
    channel: 'search',
    views: 12,
  },
});

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
      checked(pageviewsByChannelContract),
    )
    .to(topics.gold.pageviewsByChannel);
});
