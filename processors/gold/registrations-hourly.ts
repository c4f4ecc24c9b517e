import { filter } from 'rxjs';
import { count, dedupe, hopping, keyBy, mapValues, stage, windowedBy } from '#topology';
import type { GoldRegistrationsHourly } from '#schemas';
import { countryCode } from '../silver/clean.ts';
import { topics } from '../topics.ts';
import { windowName } from './window-name.ts';

/** gold.registrations_hourly: registrations of one hour, every 15 minutes, per country, up to the last commit. Key: windowStart|country. */
export const registrationsHourly = stage('gold.registrations_hourly', (s) => {
  s.stream(topics.bronze.app.registrations)
    .pipe(
      filter((r) => r.value !== null),
      dedupe({ by: (r) => r.value.eventId, within: '1h', store: 'registrations-seen' }),
      keyBy((r) => countryCode(r.value.country) ?? 'unknown'),
      windowedBy(hopping({ size: '1h', advance: '15m', grace: '5m' })),
      count({ store: 'registrations-hourly', emit: 'updates' }),
    )
    .toStream()
    .pipe(
      mapValues((registrations, { key, start, end }): GoldRegistrationsHourly => ({
        windowStart: start,
        windowEnd: end,
        country: key,
        registrations,
      })),
      keyBy((r) => windowName(r.value.windowStart, r.value.country)),
    )
    .to(topics.gold.registrationsHourly);
});
