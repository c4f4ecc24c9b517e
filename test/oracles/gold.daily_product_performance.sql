-- gold.daily_product_performance: views, additions to carts and purchases of an item per calendar day in Berlin. Updates, so open days count too (grace 5 min).
CREATE TABLE item_event AS
WITH every AS (
  SELECT 'view' AS what, "eventId" AS id, "itemId" AS item_id, _ts AS ts, _ow AS ow, 0 AS units, 0 AS revenue FROM oracle."silver.pageviews_by_items"
  UNION ALL
  SELECT 'cart', event_id, CAST(json_extract_string(value, '$.itemId') AS BIGINT), ts, ow, 0, 0 FROM first_event
  WHERE topic = 'bronze.app.cart_events' AND lower(trimmed(json_extract_string(value, '$.action'))) = 'add'
  UNION ALL
  SELECT 'sale', _key, "itemId", _ts, _ow, "quantity", "revenue" FROM oracle."silver.purchases_enriched"
)
SELECT *, berlin_start('day', ts) AS window_start, berlin_next('day', ts) AS window_end, ow >= window_end + 5 * minute() AS is_late
FROM every;

CREATE TABLE late."gold.daily_product_performance" AS
SELECT what, id FROM item_event WHERE is_late
UNION ALL SELECT 'cart', event_id FROM app_event
  WHERE topic = 'bronze.app.cart_events' AND lower(trimmed(json_extract_string(value, '$.action'))) = 'add' AND beyond_horizon;

INSERT INTO watermark SELECT 'gold.daily_product_performance',
  least(watermark_of('silver.pageviews_by_items'), watermark_of('bronze.app.cart_events'), watermark_of('silver.purchases_enriched'));

CREATE TABLE oracle."gold.daily_product_performance" AS
SELECT
  iso(window_start) || '|' || item_id AS _key,
  window_start AS "windowStart",
  window_end AS "windowEnd",
  item_id AS "itemId",
  count(*) FILTER (what = 'view') AS "views",
  count(*) FILTER (what = 'cart') AS "cartAdds",
  count(*) FILTER (what = 'sale') AS "orders",
  sum(units) AS "units",
  sum(revenue) AS "revenue"
FROM item_event
WHERE NOT is_late
GROUP BY window_start, window_end, item_id;
