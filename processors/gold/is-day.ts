import { type Check, rule } from '#topology';

const HOUR = 3_600_000;

/** A check of rows about calendar days: 23 to 25 hours, as the clocks go. */
export const isDay = <V extends { readonly windowStart: number; readonly windowEnd: number }>(): Check<V> =>
  rule('the window is a calendar day', ({ windowStart, windowEnd }) => isHours(windowEnd - windowStart, 23, 25));

/** A span of ms from so many hours to so many. */
export const isHours = (span: number, least: number, most: number): boolean =>
  span >= least * HOUR && span <= most * HOUR;
