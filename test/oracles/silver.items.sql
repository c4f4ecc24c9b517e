-- silver.items: every change of an item, cleaned, as it came. A delete is a record without value; Debezium's tombstone after it gives nothing.
CREATE TABLE oracle."silver.items" AS
SELECT
  json_extract_string(value, CASE op WHEN 'd' THEN '$.before.id' ELSE '$.after.id' END) AS _key,
  ts AS _ts,
  ow AS _ow,
  op = 'd' AS _deleted,
  partition AS co_partition,
  "offset" AS co_offset,
  CAST(json_extract_string(value, '$.after.id') AS BIGINT) AS "itemId",
  json_extract_string(value, '$.after.title') AS "title",
  CASE WHEN op <> 'd' THEN coalesce(nullif(lower(trimmed(json_extract_string(value, '$.after.category'))), ''), 'unknown') END AS "category",
  CAST(json_extract_string(value, '$.after.price') AS BIGINT) AS "price",
  CAST(json_extract_string(value, '$.after.active') AS INTEGER) <> 0 AS "active",
  CAST(json_extract_string(value, '$.after.created_at') AS BIGINT) AS "createdAt",
  CAST(json_extract_string(value, '$.after.updated_at') AS BIGINT) AS "updatedAt"
FROM clocked
WHERE topic = 'bronze.shop.items' AND op IN ('c', 'u', 'r', 'd') AND _key IS NOT NULL;

-- The versions that an as-of join of 60 s grace takes: late ones are left out; of several at one instant the last in the log stands.
CREATE TABLE item_version AS
SELECT * FROM oracle."silver.items"
WHERE _ow <= _ts + minute()
QUALIFY row_number() OVER (PARTITION BY _key, _ts ORDER BY co_partition DESC, co_offset DESC) = 1;
