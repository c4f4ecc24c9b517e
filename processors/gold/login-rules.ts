/** When a login looks as if somebody else had made it. All rules are here, and all that they remember of a user. */
import type { GoldLoginAnomalies, SilverLoginsEnriched } from '#schemas';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** brute_force: so many failures within so long before a success, and none between. */
const BRUTE_FORCE = { failures: 5, withinMs: 10 * MINUTE_MS } as const;
/** impossible_travel: further and faster than so from the login before, and not back to the surroundings of one of those known. */
const TRAVEL = { minKm: 500, maxKmPerHour: 900 } as const;
/** new_device_and_country: both unknown, the country not the user's own, and the user known by so many logins. */
const NEW = { knownLogins: 3 } as const;
/** What is known of a user: the last logins that succeeded, no older than this, and the failures since then. */
const MEMORY = { logins: 20, failures: 20, forMs: 90 * DAY_MS } as const;

/** What is remembered of one user: at most 20 logins and 20 failures. Times in ms. */
export interface LoginHistory {
  readonly logins: readonly KnownLogin[];
  /** When attempts have failed since the last of them. */
  readonly failures: readonly number[];
}

interface KnownLogin extends Pick<SilverLoginsEnriched, 'country' | 'device' | 'latitude' | 'longitude'> {
  readonly at: number;
}

/** A rule that a login has broken, and what shows it. */
export type Anomaly = Pick<GoldLoginAnomalies, 'rule' | 'failures' | 'previousAt' | 'distanceKm'>;

export const NO_HISTORY: LoginHistory = { logins: [], failures: [] };
const NO_EVIDENCE = { failures: null, previousAt: null, distanceKm: null } as const;

/** The rules that a login at `at` breaks, by what is known of its user. Attempts that fail break none. */
export function anomaliesOf(history: LoginHistory, login: SilverLoginsEnriched, at: number): Anomaly[] {
  if (!login.succeeded) return [];
  const known = history.logins.filter((each) => each.at >= at - MEMORY.forMs);
  return [
    bruteForce(history.failures, at),
    impossibleTravel(known, login, at),
    newDeviceAndCountry(known, login),
  ].filter((found) => found !== undefined);
}

/** What is known after an attempt. */
export function remember(history: LoginHistory, login: SilverLoginsEnriched, at: number): LoginHistory {
  if (!login.succeeded) return { ...history, failures: [...history.failures, at].slice(-MEMORY.failures) };
  const { country, device, latitude, longitude } = login;
  const logins = [...history.logins, { at, country, device, latitude, longitude }].slice(-MEMORY.logins);
  return { logins, failures: [] };
}

/** No rule asks for any of it from `time` on. */
export function isForgotten({ logins, failures }: LoginHistory, time: number): boolean {
  return [...failures, ...logins.map(({ at }) => at)].every((at) => at < time - MEMORY.forMs);
}

function bruteForce(failures: readonly number[], at: number): Anomaly | undefined {
  const count = failures.filter((failed) => failed >= at - BRUTE_FORCE.withinMs).length;
  return count < BRUTE_FORCE.failures ? undefined : { ...NO_EVIDENCE, rule: 'brute_force', failures: count };
}

function impossibleTravel(known: readonly KnownLogin[], login: SilverLoginsEnriched, at: number): Anomaly | undefined {
  const distances = known.flatMap((each) => {
    const km = distanceKm(each, login);
    return km === undefined ? [] : [{ at: each.at, km }];
  });
  const previous = distances.at(-1);
  if (previous === undefined) return undefined;
  const isFast = previous.km * HOUR_MS > TRAVEL.maxKmPerHour * (at - previous.at);
  const isStrange = distances.every(({ km }) => km >= TRAVEL.minKm);
  if (!isFast || !isStrange) return undefined;
  return { ...NO_EVIDENCE, rule: 'impossible_travel', previousAt: previous.at, distanceKm: Math.round(previous.km) };
}

function newDeviceAndCountry(known: readonly KnownLogin[], login: SilverLoginsEnriched): Anomaly | undefined {
  const { device, country, homeCountry } = login;
  if (device === null || country === null || country === homeCountry || known.length < NEW.knownLogins)
    return undefined;
  const isNew = known.every((each) => each.device !== device && each.country !== country);
  return isNew ? { ...NO_EVIDENCE, rule: 'new_device_and_country' } : undefined;
}

type Position = Pick<SilverLoginsEnriched, 'latitude' | 'longitude'>;
const EARTH_RADIUS_KM = 6_371;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Along a great circle (haversine); undefined where one of the places is not known. */
function distanceKm(from: Position, to: Position): number | undefined {
  if (from.latitude === null || from.longitude === null || to.latitude === null || to.longitude === null)
    return undefined;
  const across = Math.sin(radians(to.latitude - from.latitude) / 2) ** 2;
  const along = Math.sin(radians(to.longitude - from.longitude) / 2) ** 2;
  const h = across + Math.cos(radians(from.latitude)) * Math.cos(radians(to.latitude)) * along;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.sqrt(Math.min(1, h)));
}
