/** Calendar days, weeks and months in a time zone, by the rules of the ICU data that Node carries. Cached: formatting costs microseconds. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_CACHED = 4_096;

const formats = new Map<string, Intl.DateTimeFormat>();

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A unit of the calendar: local times as Date.UTC gives them. */
interface Unit {
  /** Local midnight at which the unit begins that holds this local time. */
  floor(local: number): number;
  /** The same of the next one. */
  next(midnight: number): number;
  /** Which unit of UTC an instant is in: the local one begins in that or in the one before. */
  slot(instant: number): number;
  /** Per time zone. */
  readonly cache: Map<string, Map<number, Span>>;
}

const day: Unit = {
  floor: (local) => Math.floor(local / DAY_MS) * DAY_MS,
  next: (midnight) => midnight + DAY_MS,
  slot: (instant) => Math.floor(instant / DAY_MS),
  cache: new Map(),
};

/** Weeks begin on Monday; the epoch was a Thursday. */
const MONDAY_MS = 4 * DAY_MS;
const WEEK_MS = 7 * DAY_MS;
const weekOf = (time: number): number => Math.floor((time - MONDAY_MS) / WEEK_MS);

const week: Unit = {
  floor: (local) => weekOf(local) * WEEK_MS + MONDAY_MS,
  next: (midnight) => midnight + WEEK_MS,
  slot: weekOf,
  cache: new Map(),
};

/** Months since January 1970. */
const monthOf = (time: number): number => (new Date(time).getUTCFullYear() - 1970) * 12 + new Date(time).getUTCMonth();

const month: Unit = {
  floor: (local) => Date.UTC(1970, monthOf(local)),
  next: (midnight) => Date.UTC(1970, monthOf(midnight) + 1),
  slot: monthOf,
  cache: new Map(),
};

/** Local date and time at an instant, as the number that Date.UTC would give for it. */
function localTime(instant: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    const part = 'numeric';
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'iso8601',
      hourCycle: 'h23',
      year: part,
      month: part,
      day: part,
      hour: part,
      minute: part,
      second: part,
      era: 'short',
    });
    formats.set(timeZone, format);
  }
  const fields: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(instant)) fields[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (((instant % 1_000) + 1_000) % 1_000);
}

/** The first instant whose local date is the day that begins at local midnight `midnight` (as Date.UTC gives it). */
function firstInstant(midnight: number, timeZone: string): number {
  // Offsets lie within +-15 h and change by hours or less: the first instant of the day is found by halving a span that surely holds it.
  let before = midnight - 16 * HOUR_MS;
  let within = midnight + 16 * HOUR_MS;
  while (within - before > 1) {
    const middle = Math.floor((before + within) / 2);
    if (localTime(middle, timeZone) >= midnight) within = middle;
    else before = middle;
  }
  // Where the clocks went back across midnight the date has begun before, by the offset that was in force until then.
  const dayBefore = within - 26 * HOUR_MS;
  const earlier = midnight - (localTime(dayBefore, timeZone) - dayBefore);
  return earlier < within && localTime(earlier, timeZone) >= midnight ? earlier : within;
}

function spanFrom(unit: Unit, midnight: number, timeZone: string): Span {
  return { start: firstInstant(midnight, timeZone), end: firstInstant(unit.next(midnight), timeZone) };
}

function spanOf(unit: Unit, instant: number, timeZone: string): Span {
  let cache = unit.cache.get(timeZone);
  if (cache === undefined) unit.cache.set(timeZone, (cache = new Map()));
  const slot = unit.slot(instant);
  for (const near of [slot, slot - 1]) {
    const known = cache.get(near);
    if (known !== undefined && instant >= known.start && instant < known.end) return known;
  }
  const midnight = unit.floor(localTime(instant, timeZone));
  let span = spanFrom(unit, midnight, timeZone);
  // Where clocks go back across midnight a local date comes twice: the instant belongs to the unit that has begun.
  if (instant >= span.end) span = spanFrom(unit, unit.next(midnight), timeZone);
  else if (instant < span.start) span = spanFrom(unit, unit.floor(midnight - 1), timeZone);
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(unit.slot(span.start), span);
  return span;
}

/** First instant (ms) of the local day that holds `instant`. RangeError for an unknown time zone. */
export function dayStart(instant: number, timeZone: string): number {
  return spanOf(day, instant, timeZone).start;
}

/** First instant (ms) of the local day after the one that begins at `start`. */
export function nextDay(start: number, timeZone: string): number {
  return spanOf(day, start, timeZone).end;
}

/** First instant (ms) of the local week, from Monday, that holds `instant`. RangeError for an unknown time zone. */
export function weekStart(instant: number, timeZone: string): number {
  return spanOf(week, instant, timeZone).start;
}

/** First instant (ms) of the local week after the one that begins at `start`. */
export function nextWeek(start: number, timeZone: string): number {
  return spanOf(week, start, timeZone).end;
}

/** First instant (ms) of the local month that holds `instant`. RangeError for an unknown time zone. */
export function monthStart(instant: number, timeZone: string): number {
  return spanOf(month, instant, timeZone).start;
}

/** First instant (ms) of the local month after the one that begins at `start`. */
export function nextMonth(start: number, timeZone: string): number {
  return spanOf(month, start, timeZone).end;
}
