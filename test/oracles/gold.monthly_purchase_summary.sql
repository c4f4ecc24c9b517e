-- gold.monthly_purchase_summary: purchases of a calendar month in Berlin, per user and category. Updates, so open windows count too (grace 5 min).
CREATE TABLE purchase_in_month AS
SELECT *, berlin_start('month', _ts) AS window_start, berlin_next('month', _ts) AS window_end, _ow >= window_end + 5 * minute() AS is_late
FROM oracle."silver.purchases_enriched";

CREATE TABLE late."gold.monthly_purchase_summary" AS
SELECT _key FROM purchase_in_month WHERE is_late;

CREATE TABLE oracle."gold.monthly_purchase_summary" AS
SELECT
  iso(window_start) || '|' || "userId" || '|' || "category" AS _key,
  window_start AS "windowStart",
  window_end AS "windowEnd",
  "userId",
  "category",
  count(*) AS "orders",
  sum("quantity") AS "units",
  sum("revenue") AS "revenue"
FROM purchase_in_month
WHERE NOT is_late
GROUP BY window_start, window_end, "userId", "category";
