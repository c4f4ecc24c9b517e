-- silver.purchases_enriched: purchases from the database and from the app, each once, joined as of their event time with the item, then, repartitioned,
-- with the user. Grace 60 s everywhere. A purchase is late by its own ow; from the table of those in time on its ow is its event time.
CREATE TABLE purchase_record AS
SELECT
  topic, partition, "offset", ts,
  ow > ts + minute() AS is_late,
  json_extract_string(value, '$.after.id') AS id,
  json_extract_string(value, '$.after.user_id') AS user_id,
  json_extract_string(value, '$.after.item_id') AS item_id,
  CAST(json_extract_string(value, '$.after.quantity') AS BIGINT) AS quantity,
  CAST(json_extract_string(value, '$.after.unit_price') AS BIGINT) AS unit_price
FROM clocked
WHERE topic = 'bronze.shop.purchases' AND op IN ('c', 'r') AND id IS NOT NULL
UNION ALL
SELECT
  topic, partition, "offset", ts,
  ow > ts + minute(),
  json_extract_string(value, '$.purchaseId'),
  json_extract_string(value, '$.userId'),
  json_extract_string(value, '$.itemId'),
  CAST(json_extract_string(value, '$.quantity') AS BIGINT) AS count,
  CAST(json_extract_string(value, '$.unitPriceCents') AS BIGINT) AS cents
FROM clocked
WHERE topic = 'bronze.app.purchase_events' AND value IS NOT NULL AND count >= 1 AND cents >= 0;

-- In the order of event time, which is complete up to the watermark less 60 s, one stays when none that stayed lies at most seven days before it.
INSERT INTO watermark
SELECT 'purchases in order', least(watermark_of('bronze.shop.purchases'), watermark_of('bronze.app.purchase_events')) - minute();

CREATE TABLE purchase AS
WITH log AS (
  SELECT id, list({'ts': ts, 'topic': topic, 'partition': partition, 'at': "offset"} ORDER BY ts, topic, partition, "offset") AS records
  FROM purchase_record
  WHERE NOT is_late AND ts < watermark_of('purchases in order')
  GROUP BY id
),
kept AS (
  SELECT unnest(list_reduce(list_transform(records, lambda each: [each]), lambda stayed, next:
    CASE WHEN next[1].ts - stayed[-1].ts <= 7 * 24 * hour() THEN stayed ELSE list_concat(stayed, next) END)) AS one
  FROM log
)
SELECT r.* EXCLUDE (is_late), ts AS ow
FROM purchase_record r
JOIN kept k ON r.topic = k.one.topic AND r.partition = k.one.partition AND r."offset" = k.one.at;

CREATE TABLE late."silver.purchases_enriched" AS
SELECT topic AS what, partition, "offset" FROM purchase_record WHERE is_late
UNION ALL SELECT 'item', co_partition, co_offset FROM oracle."silver.items" WHERE _ow > _ts + minute()
UNION ALL SELECT 'user', co_partition, co_offset FROM oracle."silver.users" WHERE _ow > _ts + minute();

CREATE TABLE purchase_with_item AS
SELECT p.*, i."title" AS title, coalesce(i."category", 'unknown') AS category,
  watermark_of('bronze.shop.items') > p.ts + minute() AS released
FROM purchase p
ASOF LEFT JOIN item_version i ON p.item_id = i._key AND p.ts >= i._ts;

-- Towards the second join the first promises no more than the least ow that it still holds.
INSERT INTO watermark
SELECT 'purchases by user', promised(least(watermark_of('purchases in order'), coalesce(min(ow), watermark_of('purchases in order'))))
FROM purchase_with_item WHERE NOT released;

CREATE TABLE purchase_with_user AS
SELECT p.* EXCLUDE (released), u."country" AS country, u."birthDate" AS birth_date,
  watermark_of('bronze.shop.users') > p.ts + minute() AS released
FROM purchase_with_item p
ASOF LEFT JOIN user_version u ON p.user_id = u._key AND p.ts >= u._ts
WHERE p.released;

INSERT INTO watermark
SELECT 'silver.purchases_enriched', promised(least(watermark_of('purchases by user'), coalesce(min(ow), watermark_of('purchases by user'))))
FROM purchase_with_user WHERE NOT released;

-- Full years between two days: one less when the birthday has not come yet in the later year.
CREATE MACRO years_between(birth, day) AS
  year(day) - year(birth) - CASE WHEN month(day) * 100 + day(day) < month(birth) * 100 + day(birth) THEN 1 ELSE 0 END;

CREATE TABLE oracle."silver.purchases_enriched" AS
WITH aged AS (
  SELECT *, years_between(DATE '1970-01-01' + birth_date, CAST(epoch_ms(ts) AS DATE)) AS age FROM purchase_with_user WHERE released
)
SELECT
  id AS _key,
  ts AS _ts,
  ow AS _ow,
  CAST(id AS BIGINT) AS "purchaseId",
  CAST(user_id AS BIGINT) AS "userId",
  CAST(item_id AS BIGINT) AS "itemId",
  quantity AS "quantity",
  unit_price AS "unitPrice",
  quantity * unit_price AS "revenue",
  title AS "title",
  category AS "category",
  coalesce(country, 'unknown') AS "country",
  CASE
    WHEN age IS NULL THEN 'unknown'
    WHEN age < 18 THEN 'under-18'
    WHEN age <= 24 THEN '18-24'
    WHEN age <= 34 THEN '25-34'
    WHEN age <= 44 THEN '35-44'
    WHEN age <= 54 THEN '45-54'
    WHEN age <= 64 THEN '55-64'
    ELSE '65+'
  END AS "ageBand",
  ts AS "purchasedAt"
FROM aged;
