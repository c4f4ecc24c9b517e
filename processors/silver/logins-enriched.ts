import { filter } from 'rxjs';
import { asOfJoin, atLeast, between, checked, contract, dedupe, keyBy, matches, stage } from '#topology';
import type { SilverLoginsEnriched } from '#schemas';
import { ONCE } from '../once.ts';
import { topics } from '../topics.ts';
import { countryCode, FORM, text } from './clean.ts';

/** What silver.logins_enriched promises. */
export const loginsEnrichedContract = contract(topics.silver.loginsEnriched, {
  grain: 'one row per attempt to log in that names a user, each event once',
  key: 'userId',
  freshness: '3m',
  since: 'event',
  checks: [
    atLeast('userId', 1),
    matches('method', FORM.lowerCase, 'in lower case'),
    matches('country', FORM.country, 'a country code'),
    matches('device', FORM.lowerCase, 'in lower case'),
    between('latitude', -90, 90),
    between('longitude', -180, 180),
    matches('homeCountry', FORM.country, 'a country code'),
  ],
  example: {
    eventId: '6f2c1f0e-0b5e-4b0a-9a53-3f1d7a0c5f10',
    userId: 7,
    occurredAt: Date.UTC(2026, 4, 17, 10),
    succeeded: true,
    method: 'password',
    country: 'GB',
    device: 'pixel',
    latitude: 51.5074,
    longitude: -0.1278,
    homeCountry: 'GB',
    registeredAt: Date.UTC(2026, 4, 1),
  },
});

/**
 * silver.logins_enriched: attempts to log in, each once, with the user as known then. Attempts that name no user have nobody to be joined with: they are
 * left out. Key: user id.
 */
export const loginsEnriched = stage('silver.logins_enriched', (s) => {
  const users = s.table(topics.silver.users, { store: 'logins-users' });
  s.stream(topics.bronze.app.logins)
    .pipe(
      filter((r) => r.value !== null && r.value.userId !== null),
      dedupe({ by: (r) => r.value.eventId, ...ONCE.logins, store: 'logins-seen' }),
      keyBy((r) => String(r.value.userId), { name: 'logins-by-user' }),
      asOfJoin(
        users,
        (login, user, userId): SilverLoginsEnriched => ({
          eventId: login.eventId,
          userId: Number(userId),
          occurredAt: login.occurredAt,
          succeeded: login.succeeded,
          method: login.method.trim().toLowerCase(),
          country: countryCode(login.country),
          device: text(login.device)?.toLowerCase() ?? null,
          latitude: login.latitude,
          longitude: login.longitude,
          homeCountry: user?.country ?? null,
          registeredAt: user?.createdAt ?? null,
        }),
        { store: 'logins-awaiting-users', grace: '1m', tableGrace: '1m', join: 'left' },
      ),
      checked(loginsEnrichedContract),
    )
    .to(topics.silver.loginsEnriched);
});
