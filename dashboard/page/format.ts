/** Figures as people read them. */

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const NONE = '–';

/** 1,234; a dash for what is not known. */
export function countText(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : whole.format(value);
}

/** 0, 3.4, 128, 4.2k, 12M: without a unit. */
export function shortText(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
  const size = Math.abs(value);
  if (size >= 999_500) return `${twoDigits(value / 1e6)}M`;
  return size >= 999.5 ? `${twoDigits(value / 1e3)}k` : twoDigits(value);
}

/** 0, 3, 3.4, 34: no more than two digits of which the second is a fraction. */
function twoDigits(value: number): string {
  const text = Math.abs(value) >= 9.95 ? whole.format(value) : tenths.format(value);
  return text.replace(/\.0$/, '').replace(/^-0$/, '0');
}

/** 128/s. */
export function rateText(perSecond: number | null | undefined): string {
  const text = shortText(perSecond);
  return text === NONE ? NONE : `${text}/s`;
}

/** 0.4 s, 12 s, 3 m 05 s, 2 h 07 m, 3 d 4 h. */
export function durationText(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 9.95) return `${tenths.format(seconds)} s`;
  if (seconds < 59.5) return `${whole.format(seconds)} s`;
  const [minutes, hours] = [Math.floor(Math.round(seconds) / 60), Math.floor(Math.round(seconds) / 3_600)];
  if (minutes < 60) return `${minutes} m ${two(Math.round(seconds) % 60)} s`;
  if (hours < 24) return `${hours} h ${two(minutes % 60)} m`;
  return `${whole.format(Math.floor(hours / 24))} d ${hours % 24} h`;
}

/** 14:02:11 in UTC; with the day when it is not that of `now`. */
export function timeText(ms: number | null | undefined, now: number): string {
  if (ms === null || ms === undefined || Math.abs(ms) > 8.64e15) return NONE;
  const [day = '', time = ''] = new Date(ms).toISOString().slice(0, 19).split('T');
  return day === new Date(now).toISOString().slice(0, 10) ? time : `${day} ${time}`;
}

/** 14:00, or 31 Jan 14:00 when the times of an axis are not of one day. */
export function axisTimeText(ms: number, withDay: boolean): string {
  const [day = '', time = ''] = new Date(ms).toISOString().slice(0, 16).split('T');
  return withDay ? `${day.slice(5)} ${time}` : time;
}

/** Without the tier: users of silver.users. */
export function shortName(name: string): string {
  return name.replace(/^(bronze|silver|gold)\./, '');
}

/** One thing, several things. */
export function plural(count: number, one: string, several = `${one}s`): string {
  return `${whole.format(count)} ${count === 1 ? one : several}`;
}

const two = (value: number): string => String(value).padStart(2, '0');
