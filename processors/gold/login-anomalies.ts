import {
  atLeast,
  checked,
  contract,
  keyBy,
  keyValueStore,
  matches,
  oneOf,
  process,
  rule,
  sorted,
  stage,
} from '#topology';
import { FORM } from '../silver/clean.ts';
import type { GoldLoginAnomalies, SilverLoginsEnriched } from '#schemas';
import { topics } from '../topics.ts';
import { anomaliesOf, isForgotten, type LoginHistory, NO_HISTORY, remember } from './login-rules.ts';

/** What gold.login_anomalies promises. */
export const loginAnomaliesContract = contract(topics.gold.loginAnomalies, {
  grain: 'one row per login and rule that it breaks; final',
  key: 'eventId|rule',
  freshness: '4m',
  since: 'event',
  checks: [
    oneOf('rule', ['brute_force', 'impossible_travel', 'new_device_and_country']),
    rule('each rule has what shows it', (row) => {
      const [isForce, isTravel] = [row.rule === 'brute_force', row.rule === 'impossible_travel'];
      return isForce === (row.failures !== null) && isTravel === (row.previousAt !== null && row.distanceKm !== null);
    }),
    atLeast('userId', 1),
    matches('country', FORM.country, 'a country code'),
    atLeast('failures', 5),
    atLeast('distanceKm', 500),
  ],
  example: {
    eventId: '6f2c1f0e-0b5e-4b0a-9a53-3f1d7a0c5f10',
    rule: 'impossible_travel',
    userId: 7,
    occurredAt: Date.UTC(2026, 4, 17, 10),
    country: 'NG',
    device: 'pixel',
    homeCountry: 'GB',
    failures: null,
    previousAt: Date.UTC(2026, 4, 17, 9),
    distanceKm: 5_010,
  },
});

const stores = { histories: keyValueStore<string, LoginHistory>('login-histories') };

/** Judges the attempts of each user in their order; what nobody asks for any more is forgotten. */
const suspicious = process<string, SilverLoginsEnriched, string, GoldLoginAnomalies, typeof stores>(
  { name: 'login-clock', stores, eventTimeEvery: '1d', remembers: '90d' },
  (context) => ({
    process({ key, value: login, timestamp }) {
      const { histories } = context.stores;
      const history = histories.get(key) ?? NO_HISTORY;
      const { eventId, userId, country, device, homeCountry } = login;
      const about = { eventId, userId, occurredAt: timestamp, country, device, homeCountry };
      for (const found of anomaliesOf(history, login, timestamp)) {
        context.forward({ key, value: { ...about, ...found }, timestamp });
      }
      histories.put(key, remember(history, login, timestamp));
    },
    onEventTime(time) {
      const { histories } = context.stores;
      for (const [key, history] of histories.entries()) if (isForgotten(history, time)) histories.delete(key);
    },
  }),
);

/**
 * gold.login_anomalies: logins that somebody else than the user may have made, by the rules of login-rules.ts; each row is an alert, and never changes. Key:
 * eventId|rule.
 */
export const loginAnomalies = stage('gold.login_anomalies', (s) => {
  s.stream(topics.silver.loginsEnriched)
    .pipe(
      // Attempts are at most so late: silver has taken no others.
      sorted({ store: 'logins-in-order', grace: '1m' }),
      suspicious,
      keyBy((r) => `${r.value.eventId}|${r.value.rule}`),
      checked(loginAnomaliesContract),
    )
    .to(topics.gold.loginAnomalies);
});
