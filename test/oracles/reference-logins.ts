/** Logins and what is strange about them: the part of the reference that remembers users. Written from the rules, without windows or joins. */
import type { OutputRow, Timed } from './reference.ts';
import { DAY, HOUR, MINUTE } from './synthetic.ts';

type Fields = Record<string, unknown>;

const lower = (value: unknown): string | null =>
  typeof value === 'string' ? value.trim().toLowerCase() || null : null;

/** The attempts with what the shop knew of the user. `userOf`: the row of a user at a time. */
export function enrichedLogins(
  attempts: readonly Timed[],
  countryOf: (written: unknown) => string | null,
  userOf: (id: unknown, at: number) => Fields | undefined,
): (OutputRow & { readonly place: Timed })[] {
  return attempts.map((record) => {
    const { eventId, userId, occurredAt, succeeded, method, country, device, latitude, longitude } =
      record.value as Fields;
    const user = userOf(userId, record.timestamp);
    return {
      _key: String(userId),
      _ts: record.timestamp,
      _ow: record.ow,
      place: record,
      eventId,
      userId,
      occurredAt,
      succeeded,
      latitude,
      longitude,
      method: lower(method),
      country: countryOf(country),
      device: lower(device),
      homeCountry: user?.['country'] ?? null,
      registeredAt: user?.['createdAt'] ?? null,
    };
  });
}

/** By the spherical law of cosines, on a sphere of 6,371 km. */
function kilometres(a: Fields, b: Fields): number | undefined {
  const degrees = [a['latitude'], a['longitude'], b['latitude'], b['longitude']];
  if (degrees.includes(null)) return undefined;
  const [p = 0, x = 0, q = 0, y = 0] = degrees.map((each) => (Number(each) * Math.PI) / 180);
  const cosine = Math.sin(p) * Math.sin(q) + Math.cos(p) * Math.cos(q) * Math.cos(y - x);
  return 6_371 * Math.acos(Math.min(1, cosine));
}

/** One pass over the attempts of each user, those before `complete` only. */
export function strangeLogins(
  attempts: readonly (OutputRow & { readonly place: Timed })[],
  complete: number,
): OutputRow[] {
  const found: OutputRow[] = [];
  const users = Map.groupBy(
    attempts.filter((attempt) => attempt._ts + MINUTE < complete),
    (attempt) => attempt['userId'],
  );
  for (const all of users.values()) {
    all.sort(
      (a, b) => a._ts - b._ts || a.place.partition - b.place.partition || Number(a.place.offset - b.place.offset),
    );
    for (const [i, attempt] of all.entries()) {
      if (attempt['succeeded'] !== true) continue;
      const earlier = all.slice(0, i);
      const lastSuccess = earlier.findLastIndex((each) => each['succeeded'] === true);
      const failures = earlier
        .slice(lastSuccess + 1)
        .slice(-20)
        .filter((each) => attempt._ts - each._ts <= 10 * MINUTE);
      const known = earlier.filter((each) => each['succeeded'] === true).slice(-20);
      const young = known.filter((each) => attempt._ts - each._ts <= 90 * DAY);
      if (failures.length >= 5) found.push(alert(attempt, 'brute_force', { failures: failures.length }));
      const journey = impossible(attempt, young);
      if (journey !== undefined) found.push(alert(attempt, 'impossible_travel', journey));
      if (isNew(attempt, young)) found.push(alert(attempt, 'new_device_and_country', {}));
    }
  }
  return found;
}

function impossible(attempt: OutputRow, known: readonly OutputRow[]): Fields | undefined {
  const placed = known.filter((each) => kilometres(each, attempt) !== undefined);
  const previous = placed.at(-1);
  if (previous === undefined || placed.some((each) => (kilometres(each, attempt) ?? 0) < 500)) return undefined;
  const km = kilometres(previous, attempt) ?? 0;
  const needed = (km / 900) * HOUR;
  return attempt._ts - previous._ts < needed ? { previousAt: previous._ts, distanceKm: Math.round(km) } : undefined;
}

function isNew(attempt: OutputRow, known: readonly OutputRow[]): boolean {
  const { country, device, homeCountry } = attempt as Fields;
  if (known.length < 3 || country === null || device === null || country === homeCountry) return false;
  return !known.some((each) => each['device'] === device || each['country'] === country);
}

function alert(login: OutputRow, rule: string, evidence: Fields): OutputRow {
  const { eventId, userId, country, device, homeCountry } = login as Fields;
  return {
    _key: `${String(eventId)}|${rule}`,
    _ts: login._ts,
    _ow: login._ts,
    eventId,
    rule,
    userId,
    country,
    device,
    homeCountry,
    occurredAt: login._ts,
    failures: null,
    previousAt: null,
    distanceKm: null,
    ...evidence,
  };
}
