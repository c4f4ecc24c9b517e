-- gold.top_converting_items: of the 24 hours before each full hour the ten items with most orders per view, of those with 5 views and an order; finals, so
-- closed windows only. Whether an event is late is decided by its own hour (grace 5 min).
CREATE TABLE interest AS
WITH every AS (
  SELECT "eventId" AS id, "itemId" AS item_id, _ts AS ts, _ow AS ow, "occurredAt" AS seen_at, "title" AS title, "category" AS category
  FROM oracle."silver.pageviews_by_items"
  UNION ALL
  SELECT NULL, "itemId", _ts, _ow, NULL, NULL, NULL FROM oracle."silver.purchases_enriched"
)
SELECT *, floor_to(ts, hour()) + hour() AS hour_end, ow >= hour_end + 5 * minute() AS is_late FROM every;

CREATE TABLE late."gold.top_converting_items" AS SELECT id, item_id FROM interest WHERE is_late;

INSERT INTO watermark SELECT 'items viewed and sold', least(watermark_of('silver.pageviews_by_items'), watermark_of('silver.purchases_enriched'));

CREATE TABLE oracle."gold.top_converting_items" AS
WITH hopped AS (
  SELECT *, hour_end + hour() * unnest(range(24)) AS window_end FROM interest WHERE NOT is_late
),
item AS (
  SELECT window_end, item_id, count(id) AS views, count(*) - count(id) AS orders, (20000 * orders + views) // (2 * views) AS rate,
    last(title ORDER BY seen_at, id) FILTER (id IS NOT NULL) AS title, last(category ORDER BY seen_at, id) FILTER (id IS NOT NULL) AS category
  FROM hopped
  WHERE watermark_of('items viewed and sold') >= window_end + 5 * minute()
  GROUP BY window_end, item_id
  HAVING views >= 5 AND orders > 0
),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY window_end ORDER BY rate DESC, item_id) AS rank FROM item
)
SELECT
  iso(window_end - 24 * hour()) || '|' || rank AS _key,
  window_end - 1 AS _ts,
  window_end - 1 AS _ow,
  window_end - 24 * hour() AS "windowStart",
  window_end AS "windowEnd",
  rank AS "rank",
  item_id AS "itemId",
  title AS "title",
  category AS "category",
  views AS "views",
  orders AS "orders",
  rate AS "conversionRate"
FROM ranked
WHERE rank <= 10;
