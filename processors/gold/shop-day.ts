import { calendarDay } from '#topology';
import { SHOP_TIME_ZONE } from './time-zone.ts';

const HOUR_MS = 3_600_000;
const DAYS = calendarDay({ timeZone: SHOP_TIME_ZONE, grace: '0s' });

/** A calendar day in the shop's time zone: 23 to 25 hours, as the clocks go. Times in ms. */
export interface ShopDay {
  readonly start: number;
  readonly end: number;
  /** Of the date, counted from 1970-01-01: those of neighbours differ by 1, however long the days are. */
  readonly number: number;
}

/** The day that holds an instant (ms). */
export function shopDayOf(instant: number): ShopDay {
  const bounds: number[] = [];
  DAYS.windowsOf(instant, bounds);
  const [start = instant, end = instant] = bounds;
  // Twelve hours after midnight it is the same date in UTC, wherever in Europe the shop is.
  return { start, end, number: Math.floor((start + 12 * HOUR_MS) / (24 * HOUR_MS)) };
}
