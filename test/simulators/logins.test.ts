/** What the labels of the logins say is so in the logins themselves. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { distanceKm, FAR_CITIES, HOMES, RESORTS } from '../../simulators/cities.ts';
import { type LoginAttempt, LoginSource } from '../../simulators/logins.ts';
import { Random } from '../../simulators/random.ts';
import { seedWorld } from '../../simulators/world.ts';

const MINUTE = 60_000;
const ATTEMPTS = 20_000;

interface Made extends LoginAttempt {
  readonly at: number;
}

function make(seed: string): Made[] {
  const logins = new LoginSource(new Random(seed, 'logins'), seedWorld(new Random(seed, 'seed'), 0));
  let at = 0;
  return Array.from({ length: ATTEMPTS }, () => {
    at += logins.isBusy ? 4_000 : MINUTE;
    return { ...logins.next(at), at };
  });
}

const made = make('1');
const labelled = (label: string): Made[] => made.filter(({ labels }) => labels.some((each) => each === label));
/** The last attempt of the same user before it that `fits`. */
const before = (one: Made, fits: (attempt: Made) => boolean): Made | undefined =>
  made.slice(0, made.indexOf(one)).findLast((each) => each.userId === one.userId && fits(each));
const place = ({ country, latitude, longitude }: Made) => ({
  country: country ?? '',
  latitude: latitude ?? NaN,
  longitude: longitude ?? NaN,
});

describe('logins', () => {
  it('are the same for the same seed, and no fewer than fit into the stated shares', () => {
    assert.deepEqual(make('1'), made);
    for (const label of ['brute_force', 'impossible_travel', 'new_device_and_country']) {
      const { length } = labelled(label);
      assert.ok(length > 0.01 * ATTEMPTS * 0.7 && length < 0.03 * ATTEMPTS, `${length} of ${label}`);
    }
    assert.ok(made.filter(({ succeeded }) => succeeded).length > 0.6 * ATTEMPTS);
    assert.ok(made.every(({ succeeded, labels }) => succeeded || labels.length === 0));
  });

  it('of brute force follow at least six failures, which take no longer than a minute', () => {
    for (const one of labelled('brute_force')) {
      const last = made.slice(0, made.indexOf(one)).findLastIndex(({ succeeded }) => succeeded);
      const failures = made.slice(last + 1, made.indexOf(one)).filter(({ userId }) => userId === one.userId);
      assert.ok(failures.length >= 6 && one.at - (failures.at(-6)?.at ?? 0) <= MINUTE);
    }
  });

  it('of an impossible journey are further than 900 km an hour from the login before; all others are not', () => {
    const lastOf = new Map<number | null, Made>();
    for (const one of made.filter(({ succeeded, latitude }) => succeeded && latitude !== null)) {
      const last = lastOf.get(one.userId);
      lastOf.set(one.userId, one);
      if (last === undefined || last.labels.length > 0) continue;
      const km = distanceKm(place(last), place(one));
      const isImpossible = km > 500 && km / ((one.at - last.at) / 3_600_000) > 900;
      assert.equal(isImpossible, one.labels.includes('impossible_travel'), JSON.stringify([last, one]));
    }
  });

  it('of a new device and country have both for the first time', () => {
    const known = (text: string | null): string | undefined => text?.trim().toLowerCase();
    for (const one of labelled('new_device_and_country')) {
      assert.equal(
        before(one, ({ device }) => known(device) === known(one.device)),
        undefined,
      );
      assert.equal(
        before(one, ({ country }) => known(country) === known(one.country)),
        undefined,
      );
    }
  });

  it('come from places that are as near and as far as their catalogue says', () => {
    for (const { city, abroad } of HOMES) assert.ok(distanceKm(city, abroad) < 450, JSON.stringify(abroad));
    const known = [...RESORTS, ...HOMES.flatMap(({ city, abroad }) => [city, abroad])];
    for (const far of FAR_CITIES)
      for (const one of known) assert.ok(distanceKm(far, one) > 1_000, JSON.stringify([far, one]));
    assert.equal(
      Math.round(distanceKm({ country: '', latitude: 0, longitude: 0 }, { country: '', latitude: 0, longitude: 180 })),
      20_015,
    );
  });
});
