/** Attempts to log in: few users, few places, some far from each other; now and then many failures within a few minutes. */
import type { AppEvents, Rng, Stream } from './synthetic.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const COUNTRIES = ['de', ' DE', 'fr', 'US', 'us ', 'Germany', null, 'it', 'PL', 'Cz'];

const DEVICES = [
  'iPhone',
  ' iphone',
  'Pixel',
  'pixel ',
  'MacBook',
  'Linux PC',
  'iPad',
  'Steam Deck',
  'Smart TV',
  null,
  ' ',
];
/** Neighbours, places that are just too near to be strange, others that are not, the other end of the world, nowhere. */
const PLACES = [
  [52.52, 13.405],
  [50.0755, 14.4378],
  [48.8566, 2.3522],
  [40.7128, -74.006],
  [-33.8688, 151.2093],
  [13, 100.5018],
  [52.52, 20.7], // some 494 km from the first
  [52.52, 20.9], // some 507 km
  [null, null],
] as const;
const USERS = 8;

export function logins(g: Rng, { appEvent, again }: AppEvents): Stream {
  let n = 0;
  let last: Record<string, unknown> | undefined;
  const earliest = new Map<number, Record<string, unknown>>();
  const attempt = (at: number, userId: number | null, succeeded: boolean): Record<string, unknown> => {
    const [latitude, longitude] = g.pick(g.chance(0.5) ? PLACES.slice(0, 2) : PLACES);
    return {
      ...appEvent(g, at, ++n),
      userId,
      succeeded,
      method: g.pick(['password', ' Google ', 'APPLE']),
      country: g.pick(COUNTRIES),
      device: g.pick(g.chance(0.6) ? DEVICES.slice(0, 3) : DEVICES),
      latitude,
      longitude,
    };
  };
  const event = (value: Record<string, unknown>) => ({
    key: value['eventId'],
    value,
    at: value['occurredAt'] as number,
  });
  return {
    topic: 'bronze.app.logins',
    records: 60,
    write: (at, partition) => {
      if (last !== undefined && g.chance(0.05)) return again(g, last);
      const oldest = earliest.get(partition);
      if (oldest !== undefined && g.chance(0.05)) return again(g, oldest, at);
      const userId = g.chance(0.1) ? null : g.int(1, USERS);
      if (g.chance(0.85)) {
        last = attempt(at, userId, g.chance(0.8));
        earliest.set(partition, oldest ?? last);
        return event(last);
      }
      // The last attempt at the edges of ten minutes after the first.
      const failures = g.pick([3, 4, 5, 6, 25]);
      const span = g.pick([30 * SECOND, 5 * MINUTE, 10 * MINUTE, 10 * MINUTE + 1]);
      const times = Array.from({ length: failures }, (_, i) => at + Math.floor((i * span) / failures));
      const [first, ...others] = times.map((time) => event(attempt(time, userId, g.chance(0.03))));
      const success = event((last = attempt(at + span, userId, true)));
      return { ...(first ?? success), next: [...others, success] };
    },
  };
}
