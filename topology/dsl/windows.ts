import { type Duration, parseDuration } from '../duration.ts';
import { TopologyError } from '../errors.ts';
import { dayStart, monthStart, nextDay, nextMonth, nextWeek, weekStart } from './calendar.ts';

const HOUR_MS = 3_600_000;
/** A window of more panes would be put together from too many for each of its rows. */
const MAX_PANES = 8;

/** What all windows have. Times in ms since the epoch. */
interface WindowsBase {
  /** For people, in describe(). */
  readonly text: string;
  /** How late a record may be and still be taken, ms of event time. */
  readonly graceMs: number;
  /** A result still to come covers nothing before the watermark minus this, ms. */
  readonly closeDelayMs: number;
  /** The windows that end at or before the result are closed at a watermark. */
  closedUpTo(watermark: number): number;
  /** The last instant in a window that ends so. */
  lastInstant(end: number): number;
}

/** Windows [start, end) that lie where they lie, whatever the records. They close when the watermark >= end + grace. */
export interface FixedWindows extends WindowsBase {
  readonly kind: 'hopping' | 'calendar';
  /** Longest window, ms. */
  readonly sizeMs: number;
  /** Appends start and end of every window that holds the timestamp, the earliest window first. */
  windowsOf(timestamp: number, bounds: number[]): void;
  /** Length of the panes of which each window is made, ms; undefined where windows are not made of a few panes. */
  readonly paneMs?: number;
}

/** Windows [start, end], both ends in them, that the records of a key make: more than `gapMs` without one ends a window. */
export interface SessionWindows extends WindowsBase {
  readonly kind: 'session';
  readonly gapMs: number;
}

/** Windows [end - difference, end], both ends in them, one for each set of a key's records that fits into one. */
export interface SlidingWindows extends WindowsBase {
  readonly kind: 'sliding';
  readonly differenceMs: number;
}

/** How event time is cut into windows. */
export type Windows = FixedWindows | SessionWindows | SlidingWindows;

function fixed(graceMs: number): Omit<WindowsBase, 'text'> {
  return {
    graceMs,
    closeDelayMs: graceMs,
    closedUpTo: (watermark) => watermark - graceMs,
    lastInstant: (end) => end - 1,
  };
}

/** Windows with their end in them: closed when the watermark is beyond end + delay. */
function inclusive(graceMs: number, closeDelayMs: number): Omit<WindowsBase, 'text'> {
  return {
    graceMs,
    closeDelayMs,
    closedUpTo: (watermark) => watermark - closeDelayMs - 1,
    lastInstant: (end) => end,
  };
}

/**
 * Windows of `size` that begin every `advance`, aligned to the epoch. TopologyError SLC_TOPOLOGY_WINDOW unless 0 < advance <= size.
 */
export function hopping(options: {
  readonly size: Duration;
  readonly advance: Duration;
  readonly grace: Duration;
}): FixedWindows {
  const sizeMs = parseDuration(options.size);
  const advanceMs = parseDuration(options.advance);
  if (advanceMs <= 0 || advanceMs > sizeMs) {
    throw new TopologyError('SLC_TOPOLOGY_WINDOW', `windows of ${options.size} cannot advance by ${options.advance}`, {
      hint: 'advance must be above 0 and at most size',
    });
  }
  const tumbles = advanceMs === sizeMs;
  return {
    ...fixed(parseDuration(options.grace)),
    text: tumbles
      ? `tumbling ${options.size}, grace ${options.grace}`
      : `hopping ${options.size} every ${options.advance}, grace ${options.grace}`,
    kind: 'hopping',
    sizeMs,
    ...(!tumbles && sizeMs % advanceMs === 0 && sizeMs / advanceMs <= MAX_PANES ? { paneMs: advanceMs } : {}),
    windowsOf: (timestamp, bounds) => {
      const first = (Math.floor((timestamp - sizeMs) / advanceMs) + 1) * advanceMs;
      for (let start = first; start <= timestamp; start += advanceMs) {
        bounds.push(start, start + sizeMs);
      }
    },
  };
}

/** Windows of `size`, one after the other, aligned to the epoch. */
export function tumbling(options: { readonly size: Duration; readonly grace: Duration }): FixedWindows {
  return hopping({ size: options.size, advance: options.size, grace: options.grace });
}

/**
 * Sessions: the records of a key belong together as long as no more than `gap` lies between one and the next; from the first to the last of them, both
 * included. A record that lies between two sessions makes one of them.
 */
export function session(options: { readonly gap: Duration; readonly grace: Duration }): SessionWindows {
  const gapMs = parseDuration(options.gap);
  const graceMs = parseDuration(options.grace);
  const text = `session gap ${options.gap}, grace ${options.grace}`;
  return { ...inclusive(graceMs, gapMs + graceMs), kind: 'session', text, gapMs };
}

/**
 * Sliding windows: those records of a key that lie at most `difference` apart, for every set of them; a window is [end - difference, end], both ends
 * included, and ends at a record or begins 1 ms after one.
 */
export function sliding(options: { readonly difference: Duration; readonly grace: Duration }): SlidingWindows {
  const differenceMs = parseDuration(options.difference);
  const graceMs = parseDuration(options.grace);
  const text = `sliding difference ${options.difference}, grace ${options.grace}`;
  return { ...inclusive(graceMs, graceMs), kind: 'sliding', text, differenceMs };
}

/** Clocks have gone back by an hour mostly, by two (Newfoundland 1988), and by a day (Alaska 1867). */
const LONGEST_CHANGE_MS = 24 * HOUR_MS;

/** Calendar days of an IANA time zone: 23 or 25 hours long when the clocks change. TopologyError SLC_TOPOLOGY_WINDOW for an unknown zone. */
export function calendarDay(options: CalendarOptions): FixedWindows {
  return calendar(options, 'day', 24 * HOUR_MS + LONGEST_CHANGE_MS, dayStart, nextDay);
}

/**
 * Calendar weeks of an IANA time zone, from the first instant of Monday to that of the next one: an hour shorter or longer when the clocks change.
 * TopologyError SLC_TOPOLOGY_WINDOW for an unknown zone.
 */
export function calendarWeek(options: CalendarOptions): FixedWindows {
  return calendar(options, 'week', 7 * 24 * HOUR_MS + LONGEST_CHANGE_MS, weekStart, nextWeek);
}

/**
 * Calendar months of an IANA time zone, from the first instant of the 1st to that of the next month's: an hour shorter or longer when the clocks
 * change. TopologyError SLC_TOPOLOGY_WINDOW for an unknown zone.
 */
export function calendarMonth(options: CalendarOptions): FixedWindows {
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
): FixedWindows {
  try {
    start(0, timeZone);
  } catch (cause) {
    throw new TopologyError('SLC_TOPOLOGY_WINDOW', `there is no time zone ${timeZone}`, {
      hint: "use an IANA name, as in 'Europe/Berlin' or 'UTC'",
      cause,
    });
  }
  return {
    ...fixed(parseDuration(grace)),
    text: `calendar ${unit} in ${timeZone}, grace ${grace}`,
    kind: 'calendar',
    sizeMs,
    windowsOf: (timestamp, bounds) => {
      const first = start(timestamp, timeZone);
      bounds.push(first, next(first, timeZone));
    },
  };
}
