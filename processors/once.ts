/** How far apart in event time two records of one id may be and still count once; `grace`: how late a record may come. What it costs: docs/decisions/0009. */
import type { Duration } from '#topology';

interface Horizon {
  readonly within: Duration;
  readonly grace: Duration;
}

/** What comes seldom, and what a wrong count of costs most: a week, over which a phone may have been away, and people have tried again. */
const RARE: Horizon = { within: '7d', grace: '1h' };
/** What comes all the time: an hour. The same event sent again after that is late by its own time, here or at the windows behind it. */
const FREQUENT: Horizon = { within: '1h', grace: '1h' };

/** Per kind of event. */
export const ONCE = {
  /** By purchase id, behind sorted(), which lets nothing late pass. */
  purchases: { ...RARE, grace: '0s' },
  registrations: RARE,
  logins: RARE,
  cartEvents: FREQUENT,
  pageviews: FREQUENT,
  systemLoad: FREQUENT,
} as const satisfies Record<string, Horizon>;
