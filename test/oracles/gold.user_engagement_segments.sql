-- gold.user_engagement_segments: each user who is known, at the end of each calendar day in Berlin, from the sessions that ended within 90 days, joined with
-- the profile as of the last millisecond of the day. Finals: a day is judged when all sessions that end in it are there. Sessions are never late.
CREATE TABLE engaged_day AS
SELECT "userId" AS user_id, CAST(berlin("endedAt") AS DATE) AS day, sum("orders") AS orders, sum("revenue") AS revenue
FROM oracle."silver.sessions"
WHERE "userId" IS NOT NULL
GROUP BY ALL;

-- Who was not seen for 90 days is forgotten when the last of them is over, and begins anew.
CREATE TABLE acquaintance AS
WITH step AS (
  SELECT *, coalesce(day - lag(day) OVER (PARTITION BY user_id ORDER BY day) > 90, true) AS begins FROM engaged_day
)
SELECT *, max(day) FILTER (WHERE begins) OVER (PARTITION BY user_id ORDER BY day) AS since FROM step;

CREATE TABLE segmented_day AS
WITH calendar AS (
  SELECT user_id, since, CAST(unnest(generate_series(CAST(since AS TIMESTAMP), max(day) + INTERVAL 30 DAY, INTERVAL 1 DAY)) AS DATE) AS day
  FROM acquaintance
  GROUP BY user_id, since
),
signal AS (
  SELECT c.user_id, c.since, c.day,
    c.day - c.since AS known,
    c.day - max(e.day) AS unseen,
    count(*) FILTER (WHERE e.day > c.day - 7) AS visits,
    coalesce(sum(e.orders) FILTER (WHERE e.day > c.day - 30), 0) AS bought,
    count(*) FILTER (WHERE e.orders > 0) AS order_days,
    sum(e.revenue) AS revenue
  FROM calendar c JOIN engaged_day e ON e.user_id = c.user_id AND e.day BETWEEN c.day - 89 AND c.day
  GROUP BY c.user_id, c.since, c.day
),
judged AS (
  SELECT *,
    CASE
      WHEN unseen >= 30 THEN 'dormant'
      WHEN unseen >= 14 THEN 'at_risk'
      WHEN order_days >= 3 THEN 'loyal'
      WHEN bought >= 1 THEN 'buyer'
      WHEN visits >= 3 THEN 'engaged'
      WHEN known < 7 THEN 'new'
      ELSE 'active'
    END AS segment
  FROM signal
),
compared AS (
  SELECT *, lag(segment) OVER (PARTITION BY user_id, since ORDER BY day) AS before,
    berlin_instant(CAST(day AS TIMESTAMP)) AS window_start, berlin_instant(CAST(day AS TIMESTAMP) + INTERVAL 1 DAY) AS window_end
  FROM judged
)
SELECT *, watermark_of('bronze.shop.customer_profiles') > window_end - 1 + minute() AS released
FROM compared
WHERE NOT (segment = 'dormant' AND before IS NOT DISTINCT FROM 'dormant')
  AND watermark_of('silver.sessions') >= window_end;

CREATE TABLE late."gold.user_engagement_segments" AS
SELECT co_partition, co_offset FROM oracle."silver.customer_profiles" WHERE _ow > _ts + minute();

INSERT INTO watermark
SELECT 'gold.user_engagement_segments', promised(least(watermark_of('silver.sessions'), coalesce(min(window_end), watermark_of('silver.sessions'))))
FROM segmented_day WHERE NOT released;

CREATE TABLE oracle."gold.user_engagement_segments" AS
WITH dated AS (
  SELECT *, window_end - 1 AS ts, CAST(user_id AS VARCHAR) AS user_key FROM segmented_day WHERE released
)
SELECT
  iso(d.window_start) || '|' || d.user_id AS _key,
  d.ts AS _ts,
  d.window_end AS _ow,
  d.window_start AS "windowStart",
  d.window_end AS "windowEnd",
  d.user_id AS "userId",
  d.segment AS "segment",
  d.before AS "previousSegment",
  CASE
    WHEN d.segment IN ('dormant', 'at_risk') THEN 'days without a visit: ' || d.unseen
    WHEN d.segment = 'loyal' THEN 'days with orders in the last 90: ' || d.order_days
    WHEN d.segment = 'buyer' THEN 'orders in the last 30 days: ' || d.bought
    WHEN d.segment = 'engaged' THEN 'days with visits in the last 7: ' || d.visits
    WHEN d.segment = 'new' THEN 'days since the first visit: ' || d.known
    ELSE 'days since the last visit: ' || d.unseen
  END AS "reason",
  d.unseen AS "daysSinceSeen",
  d.visits AS "activeDays7d",
  d.bought AS "orders30d",
  d.order_days AS "orderDays90d",
  d.revenue AS "revenue90d",
  coalesce(p."ageBand", 'unknown') AS "ageBand",
  p."marketingConsent" AS "marketingConsent",
  p."language" AS "language"
FROM dated d
ASOF LEFT JOIN profile_version p ON d.user_key = p._key AND d.ts >= p._ts;
