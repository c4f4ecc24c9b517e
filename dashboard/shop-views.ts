/** How the shop's gold tables are shown. Columns are those of schemas/gold.*.avsc, in the database's spelling. */
import type { GoldView } from './warehouse.ts';

/** In the order of the page. */
export const shopViews: readonly GoldView[] = [
  {
    table: 'gold.sales_perf_24h',
    about: 'Sales of 24 hours, every hour, per category and country',
    columns: [
      { name: 'window_end', kind: 'time' },
      { name: 'category', kind: 'text' },
      { name: 'country', kind: 'text' },
      { name: 'orders', kind: 'number' },
      { name: 'revenue', kind: 'number' },
    ],
    orderBy: 'window_end desc, revenue desc, category, country',
    chart: {
      kind: 'bars',
      title: 'Revenue by category, newest 24 hours',
      unit: '',
      sql: `select category as label, sum(revenue) as value from gold.sales_perf_24h
        where window_end = (select max(window_end) from gold.sales_perf_24h) group by category order by value desc, category limit 8`,
    },
  },
  {
    table: 'gold.pageviews_by_channel',
    about: 'Views of items per hour and channel',
    columns: [
      { name: 'window_start', kind: 'time' },
      { name: 'channel', kind: 'text' },
      { name: 'views', kind: 'number' },
    ],
    orderBy: 'window_start desc, views desc, channel',
    chart: {
      kind: 'series',
      title: 'Views per hour, by channel',
      unit: 'views',
      sql: `select window_start as at, channel as label, sum(views) as value from gold.pageviews_by_channel
        where window_start > (select max(window_start) from gold.pageviews_by_channel) - interval '24 hours' group by 1, 2`,
    },
  },
  {
    table: 'gold.registrations_hourly',
    about: 'Registrations per hour, every 15 minutes, per country',
    columns: [
      { name: 'window_start', kind: 'time' },
      { name: 'country', kind: 'text' },
      { name: 'registrations', kind: 'number' },
    ],
    orderBy: 'window_start desc, registrations desc, country',
    chart: {
      kind: 'series',
      title: 'Registrations within an hour, every 15 minutes',
      unit: 'registrations',
      sql: `select window_start as at, 'registrations' as label, sum(registrations) as value from gold.registrations_hourly
        where window_start > (select max(window_start) from gold.registrations_hourly) - interval '12 hours' group by 1`,
    },
  },
  {
    table: 'gold.top_selling_items',
    about: 'The ten items that sold best in an hour (by revenue), or a day',
    columns: [
      { name: 'window_start', kind: 'time' },
      { name: 'rank', kind: 'number' },
      { name: 'title', kind: 'text' },
      { name: 'units', kind: 'number' },
      { name: 'revenue', kind: 'number' },
    ],
    where: `period = 'hour' and ranked_by = 'revenue'`,
    orderBy: 'window_start desc, rank',
    chart: {
      kind: 'bars',
      title: 'Revenue by item, newest hour',
      unit: '',
      sql: `select coalesce(title, 'item ' || item_id) as label, revenue as value from gold.top_selling_items
        where period = 'hour' and ranked_by = 'revenue'
          and window_start = (select max(window_start) from gold.top_selling_items where period = 'hour' and ranked_by = 'revenue')
        order by rank limit 8`,
    },
  },
  {
    table: 'gold.monthly_purchase_summary',
    about: "Purchases of a month in the shop's time zone, per user and category",
    columns: [
      { name: 'window_start', kind: 'time' },
      { name: 'user_id', kind: 'text' },
      { name: 'category', kind: 'text' },
      { name: 'orders', kind: 'number' },
      { name: 'revenue', kind: 'number' },
    ],
    orderBy: 'window_start desc, revenue desc, user_id, category',
    chart: {
      kind: 'bars',
      title: 'Revenue by category, newest month',
      unit: '',
      sql: `select category as label, sum(revenue) as value from gold.monthly_purchase_summary
        where window_start = (select max(window_start) from gold.monthly_purchase_summary) group by category order by value desc, category limit 8`,
    },
  },
];
