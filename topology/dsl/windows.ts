import { type Duration, parseDuration } from '../duration.ts';
import { TopologyError } from '../errors.ts';
import { dayStart, monthStart, nextDay, nextMonth } from './calendar.ts';

const HOUR_MS = 3_600_000;

/** How event time is cut into windows [start, end), ms since the epoch. */
export interface Windows {
  /** For people, in describe(). */
  readonly text: string;
  readonly kind: 'hopping' | 'calendar';
  /** Longest window, ms. */
  readonly sizeMs: number;
  /** How long after its end a window still takes records, ms of event time. */
  readonly graceMs: number;
  /** Appends start and end of every window that holds the timestamp, the earliest window first. */
  windowsOf(timestamp: number, bounds: number[]): void;
}

/**
 * Windows of `size` that begin every `advance`, aligned to the epoch. TopologyError SLC_TOPOLOGY_WINDOW unless 0 < advance <= size.
 */
export function hopping(options: {
  readonly size: Duration;
  readonly advance: Duration;
  readonly grace: Duration;
}): Windows {
  const sizeMs = parseDuration(options.size);
  const advanceMs = parseDuration(options.advance);
  if (advanceMs <= 0 || advanceMs > sizeMs) {
    throw new TopologyError('SLC_TOPOLOGY_WINDOW', `windows of ${options.size} cannot advance by ${options.advance}`, {
      hint: 'advance must be above 0 and at most size',
    });
  }
  const tumbles = advanceMs === sizeMs;
  return {
    text: tumbles
      ? `tumbling ${options.size}, grace ${options.grace}`
      : `hopping ${options.size} every ${options.advance}, grace ${options.grace}`,
    kind: 'hopping',
    sizeMs,
    graceMs: parseDuration(options.grace),
    windowsOf: (timestamp, bounds) => {
      const first = (Math.floor((timestamp - sizeMs) / advanceMs) + 1) * advanceMs;
      for (let start = first; start <= timestamp; start += advanceMs) {
        bounds.push(start, start + sizeMs);
      }
    },
  };
}

/** Windows of `size`, one after the other, aligned to the epoch. */
export function tumbling(options: { readonly size: Duration; readonly grace: Duration }): Windows {
  return hopping({ size: options.size, advance: options.size, grace: options.grace });
}

/** Clocks have gone back by an hour mostly, by two (Newfoundland 1988), and by a day (Alaska 1867). */
const LONGEST_CHANGE_MS = 24 * HOUR_MS;

/** Calendar days of an IANA time zone: 23 or 25 hours long when the clocks change. TopologyError SLC_TOPOLOGY_WINDOW for an unknown zone. */
export function calendarDay(options: CalendarOptions): Windows {
  return calendar(options, 'day', 24 * HOUR_MS + LONGEST_CHANGE_MS, dayStart, nextDay);
}

/**
 * Calendar months of an IANA time zone, from the first instant of the 1st to that of the next month's: an hour shorter or longer when the clocks
 * change. TopologyError SLC_TOPOLOGY_WINDOW for an unknown zone.
 */
export function calendarMonth(options: CalendarOptions): Windows {
  return calendar(options, 'month', 31 * 24 * HOUR_MS + LONGEST_CHANGE_MS, monthStart, nextMonth);
}

/** `timeZone` as in 'Europe/Berlin'; `grace` is event time. */
export interface CalendarOptions {
  readonly timeZone: string;
  readonly grace: Duration;
}

type Step = (instant: number, timeZone: string) => number;

function calendar(
  { timeZone, grace }: CalendarOptions,
  unit: string,
  sizeMs: number,
  start: Step,
  next: Step,
): Windows {
  try {
    start(0, timeZone);
  } catch (cause) {
    throw new TopologyError('SLC_TOPOLOGY_WINDOW', `there is no time zone ${timeZone}`, {
      hint: "use an IANA name, as in 'Europe/Berlin' or 'UTC'",
      cause,
    });
  }
  return {
    text: `calendar ${unit} in ${timeZone}, grace ${grace}`,
    kind: 'calendar',
    sizeMs,
    graceMs: parseDuration(grace),
    windowsOf: (timestamp, bounds) => {
      const first = start(timestamp, timeZone);
      bounds.push(first, next(first, timeZone));
    },
  };
}
