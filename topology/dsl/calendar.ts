/** Calendar days in a time zone, by the rules of the ICU data that Node carries. Cached: formatting costs microseconds. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MAX_CACHED_DAYS = 4_096;

const formats = new Map<string, Intl.DateTimeFormat>();
const days = new Map<string, Map<number, { readonly start: number; readonly end: number }>>();

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
  return within;
}

function dayOf(instant: number, timeZone: string): { readonly start: number; readonly end: number } {
  let cache = days.get(timeZone);
  if (cache === undefined) days.set(timeZone, (cache = new Map()));
  const slot = Math.floor(instant / DAY_MS);
  for (const near of [slot, slot - 1]) {
    const known = cache.get(near);
    if (known !== undefined && instant >= known.start && instant < known.end) return known;
  }
  const midnight = Math.floor(localTime(instant, timeZone) / DAY_MS) * DAY_MS;
  const day = { start: firstInstant(midnight, timeZone), end: firstInstant(midnight + DAY_MS, timeZone) };
  if (cache.size >= MAX_CACHED_DAYS) cache.clear();
  cache.set(Math.floor(day.start / DAY_MS), day);
  return day;
}

/** First instant (ms) of the local day that holds `instant`. RangeError for an unknown time zone. */
export function dayStart(instant: number, timeZone: string): number {
  return dayOf(instant, timeZone).start;
}

/** First instant (ms) of the local day after the one that begins at `start`. */
export function nextDay(start: number, timeZone: string): number {
  return dayOf(start, timeZone).end;
}
