-- gold.sales_perf_24h: the 24 hours before each full hour, per category and country; finals, so closed windows only (grace 5 min).
CREATE TABLE sale_in_window AS
WITH hopped AS (
  SELECT *, floor_to(_ts, hour()) - hour() * unnest(range(24)) AS window_start FROM oracle."silver.purchases_enriched"
)
SELECT *, window_start + 24 * hour() AS window_end, _ow >= window_end + 5 * minute() AS is_late FROM hopped;

CREATE TABLE late."gold.sales_perf_24h" AS
SELECT _key, window_start FROM sale_in_window WHERE is_late;

CREATE TABLE oracle."gold.sales_perf_24h" AS
SELECT
  iso(window_start) || '|' || "category" || '|' || "country" AS _key,
  window_end - 1 AS _ts,
  window_end - 1 AS _ow,
  window_start AS "windowStart",
  window_end AS "windowEnd",
  "category",
  "country",
  count(*) AS "orders",
  sum("quantity") AS "units",
  sum("revenue") AS "revenue",
  (2 * sum("revenue") + count(*)) // (2 * count(*)) AS "averageOrderValue"   -- half up, in cents
FROM sale_in_window
WHERE NOT is_late AND watermark_of('silver.purchases_enriched') >= window_end + 5 * minute()
GROUP BY window_start, window_end, "category", "country";
