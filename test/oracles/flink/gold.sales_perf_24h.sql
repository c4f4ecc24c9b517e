-- Hopping windows of 24 hours, every hour, of the orders in silver; finals, so only those that end, with 5 minutes of grace, where silver is complete.
SELECT
  CONCAT(${iso:window_start}, '|', category, '|', country) AS _key,
  ${ms:window_end} - 1 AS _ts,
  ${ms:window_end} - 1 AS _ow,
  window_start AS windowStart,
  window_end AS windowEnd,
  category,
  country,
  orders,
  units,
  revenue,
  (2 * revenue + orders) / (2 * orders) AS averageOrderValue
FROM (
  SELECT window_start, window_end, category, country, COUNT(*) AS orders, SUM(quantity) AS units, SUM(revenue) AS revenue
  FROM HOP(TABLE purchase, DESCRIPTOR(happened), INTERVAL '1' HOURS, INTERVAL '24' HOURS)
  WHERE LOCATE(CONCAT('|', ${iso:window_start}, '|'), late) = 0
  GROUP BY window_start, window_end, category, country
)
WHERE ${ms:window_end} + 300000 <= ${purchases_complete}
