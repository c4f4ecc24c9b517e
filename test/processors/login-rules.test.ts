/** The rules of strange logins at their edges, and what is remembered for them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SilverLoginsEnriched } from '#schemas';
import {
  anomaliesOf,
  isForgotten,
  type LoginHistory,
  NO_HISTORY,
  remember,
} from '../../processors/gold/login-rules.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const BERLIN = { country: 'DE', latitude: 52.52, longitude: 13.405 };
const PRAGUE = { country: 'CZ', latitude: 50.0755, longitude: 14.4378 };
const LAGOS = { country: 'NG', latitude: 6.5244, longitude: 3.3792 };

type Attempt = Partial<SilverLoginsEnriched> & { readonly at: number };

const login = ({ at, ...rest }: Attempt): SilverLoginsEnriched => ({
  eventId: String(at),
  userId: 1,
  occurredAt: at,
  succeeded: true,
  method: 'password',
  device: 'iphone',
  homeCountry: null,
  registeredAt: null,
  ...BERLIN,
  ...rest,
});
const after = (...attempts: readonly Attempt[]): LoginHistory =>
  attempts.reduce((history, attempt) => remember(history, login(attempt), attempt.at), NO_HISTORY);
const rules = (history: LoginHistory, attempt: Attempt): string[] =>
  anomaliesOf(history, login(attempt), attempt.at).map(({ rule }) => rule);
const failures = (count: number, at: number): Attempt[] =>
  Array.from({ length: count }, () => ({ at, succeeded: false }));
const logins = (count: number): Attempt[] => Array.from({ length: count }, (_, i) => ({ at: i * DAY }));

describe('brute_force', () => {
  it('is five failures within ten minutes before a success', () => {
    const last = 10 * MINUTE;
    assert.deepEqual(rules(after(...failures(5, 0)), { at: last }), ['brute_force']);
    assert.deepEqual(rules(after(...failures(4, 0)), { at: last }), []);
    assert.deepEqual(rules(after(...failures(5, 0)), { at: last + 1 }), []);
    assert.deepEqual(rules(after(...failures(5, 0)), { at: last, succeeded: false }), []);
    assert.deepEqual(rules(after(...failures(4, 0), { at: 1 }, ...failures(4, 2)), { at: last }), []);
  });

  it('tells of at most twenty', () => {
    const [found] = anomaliesOf(after(...failures(30, 0)), login({ at: 1 }), 1);
    assert.deepEqual(found, { rule: 'brute_force', failures: 20, previousAt: null, distanceKm: null });
  });
});

describe('impossible_travel', () => {
  // 5,196 km: 5 h 46.5 min at 900 km/h.
  const flight = Math.round((5_196 / 900) * HOUR);

  it('is further than 500 km and faster than 900 km/h', () => {
    const [found] = anomaliesOf(after({ at: 7 }), login({ at: HOUR, ...LAGOS }), HOUR);
    assert.deepEqual(found, { rule: 'impossible_travel', failures: null, previousAt: 7, distanceKm: 5_196 });
    assert.deepEqual(rules(after({ at: 0 }), { at: flight - 2 * MINUTE, ...LAGOS }), ['impossible_travel']);
    assert.deepEqual(rules(after({ at: 0 }), { at: flight + 2 * MINUTE, ...LAGOS }), []);
    assert.deepEqual(rules(after({ at: 0 }), { at: 0, ...LAGOS }), ['impossible_travel']);
    assert.deepEqual(rules(after({ at: 0 }), { at: 0, ...PRAGUE }), []);
  });

  it('is not the way back, nor from or to places that nobody knows', () => {
    assert.deepEqual(rules(after({ at: 0 }, { at: 1, ...LAGOS }), { at: 2 }), []);
    const nowhere = { country: null, latitude: null, longitude: null };
    assert.deepEqual(rules(after({ at: 0 }), { at: 1, ...nowhere }), []);
    assert.deepEqual(rules(after({ at: 0 }, { at: 1, ...nowhere }), { at: 2, ...LAGOS }), ['impossible_travel']);
    assert.deepEqual(rules(after({ at: 0, ...nowhere }), { at: 2, ...LAGOS }), []);
  });
});

describe('new_device_and_country', () => {
  const strange = { at: 30 * DAY, device: 'pixel', ...PRAGUE };

  it('is both, and for somebody who is known', () => {
    assert.deepEqual(rules(after(...logins(3)), strange), ['new_device_and_country']);
    assert.deepEqual(rules(after(...logins(2)), strange), []);
    assert.deepEqual(rules(after(...logins(3)), { ...strange, device: 'iphone' }), []);
    assert.deepEqual(rules(after(...logins(3)), { ...strange, country: 'DE' }), []);
    assert.deepEqual(rules(after(...logins(3)), { ...strange, homeCountry: 'CZ' }), []);
    assert.deepEqual(rules(after(...logins(3)), { ...strange, device: null }), []);
    assert.deepEqual(rules(after(...logins(3)), { ...strange, country: null }), []);
  });

  it('asks for the last twenty logins of the last ninety days', () => {
    const before = { at: 0, device: 'pixel' };
    assert.deepEqual(rules(after(before, ...logins(19)), strange), []);
    assert.deepEqual(rules(after(before, ...logins(20)), strange), ['new_device_and_country']);
    const recent = [1, 2, 3].map((i) => ({ at: 90 * DAY - i }));
    assert.deepEqual(rules(after(before, ...recent), { ...strange, at: 90 * DAY }), []);
    assert.deepEqual(rules(after(before, ...recent), { ...strange, at: 90 * DAY + 1 }), ['new_device_and_country']);
  });
});

describe('what is remembered', () => {
  it('is bounded, and forgotten when no rule asks for it any more', () => {
    const history = after(...logins(100), ...failures(100, 100 * DAY));
    assert.deepEqual([history.logins.length, history.failures.length], [20, 20]);
    assert.equal(isForgotten(history, 190 * DAY), false);
    assert.equal(isForgotten(history, 190 * DAY + 1), true);
  });
});
