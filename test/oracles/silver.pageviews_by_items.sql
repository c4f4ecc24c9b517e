-- silver.pageviews_by_items: views of an item, joined with the item as it was at their event time. Grace 60 s on both sides. Each
-- event once.
CREATE TABLE pageview AS
SELECT
  partition, "offset", ts, ow,
  ow > ts + minute() AS is_late,
  watermark_of('bronze.shop.items') > ts + minute() AS released,
  json_extract_string(value, '$.eventId') AS event_id,
  json_extract_string(value, '$.itemId') AS item_id,
  CAST(json_extract_string(value, '$.userId') AS BIGINT) AS user_id,
  json_extract_string(value, '$.anonymousId') AS anonymous_id,
  CAST(json_extract_string(value, '$.occurredAt') AS BIGINT) AS occurred_at,
  coalesce(lower(trimmed(json_extract_string(value, '$.channel'))), '') AS channel
FROM first_event
WHERE topic = 'bronze.app.pageviews' AND json_extract_string(value, '$.itemId') IS NOT NULL;

CREATE TABLE late."silver.pageviews_by_items" AS
SELECT 'pageview' AS what, partition, "offset" FROM pageview WHERE is_late
UNION ALL SELECT 'pageview', partition, "offset" FROM app_event
  WHERE topic = 'bronze.app.pageviews' AND json_extract_string(value, '$.itemId') IS NOT NULL AND beyond_horizon
UNION ALL SELECT 'item', co_partition, co_offset FROM oracle."silver.items" WHERE _ow > _ts + minute();

-- The first line that fits decides.
CREATE MACRO channel_of(said) AS CASE
  WHEN said = '' OR said LIKE '%direct%' THEN 'direct'
  WHEN regexp_matches(said, 'ads|cpc') THEN 'ads'
  WHEN regexp_matches(said, 'google|bing|organic|search') THEN 'search'
  WHEN regexp_matches(said, 'facebook|fb|instagram|twitter|tiktok|social') THEN 'social'
  WHEN said LIKE '%mail%' THEN 'email'
  WHEN regexp_matches(said, 'referr|partner') THEN 'referral'
  ELSE 'other'
END;

CREATE TABLE oracle."silver.pageviews_by_items" AS
SELECT
  p.item_id AS _key,
  p.ts AS _ts,
  p.ow AS _ow,
  p.event_id AS "eventId",
  CAST(p.item_id AS BIGINT) AS "itemId",
  i."title" AS "title",
  coalesce(i."category", 'unknown') AS "category",
  channel_of(p.channel) AS "channel",
  p.user_id AS "userId",
  p.anonymous_id AS "anonymousId",
  p.occurred_at AS "occurredAt"
FROM pageview p
ASOF LEFT JOIN item_version i ON p.item_id = i._key AND p.ts >= i._ts
WHERE NOT p.is_late AND p.released;

-- No more than the least ow that it still holds.
INSERT INTO watermark
SELECT 'silver.pageviews_by_items', promised(least(watermark_of('bronze.app.pageviews'), coalesce(min(ow), watermark_of('bronze.app.pageviews'))))
FROM pageview WHERE NOT is_late AND NOT released;
