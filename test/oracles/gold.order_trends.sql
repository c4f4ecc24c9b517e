-- gold.order_trends: orders of a calendar day and week (from Monday) in Berlin per category, beside those of the period before. Nothing is late for them;
-- updates, so open periods count too.
CREATE TABLE trend AS
WITH sold AS (
  SELECT *, unnest(['day', 'week']) AS period FROM oracle."silver.purchases_enriched"
)
SELECT period, berlin_instant(date_trunc(period, berlin(_ts))) AS window_start,
  berlin_instant(date_trunc(period, berlin(_ts)) + CASE period WHEN 'day' THEN INTERVAL 1 DAY ELSE INTERVAL 7 DAY END) AS window_end,
  "category" AS category, count(*) AS orders, sum("quantity") AS units, sum("revenue") AS revenue
FROM sold
GROUP BY ALL;

CREATE TABLE oracle."gold.order_trends" AS
SELECT
  iso(t.window_start) || '|' || t.period || '|' || t.category AS _key,
  t.window_start AS "windowStart",
  t.window_end AS "windowEnd",
  t.period AS "period",
  t.category AS "category",
  t.orders AS "orders",
  t.units AS "units",
  t.revenue AS "revenue",
  coalesce(p.orders, 0) AS "previousOrders",
  coalesce(p.units, 0) AS "previousUnits",
  coalesce(p.revenue, 0) AS "previousRevenue",
  (20000 * t.revenue + p.revenue) // (2 * p.revenue) - 10000 AS "revenueChange"   -- half up, in ten-thousandths
FROM trend t LEFT JOIN trend p ON p.window_end = t.window_start AND p.period = t.period AND p.category = t.category;
