-- gold.top_selling_items: the ten best items of an hour, and of a day in Berlin, by revenue and by units; closed windows only (grace 5 min).
CREATE TABLE item_in_window AS
WITH periods AS (
  SELECT *, unnest(['hour', 'day']) AS period FROM oracle."silver.purchases_enriched"
)
SELECT *,
  CASE period WHEN 'hour' THEN floor_to(_ts, hour()) ELSE berlin_start('day', _ts) END AS window_start,
  CASE period WHEN 'hour' THEN floor_to(_ts, hour()) + hour() ELSE berlin_next('day', _ts) END AS window_end,
  _ow >= window_end + 5 * minute() AS is_late
FROM periods;

CREATE TABLE late."gold.top_selling_items" AS
SELECT _key, period FROM item_in_window WHERE is_late;

CREATE TABLE oracle."gold.top_selling_items" AS
WITH item AS (
  SELECT period, window_start, window_end, "itemId", count(*) AS orders, sum("quantity") AS units, sum("revenue") AS revenue,
    last("title" ORDER BY _ts, "purchaseId") AS title, last("category" ORDER BY _ts, "purchaseId") AS category
  FROM item_in_window
  WHERE NOT is_late AND watermark_of('silver.purchases_enriched') >= window_end + 5 * minute()
  GROUP BY period, window_start, window_end, "itemId"
),
ranked AS (
  SELECT *, 'revenue' AS ranked_by, row_number() OVER (PARTITION BY period, window_start ORDER BY revenue DESC, "itemId") AS rank FROM item
  UNION ALL
  SELECT *, 'units', row_number() OVER (PARTITION BY period, window_start ORDER BY units DESC, "itemId") FROM item
)
SELECT
  iso(window_start) || '|' || period || '|' || ranked_by || '|' || rank AS _key,
  window_end - 1 AS _ts,
  window_end - 1 AS _ow,
  window_start AS "windowStart",
  window_end AS "windowEnd",
  period AS "period",
  ranked_by AS "rankedBy",
  rank AS "rank",
  "itemId",
  title AS "title",
  category AS "category",
  orders AS "orders",
  units AS "units",
  revenue AS "revenue"
FROM ranked
WHERE rank <= 10;
