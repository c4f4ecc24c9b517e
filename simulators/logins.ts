/** Logins: people with their devices, journeys and typing errors, and among them attacks, each labelled on the login by which it succeeds. */
import { type City, distanceKm, FAR_CITIES, HOMES, RESORTS } from './cities.ts';
import { LOGIN_DEVICES, LOGIN_METHODS } from './catalog.ts';
import type { Random } from './random.ts';
import type { User, World } from './world.ts';

/** What somebody who watches logins has to find. */
export type LoginLabel = 'brute_force' | 'impossible_travel' | 'new_device_and_country';

/** An attempt to log in. Country and device as the sender writes them; the position in degrees, as the app's edge has found it. */
export interface LoginAttempt {
  readonly userId: number | null;
  readonly succeeded: boolean;
  readonly method: string;
  readonly country: string | null;
  readonly device: string | null;
  readonly latitude: number | null;
  readonly longitude: number | null;
  /** What has succeeded with this login; empty for honest people. */
  readonly labels: readonly LoginLabel[];
}

/** Somebody's ways. */
interface Habits {
  readonly user: User;
  readonly home: (typeof HOMES)[number];
  readonly devices: string[];
  /** Devices and places that have ever been used in the user's name, by whomever. */
  readonly seenDevices: Set<string>;
  readonly seenCities: Set<City>;
  city: City;
  /** The sender's time from which on the user is there: nobody logs in on a flight. */
  arrives: number;
  successes: number;
}

/** Shares of what begins with a login; the rest are ordinary ones. The first three are attacks. */
const KINDS = [
  ['brute-force', 0.02],
  ['travel', 0.02],
  ['device', 0.02],
  ['journey', 0.03],
  ['trip', 0.02],
  ['typing-errors', 0.05],
  ['new-device', 0.02],
] as const;
type Kind = (typeof KINDS)[number][0] | 'ordinary';

const SUCCEEDED = 0.93;
/** Attacks are upon people who are known: who has logged in so often. */
const KNOWN_SUCCESSES = 6;
const FAILURES = [6, 12] as const;
const NEW_DEVICE_TOO = 0.3;
/** As the crow flies, with an hour for the way to the airport and from there. */
const FLIGHT_KM_PER_MS = 700 / 3_600_000;
const AIRPORTS_MS = 3_600_000;
/** What is near enough to something known to be no impossible journey, with a margin. */
const NEAR_KM = 1_000;
/** Of the logins from a holiday. */
const GOES_HOME = 0.25;
const MAX_PEOPLE = 5_000;

export class LoginSource {
  readonly #random: Random;
  readonly #world: World;
  readonly #people = new Map<number, Habits>();
  /** Attempts that belong together and follow one another soon. */
  #pending: LoginAttempt[] = [];

  constructor(random: Random, world: World) {
    this.#random = random;
    this.#world = world;
  }

  /** Somebody is in the middle of several attempts. */
  get isBusy(): boolean {
    return this.#pending.length > 0;
  }

  /** The next attempt at the sender's time `base`. */
  next(base: number): LoginAttempt {
    if (this.#pending.length === 0) this.#pending = this.#plan(base);
    const attempt = this.#pending.shift();
    return attempt ?? stranger;
  }

  #plan(base: number): LoginAttempt[] {
    const kind = kindOf(this.#random.next());
    const isAttack = kind === 'brute-force' || kind === 'travel' || kind === 'device';
    const habits = (isAttack ? this.#victim(base) : undefined) ?? this.#somebody(base);
    if (habits === undefined) return [stranger];
    switch (habits.successes >= KNOWN_SUCCESSES || !isAttack ? kind : 'ordinary') {
      case 'brute-force':
        return this.#bruteForce(habits);
      case 'travel':
        return this.#travel(habits, this.#random.chance(NEW_DEVICE_TOO));
      case 'device':
        return this.#newDeviceAbroad(habits);
      case 'journey':
        return this.#journey(habits, base);
      case 'trip':
        return [this.#trip(habits)];
      case 'typing-errors':
        return [...this.#failures(habits, this.#random.int(1, 3)), this.#login(habits)];
      case 'new-device':
        return this.#newDevice(habits);
      case 'ordinary':
        if (habits.city !== habits.home.city && this.#random.chance(GOES_HOME)) return this.#journey(habits, base);
        return this.#random.chance(SUCCEEDED) ? [this.#login(habits, { isVague: true })] : this.#failures(habits, 1);
    }
  }

  /** Many failures, then a success, through a machine near the user and with what looks like one of the user's devices. */
  #bruteForce(habits: Habits): LoginAttempt[] {
    const [few, many] = FAILURES;
    const failures = this.#failures(habits, this.#random.int(few, many));
    return [...failures, this.#login(habits, { labels: ['brute_force'] })];
  }

  /** The user logs in, and at once a stranger does, so far away that nobody could be there. */
  #travel(habits: Habits, hasNewDevice: boolean): LoginAttempt[] {
    const seen = [...habits.seenCities];
    const strange = FAR_CITIES.filter((city) => seen.every((known) => distanceKm(known, city) > NEAR_KM));
    const [first, ...others] = strange;
    const device = hasNewDevice ? this.#strangeDevice(habits) : habits.devices[0];
    if (first === undefined || device === undefined) return [this.#login(habits)];
    const labels: LoginLabel[] = ['impossible_travel'];
    if (hasNewDevice) labels.push('new_device_and_country');
    const before = this.#login(habits);
    return [before, this.#login(habits, { city: this.#random.pick([first, ...others]), device, labels })];
  }

  /** From a device and a country that the user has never used, but near enough to be there. */
  #newDeviceAbroad(habits: Habits): LoginAttempt[] {
    const city = habits.home.abroad;
    const isThere = habits.city === habits.home.city;
    if (!isThere || habits.seenCities.has(city)) return this.#travel(habits, true);
    const device = this.#strangeDevice(habits);
    if (device === undefined) return [this.#login(habits)];
    return [this.#login(habits, { city, device, labels: ['new_device_and_country'] })];
  }

  /** The last login before a flight: to a holiday, or home. */
  #journey(habits: Habits, base: number): LoginAttempt[] {
    const last = this.#login(habits);
    const resort = this.#random.pick(RESORTS);
    const to = habits.city === habits.home.city ? resort : habits.home.city;
    habits.arrives = base + AIRPORTS_MS + distanceKm(habits.city, to) / FLIGHT_KM_PER_MS;
    habits.city = to;
    return [last];
  }

  /** Across the border and back. */
  #trip(habits: Habits): LoginAttempt {
    const { city, abroad } = habits.home;
    const [phone = LOGIN_DEVICES[0]] = habits.devices;
    return habits.city === city ? this.#login(habits, { city: abroad, device: phone }) : this.#login(habits);
  }

  /** Where the user has been before. */
  #newDevice(habits: Habits): LoginAttempt[] {
    const device = habits.seenCities.has(habits.city) ? this.#strangeDevice(habits) : undefined;
    if (device !== undefined) habits.devices.push(device);
    return [this.#login(habits, device === undefined ? {} : { device })];
  }

  #failures(habits: Habits, count: number): LoginAttempt[] {
    return Array.from({ length: count }, () => this.#attempt(habits, habits.city, this.#device(habits), false, []));
  }

  #login(
    habits: Habits,
    how: { city?: City; device?: string; labels?: readonly LoginLabel[]; isVague?: boolean } = {},
  ): LoginAttempt {
    const { city = habits.city, device = this.#device(habits), labels = [], isVague = false } = how;
    habits.successes++;
    habits.seenCities.add(city);
    habits.seenDevices.add(device);
    const attempt = this.#attempt(habits, city, device, true, labels);
    if (!isVague || this.#random.chance(0.95)) return attempt;
    return { ...attempt, country: null, device: null, latitude: null, longitude: null };
  }

  #attempt(
    { user }: Habits,
    city: City,
    device: string,
    succeeded: boolean,
    labels: readonly LoginLabel[],
  ): LoginAttempt {
    const random = this.#random;
    return {
      userId: user.id,
      succeeded,
      method: random.pick(LOGIN_METHODS),
      country: random.pick([city.country, city.country, city.country.toLowerCase(), ` ${city.country}`]),
      device: random.pick([device, device, `${device} `, device.toLowerCase()]),
      latitude: this.#near(city.latitude),
      longitude: this.#near(city.longitude),
      labels,
    };
  }

  /** Within some 15 km; to about 10 m. */
  #near(degrees: number): number {
    return Math.round((degrees + (this.#random.next() - 0.5) * 0.2) * 10_000) / 10_000;
  }

  /** Abroad the first one, which people have with them. */
  #device({ devices, city, home }: Habits): string {
    const [first = LOGIN_DEVICES[0], ...others] = devices;
    const any = this.#random.pick([first, first, ...others]);
    return city === home.city ? any : first;
  }

  #strangeDevice({ seenDevices }: Habits): string | undefined {
    const [first, ...others] = LOGIN_DEVICES.filter((device) => !seenDevices.has(device));
    return first === undefined ? undefined : this.#random.pick([first, ...others]);
  }

  /** Some log in often. Undefined when those who were asked are under way. */
  #somebody(base: number): Habits | undefined {
    const { users } = this.#world;
    const asked = [this.#random.next(), this.#random.next(), this.#random.next()];
    for (const draw of asked) {
      const user = users[Math.floor(draw ** 2 * users.length)];
      const habits = user && this.#habitsOf(user);
      if (habits !== undefined && habits.arrives <= base) return habits;
    }
    return undefined;
  }

  /** Somebody whose ways are known. */
  #victim(base: number): Habits | undefined {
    const draw = this.#random.next();
    const known = [...this.#people.values()].filter(
      ({ successes, arrives, seenDevices }) =>
        successes >= KNOWN_SUCCESSES && arrives <= base && seenDevices.size < LOGIN_DEVICES.length,
    );
    const habits = known[Math.floor(draw * known.length)];
    return habits !== undefined && this.#world.users.includes(habits.user) ? habits : undefined;
  }

  /** Where somebody lives is what the shop knows at the first login: who changes the country in the shop stays where he is. */
  #habitsOf(user: User): Habits {
    const known = this.#people.get(user.id);
    if (known !== undefined) return known;
    const country = user.country?.trim().toUpperCase();
    const home = HOMES.find(({ city }) => city.country === country) ?? HOMES[user.id % HOMES.length] ?? HOMES[0];
    const devices = [user.id, 7 * user.id + 3].map((n) => LOGIN_DEVICES[n % LOGIN_DEVICES.length] ?? LOGIN_DEVICES[0]);
    const habits: Habits = {
      user,
      home,
      devices,
      seenDevices: new Set(devices),
      seenCities: new Set([home.city]),
      city: home.city,
      arrives: Number.NEGATIVE_INFINITY,
      successes: 0,
    };
    this.#people.set(user.id, habits);
    const [oldest] = this.#people.keys();
    if (this.#people.size > MAX_PEOPLE && oldest !== undefined) this.#people.delete(oldest);
    return habits;
  }
}

/** Somebody who has forgotten even the name. */
const stranger: LoginAttempt = {
  userId: null,
  succeeded: false,
  method: 'password',
  country: null,
  device: null,
  latitude: null,
  longitude: null,
  labels: [],
};

function kindOf(draw: number): Kind {
  let bound = 0;
  for (const [kind, share] of KINDS) if (draw < (bound += share)) return kind;
  return 'ordinary';
}
