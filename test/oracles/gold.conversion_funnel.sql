-- gold.conversion_funnel: sessions that are over, per entry channel and the day in Berlin on which they ended. A session is never late: it carries the
-- time of its last event. Updates, so open days count too.
CREATE TABLE late."gold.conversion_funnel" AS SELECT _key FROM oracle."silver.sessions" WHERE false;

CREATE TABLE oracle."gold.conversion_funnel" AS
WITH dated AS (
  SELECT *, _ts AS day, "views" > 0 AS has_viewed, has_viewed AND "cartAdds" > 0 AS has_carted, has_carted AND "orders" > 0 AS has_purchased
  FROM oracle."silver.sessions"
),
cell AS (
  SELECT berlin_start('day', day) AS window_start, berlin_next('day', day) AS window_end, "entryChannel" AS channel,
    count(*) AS sessions, count(*) FILTER (has_viewed) AS viewed, count(*) FILTER (has_carted) AS carted, count(*) FILTER (has_purchased) AS purchased,
    sum("orders") AS orders, sum("revenue") AS revenue
  FROM dated
  GROUP BY ALL
)
SELECT
  iso(window_start) || '|' || channel AS _key,
  window_start AS "windowStart",
  window_end AS "windowEnd",
  channel AS "channel",
  sessions AS "sessions",
  viewed AS "viewed",
  carted AS "carted",
  purchased AS "purchased",
  orders AS "orders",
  revenue AS "revenue",
  CASE viewed WHEN 0 THEN 0 ELSE (20000 * purchased + viewed) // (2 * viewed) END AS "conversionRate"   -- half up, in ten-thousandths
FROM cell;
