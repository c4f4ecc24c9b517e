-- silver.customer_profiles: every change of a profile, cleaned, as it came. A delete is a record without value; Debezium's tombstone after it gives nothing.
CREATE TABLE oracle."silver.customer_profiles" AS
WITH written AS (
  SELECT *,
    lower(trimmed(json_extract_string(value, '$.after.age_band'))) AS age_band,
    CASE WHEN json_valid(json_extract_string(value, '$.after.preferences')) THEN json_extract_string(value, '$.after.preferences') END AS said
  FROM clocked
  WHERE topic = 'bronze.shop.customer_profiles' AND op IN ('c', 'u', 'r', 'd')
),
spoken AS (
  SELECT *, lower(trimmed(json_extract_string(said, '$.language'))) AS language FROM written
)
SELECT
  json_extract_string(value, CASE op WHEN 'd' THEN '$.before.user_id' ELSE '$.after.user_id' END) AS _key,
  ts AS _ts,
  ow AS _ow,
  op = 'd' AS _deleted,
  partition AS co_partition,
  "offset" AS co_offset,
  CAST(json_extract_string(value, '$.after.user_id') AS BIGINT) AS "userId",
  CASE WHEN op = 'd' THEN NULL WHEN age_band IN ('under-18', '18-24', '25-34', '35-44', '45-54', '55-64', '65+') THEN age_band ELSE 'unknown' END AS "ageBand",
  CAST(json_extract_string(value, '$.after.marketing_consent') AS INTEGER) <> 0 AS "marketingConsent",
  CASE WHEN regexp_full_match(language, '[a-z]{2}') THEN language END AS "language",
  CASE json_type(said, '$.newsletter') WHEN 'BOOLEAN' THEN CAST(json_extract_string(said, '$.newsletter') AS BOOLEAN) END AS "newsletter",
  CAST(json_extract_string(value, '$.after.created_at') AS BIGINT) AS "createdAt",
  CAST(json_extract_string(value, '$.after.updated_at') AS BIGINT) AS "updatedAt"
FROM spoken
WHERE _key IS NOT NULL;

-- The versions that an as-of join of 60 s grace takes: late ones are left out; of several at one instant the last in the log stands.
CREATE TABLE profile_version AS
SELECT * FROM oracle."silver.customer_profiles"
WHERE _ow <= _ts + minute()
QUALIFY row_number() OVER (PARTITION BY _key, _ts ORDER BY co_partition DESC, co_offset DESC) = 1;
