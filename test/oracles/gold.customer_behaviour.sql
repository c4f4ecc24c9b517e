-- gold.customer_behaviour: all purchases and all sessions that are over, per user. Nothing is late for it.
CREATE TABLE oracle."gold.customer_behaviour" AS
WITH act AS (
  SELECT "userId" AS user_id, _ts AS seen_at, "revenue" AS revenue, 1 AS orders, 0 AS sessions FROM oracle."silver.purchases_enriched"
  UNION ALL
  SELECT "userId", "endedAt", 0, 0, 1 FROM oracle."silver.sessions" WHERE "userId" IS NOT NULL
)
SELECT
  CAST(user_id AS VARCHAR) AS _key,
  user_id AS "userId",
  max(seen_at) FILTER (orders = 1) AS "lastOrderAt",
  sum(orders) AS "orders",
  sum(revenue) AS "revenue",
  CASE WHEN sum(orders) = 0 THEN 0 ELSE (2 * sum(revenue) + sum(orders)) // (2 * sum(orders)) END AS "averageOrderValue",   -- half up, in cents
  sum(sessions) AS "sessions",
  max(seen_at) AS "lastSeenAt"
FROM act
GROUP BY user_id;
