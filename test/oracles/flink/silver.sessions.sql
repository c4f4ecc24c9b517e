-- Session windows: views, carts and orders of a visitor with no gap of more than 30 minutes; finals, so only those whose end, gap and grace lie before what
-- all three inputs are complete to. The entry is the first app event, of two at one instant that with the lesser id.
CREATE TEMPORARY VIEW visit AS
SELECT visitor, userId, happened, ts, CONCAT(LPAD(CAST(ts AS STRING), 15, '0'), id) AS entry, CASE
    WHEN said = '' OR said LIKE '%direct%' THEN 'direct'
    WHEN REGEXP(said, 'ads|cpc') THEN 'ads'
    WHEN REGEXP(said, 'google|bing|organic|search') THEN 'search'
    WHEN REGEXP(said, 'facebook|fb|instagram|twitter|tiktok|social') THEN 'social'
    WHEN said LIKE '%mail%' THEN 'email'
    WHEN REGEXP(said, 'referr|partner') THEN 'referral'
    ELSE 'other'
  END AS channel, `views`, cartAdds, orders, revenue
FROM (
  SELECT ${visitor} AS visitor, userId, happened, ts, id, ${trimmed:LOWER(COALESCE(channel, ''))} AS said, 1 AS `views`, 0 AS cartAdds, 0 AS orders,
    CAST(0 AS BIGINT) AS revenue
  FROM pageview
  UNION ALL
  SELECT ${visitor}, userId, happened, ts, id, ${trimmed:LOWER(COALESCE(channel, ''))}, 0, CASE WHEN ${trimmed:LOWER(action)} = 'add' THEN 1 ELSE 0 END, 0,
    CAST(0 AS BIGINT)
  FROM cart_event
)
UNION ALL
SELECT CONCAT('user:', CAST(userId AS STRING)), userId, happened, ts, CAST(NULL AS STRING), CAST(NULL AS STRING), 0, 0, 1, revenue FROM purchase;

SELECT
  CONCAT(visitor, '|', ${iso:TO_TIMESTAMP_LTZ(startedAt, 3)}) AS _key,
  endedAt AS _ts,
  endedAt AS _ow,
  visitor,
  userId,
  startedAt,
  endedAt,
  COALESCE(SUBSTRING(entry FROM POSITION('|' IN entry) + 1), 'unknown') AS entryChannel,
  `views`,
  cartAdds,
  orders,
  revenue,
  orders > 0 AS converted
FROM (
  SELECT visitor, MAX(userId) AS userId, MIN(ts) AS startedAt, MAX(ts) AS endedAt, MIN(CONCAT(entry, '|', channel)) AS entry,
    SUM(`views`) AS `views`, SUM(cartAdds) AS cartAdds, SUM(orders) AS orders, SUM(revenue) AS revenue
  FROM SESSION(TABLE visit PARTITION BY visitor, DESCRIPTOR(happened), INTERVAL '30' MINUTES)
  GROUP BY window_start, window_end, visitor
)
WHERE endedAt + 2100000 < ${sessions_complete}
