import { filter } from 'rxjs';
import {
  atLeast,
  checked,
  contract,
  count,
  dedupe,
  hopping,
  keyBy,
  mapValues,
  matches,
  rule,
  stage,
  windowedBy,
} from '#topology';
import type { GoldRegistrationsHourly } from '#schemas';
import { countryCode, FORM } from '../silver/clean.ts';
import { ONCE } from '../once.ts';
import { topics } from '../topics.ts';
import { windowName } from './window-name.ts';

const HOUR = 3_600_000;

/** What gold.registrations_hourly promises. */
export const registrationsHourlyContract = contract(topics.gold.registrationsHourly, {
  grain: 'one row per window of an hour, which begins every 15 minutes, and country; updated while it lasts',
  key: 'windowStart|country',
  freshness: '3s',
  since: 'event',
  checks: [
    rule(
      'the window is an hour',
      (row) => row.windowEnd - row.windowStart === HOUR && row.windowStart % (HOUR / 4) === 0,
    ),
    matches('country', FORM.countryOrUnknown, "a country code or 'unknown'"),
    atLeast('registrations', 1),
  ],
  example: {
    windowStart: Date.UTC(2026, 4, 17, 10),
    windowEnd: Date.UTC(2026, 4, 17, 11),
    country: 'GB',
    registrations: 2,
  },
});

/** gold.registrations_hourly: registrations of one hour, every 15 minutes, per country, up to the last commit. Key: windowStart|country. */
export const registrationsHourly = stage('gold.registrations_hourly', (s) => {
  s.stream(topics.bronze.app.registrations)
    .pipe(
      filter((r) => r.value !== null),
      dedupe({ by: (r) => r.value.eventId, ...ONCE.registrations, store: 'registrations-seen' }),
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
      checked(registrationsHourlyContract),
    )
    .to(topics.gold.registrationsHourly);
});
