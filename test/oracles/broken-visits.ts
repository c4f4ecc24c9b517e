import type { BrokenRule } from './broken-rules.ts';
import { BROKEN_SEGMENTS } from './broken-segments.ts';

/** Rules about customers, their visits and what comes of them, each broken alone in the SQL: the text that is there, and what it becomes. */
export const BROKEN_VISITS: Readonly<Record<string, BrokenRule>> = {
  ...BROKEN_SEGMENTS,
  'whatever is said is a language': {
    file: 'silver.customer_profiles',
    from: "regexp_full_match(language, '[a-z]{2}')",
    to: 'true',
  },
  'a gap of just 30 minutes ends a session': {
    file: 'silver.sessions',
    from: '> 30 * minute() AS begins',
    to: '>= 30 * minute() AS begins',
  },
  'sessions that are not over count too': {
    file: 'silver.sessions',
    from: 'sessions_complete() > ended_at + 35 * minute()',
    to: 'true',
  },
  'sessions accept what is later': {
    file: 'silver.sessions',
    from: 'ow > ts + 5 * minute()',
    to: 'ow > ts + 7 * minute()',
  },
  'the entry of a session is where it ends': {
    file: 'silver.sessions',
    from: 'first(channel ORDER BY ts, event_id)',
    to: 'last(channel ORDER BY ts, event_id)',
  },
  'what is taken out of a cart is put into it': {
    file: 'silver.sessions',
    from: "action = 'add'",
    to: "action <> ''",
  },
  'a step of the funnel counts without the one before': {
    file: 'gold.conversion_funnel',
    from: 'has_viewed AND "cartAdds" > 0',
    to: '"cartAdds" > 0',
  },
  'a session counts on the day on which it began': {
    file: 'gold.conversion_funnel',
    from: 'SELECT *, _ts AS day',
    to: 'SELECT *, "startedAt" AS day',
  },
  'rates are cut off': {
    file: 'gold.conversion_funnel',
    from: '(20000 * purchased + viewed) // (2 * viewed)',
    to: '10000 * purchased // viewed',
  },
  'what is taken out of a cart is added to it': {
    file: 'gold.daily_product_performance',
    from: "'bronze.app.cart_events' AND lower(trimmed(json_extract_string(value, '$.action'))) = 'add'\n  UNION",
    to: "'bronze.app.cart_events'\n  UNION",
  },
  'an item may convert with four views': { file: 'gold.top_converting_items', from: 'views >= 5', to: 'views >= 4' },
  'windows of rates are ranked while they are open': {
    file: 'gold.top_converting_items',
    from: "WHERE watermark_of('items viewed and sold') >= window_end + 5 * minute()",
    to: '',
  },
  'an item that converts is called what it was at first': {
    file: 'gold.top_converting_items',
    from: 'last(title ORDER BY',
    to: 'first(title ORDER BY',
  },
  'the period before is that of any category': {
    file: 'gold.order_trends',
    from: ' AND p.category = t.category',
    to: " AND p.category = 'books'",
  },
  'weeks begin on Sunday': {
    file: 'gold.order_trends',
    from: 'date_trunc(period, berlin(_ts)))',
    to: 'date_trunc(period, berlin(_ts) + INTERVAL 1 DAY) - INTERVAL 1 DAY)',
  },
  'changes are cut off': {
    file: 'gold.order_trends',
    from: '(20000 * t.revenue + p.revenue) // (2 * p.revenue)',
    to: '10000 * t.revenue // p.revenue',
  },
  'users are seen only when they buy': {
    file: 'gold.customer_behaviour',
    from: 'max(seen_at) AS "lastSeenAt"',
    to: 'max(seen_at) FILTER (orders = 1) AS "lastSeenAt"',
  },
  'averages of users are cut off': {
    file: 'gold.customer_behaviour',
    from: '(2 * sum(revenue) + sum(orders)) // (2 * sum(orders))',
    to: 'sum(revenue) // sum(orders)',
  },
};
