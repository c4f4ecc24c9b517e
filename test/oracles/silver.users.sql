-- silver.users: every change of a user, cleaned, as it came. A delete is a record without value; Debezium's tombstone after it gives nothing.
CREATE TABLE oracle."silver.users" AS
SELECT
  json_extract_string(value, CASE op WHEN 'd' THEN '$.before.id' ELSE '$.after.id' END) AS _key,
  ts AS _ts,
  ow AS _ow,
  op = 'd' AS _deleted,
  partition AS co_partition,
  "offset" AS co_offset,
  CAST(json_extract_string(value, '$.after.id') AS BIGINT) AS "userId",
  nullif(lower(trimmed(json_extract_string(value, '$.after.email'))), '') AS "email",
  nullif(trimmed(json_extract_string(value, '$.after.full_name')), '') AS "name",
  country_code(json_extract_string(value, '$.after.country')) AS "country",
  CAST(json_extract_string(value, '$.after.birth_date') AS INTEGER) AS "birthDate",
  CAST(json_extract_string(value, '$.after.created_at') AS BIGINT) AS "createdAt",
  CAST(json_extract_string(value, '$.after.updated_at') AS BIGINT) AS "updatedAt"
FROM clocked
WHERE topic = 'bronze.shop.users' AND op IN ('c', 'u', 'r', 'd') AND _key IS NOT NULL;

-- The versions that an as-of join of 60 s grace takes: late ones are left out; of several at one instant the last in the log stands.
CREATE TABLE user_version AS
SELECT * FROM oracle."silver.users"
WHERE _ow <= _ts + minute()
QUALIFY row_number() OVER (PARTITION BY _key, _ts ORDER BY co_partition DESC, co_offset DESC) = 1;
