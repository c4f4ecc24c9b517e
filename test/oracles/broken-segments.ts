/** Rules of segments, each broken alone in the SQL: the text that is there, and what it becomes. */
import type { BrokenRule } from './broken-rules.ts';

const file = 'gold.user_engagement_segments';

export const BROKEN_SEGMENTS: Readonly<Record<string, BrokenRule>> = {
  'a day is judged while it lasts': { file, from: '>= window_end;', to: '>= window_end - 24 * hour();' },
  'a session belongs to the day on which it began': { file, from: 'berlin("endedAt")', to: 'berlin("startedAt")' },
  'days are those of UTC': { file, from: 'berlin("endedAt")', to: 'epoch_ms("endedAt")' },
  'days have 24 hours': {
    file,
    from: 'berlin_instant(CAST(day AS TIMESTAMP) + INTERVAL 1 DAY) AS window_end',
    to: 'berlin_instant(CAST(day AS TIMESTAMP)) + 24 * hour() AS window_end',
  },
  'nobody is forgotten': { file, from: '> 90, true) AS begins', to: '> 900, true) AS begins' },
  'who was away for 90 days is forgotten': { file, from: '> 90, true) AS begins', to: '>= 90, true) AS begins' },
  'what is 90 days old counts': { file, from: 'c.day - 89', to: 'c.day - 90' },
  'one is dormant a day later': { file, from: 'unseen >= 30', to: 'unseen >= 31' },
  'one is at risk a day later': { file, from: 'unseen >= 14', to: 'unseen >= 15' },
  'what was bought outweighs staying away': {
    file,
    from: 'WHEN unseen >= 14',
    to: 'WHEN order_days < 3 AND unseen >= 14',
  },
  'each order makes loyal, not each day': { file, from: 'count(*) FILTER (WHERE e.orders > 0)', to: 'sum(e.orders)' },
  'two days make loyal': { file, from: 'order_days >= 3', to: 'order_days >= 2' },
  'what was bought 30 days ago makes a buyer': { file, from: 'c.day - 30)', to: 'c.day - 31)' },
  'two orders make a buyer': { file, from: 'bought >= 1', to: 'bought >= 2' },
  'four days make engaged': { file, from: 'visits >= 3', to: 'visits >= 4' },
  'nobody is new': { file, from: 'known < 7', to: 'known < 0' },
  'who is dormant has a row each day': {
    file,
    from: "NOT (segment = 'dormant' AND",
    to: "NOT (segment = 'nobody' AND",
  },
  'a user has a row only where something was done': { file, from: 'max(day) + INTERVAL 30 DAY', to: 'max(day)' },
  'the profile is that of the day before': { file, from: 'd.ts >= p._ts', to: 'd.window_start >= p._ts' },
  'days do not wait for profiles': { file, from: 'FROM segmented_day WHERE released\n', to: 'FROM segmented_day\n' },
  'late profiles count': {
    file: 'silver.customer_profiles',
    from: 'WHERE _ow <= _ts + minute()\nQUALIFY',
    to: 'QUALIFY',
  },
  'the first segment is no change': {
    file: 'gold.segment_changes',
    from: '"segment" IS DISTINCT FROM "previousSegment"',
    to: '"segment" <> "previousSegment"',
  },
  'each day is a change': {
    file: 'gold.segment_changes',
    from: 'WHERE "segment" IS DISTINCT FROM "previousSegment"',
    to: '',
  },
};
