-- silver.logins_enriched: attempts to log in that name a user, each once, joined with the user as of their event time. Grace 60 s on both sides.
CREATE TABLE login AS
SELECT
  partition, "offset", ts, ow,
  ow > ts + minute() AS is_late,
  watermark_of('bronze.shop.users') > ts + minute() AS released,
  event_id,
  json_extract_string(value, '$.userId') AS user_id,
  CAST(json_extract_string(value, '$.occurredAt') AS BIGINT) AS occurred_at,
  json_extract_string(value, '$.succeeded') = 'true' AS succeeded,
  lower(trimmed(json_extract_string(value, '$.method'))) AS method,
  country_code(json_extract_string(value, '$.country')) AS country,
  nullif(lower(trimmed(json_extract_string(value, '$.device'))), '') AS device,
  CAST(json_extract_string(value, '$.latitude') AS DOUBLE) AS latitude,
  CAST(json_extract_string(value, '$.longitude') AS DOUBLE) AS longitude
FROM first_event
WHERE topic = 'bronze.app.logins' AND json_extract_string(value, '$.userId') IS NOT NULL;

CREATE TABLE late."silver.logins_enriched" AS
SELECT 'login' AS what, partition, "offset" FROM login WHERE is_late
UNION ALL SELECT 'login', partition, "offset" FROM app_event
  WHERE topic = 'bronze.app.logins' AND json_extract_string(value, '$.userId') IS NOT NULL AND beyond_horizon
UNION ALL SELECT 'user', co_partition, co_offset FROM oracle."silver.users" WHERE _ow > _ts + minute();

-- As ECMAScript writes numbers of this size: without a fraction that is none.
CREATE MACRO number_text(d) AS CASE WHEN d = trunc(d) THEN CAST(CAST(d AS BIGINT) AS VARCHAR) ELSE CAST(d AS VARCHAR) END;

CREATE TABLE oracle."silver.logins_enriched" AS
SELECT
  l.user_id AS _key,
  l.ts AS _ts,
  l.ow AS _ow,
  l.partition AS co_partition,
  l."offset" AS co_offset,
  l.event_id AS "eventId",
  CAST(l.user_id AS BIGINT) AS "userId",
  l.occurred_at AS "occurredAt",
  l.succeeded AS "succeeded",
  l.method AS "method",
  l.country AS "country",
  l.device AS "device",
  number_text(l.latitude) AS "latitude",
  number_text(l.longitude) AS "longitude",
  u."country" AS "homeCountry",
  u."createdAt" AS "registeredAt"
FROM login l
ASOF LEFT JOIN user_version u ON l.user_id = u._key AND l.ts >= u._ts
WHERE NOT l.is_late AND l.released;

-- No more than the least ow that it still holds.
INSERT INTO watermark
SELECT 'silver.logins_enriched', promised(least(watermark_of('bronze.app.logins'), coalesce(min(ow), watermark_of('bronze.app.logins'))))
FROM login WHERE NOT is_late AND NOT released;
