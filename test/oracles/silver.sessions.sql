-- silver.sessions: what a visitor did, cut where more than 30 minutes lie between one event and the next; what came too late (grace 5 min) does not
-- count. Finals: a session is out when event time is complete beyond its end, the gap and the grace. Each app event once.
CREATE TABLE visit AS
WITH app AS (
  SELECT topic AS what, partition, "offset", ts, ow, event_id,
    CAST(json_extract_string(value, '$.userId') AS BIGINT) AS user_id,
    json_extract_string(value, '$.anonymousId') AS anonymous_id,
    channel_of(coalesce(lower(trimmed(json_extract_string(value, '$.channel'))), '')) AS channel,
    lower(trimmed(json_extract_string(value, '$.action'))) AS action
  FROM first_event
  WHERE topic IN ('bronze.app.pageviews', 'bronze.app.cart_events')
),
every AS (
  SELECT *, 0 AS revenue FROM app
  UNION ALL
  SELECT 'purchase', NULL, "purchaseId", _ts, _ow, NULL, "userId", NULL, NULL, NULL, "revenue" FROM oracle."silver.purchases_enriched"
)
SELECT *,
  CASE WHEN user_id IS NULL THEN 'anonymous:' || anonymous_id ELSE 'user:' || user_id END AS visitor,
  ow > ts + 5 * minute() AS is_late
FROM every;

CREATE TABLE late."silver.sessions" AS
SELECT what, partition, "offset" FROM visit WHERE is_late
UNION ALL SELECT topic, partition, "offset" FROM app_event WHERE topic IN ('bronze.app.pageviews', 'bronze.app.cart_events') AND beyond_horizon;

-- What the stage has of its three inputs; a session still to come holds its promise back by gap and grace.
CREATE MACRO sessions_complete() AS
  least(watermark_of('bronze.app.pageviews'), watermark_of('bronze.app.cart_events'), watermark_of('silver.purchases_enriched'));
INSERT INTO watermark SELECT 'silver.sessions', promised(sessions_complete() - 35 * minute());

CREATE TABLE oracle."silver.sessions" AS
WITH cut AS (
  SELECT *, ts - coalesce(lag(ts) OVER (PARTITION BY visitor ORDER BY ts), never()) > 30 * minute() AS begins
  FROM visit WHERE NOT is_late
),
numbered AS (
  SELECT *, sum(CAST(begins AS INTEGER)) OVER (PARTITION BY visitor ORDER BY ts RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS n FROM cut
),
session AS (
  SELECT visitor, any_value(user_id) AS user_id, min(ts) AS started_at, max(ts) AS ended_at,
    first(channel ORDER BY ts, event_id) FILTER (what <> 'purchase') AS entry_channel,
    count(*) FILTER (what = 'bronze.app.pageviews') AS views,
    count(*) FILTER (what = 'bronze.app.cart_events' AND action = 'add') AS cart_adds,
    count(*) FILTER (what = 'purchase') AS orders,
    sum(revenue) AS revenue
  FROM numbered
  GROUP BY visitor, n
)
SELECT
  visitor || '|' || iso(started_at) AS _key,
  ended_at AS _ts,
  ended_at AS _ow,
  visitor AS "visitor",
  user_id AS "userId",
  started_at AS "startedAt",
  ended_at AS "endedAt",
  coalesce(entry_channel, 'unknown') AS "entryChannel",
  views AS "views",
  cart_adds AS "cartAdds",
  orders AS "orders",
  revenue AS "revenue",
  orders > 0 AS "converted"
FROM session
WHERE sessions_complete() > ended_at + 35 * minute();
